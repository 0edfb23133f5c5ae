import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, makeToken, plantProject, plantServer, stateTables, trailOf } from '../../support/world.ts'
import { day, forbidden, notFound, openWorld, told, type World } from './world.ts'

describe.each(databases)('a user API key below /api/tokens on $name', (database) => {
  let world: World
  let limited: { id: string; secret: string }
  let end: string
  beforeAll(async () => {
    world = await openWorld(database)
    end = world.later(10 * day)
    limited = await world.newUserKey(world.project, { allowed_ips: ['127.0.0.0/8'], expires_at: end })
  })
  afterAll(() => world.close())

  const create = (body: object, as = world.userKey.secret) =>
    world.ask('POST /api/tokens', { as, body: { name: 'x', ...body } })
  const unchanged = async (work: () => Promise<void>) => {
    await world.beside.core.uses.flush()
    await world.ask('GET /api/tokens', { as: world.keys.reader })
    const tables = stateTables.filter((table) => table !== 'tokens')
    const before = await contents(world.beside, tables)
    const count = async () => (await world.op('list_magic_tokens', { include_total: true })).total
    const tokens = await count()
    await work()
    expect([await contents(world.beside, tables), await count()]).toEqual([before, tokens])
  }

  it(`${verifies('mctx:tokens:create:user-key')} makes tokens of its owner and its project, without powers of its own, and opens nothing outside`, async () => {
    const { user_id: owner_id, project_id, server } = world.project
    const made = await world.make({ server_ids: [server.id] }, world.userKey.secret)
    expect((await world.op('get_token', { token_id: made.id })).token).toMatchObject({
      owner_id,
      project_id,
      kind: 'access',
      created_by: world.userKey.id,
    })
    const all = await world.make({ server_ids: 'all' }, world.userKey.secret)
    expect([all.all_servers, all.scopes.map((scope) => scope.server_id)]).toEqual([true, [server.id]])
    const second = await plantServer(world.beside, { config_id: world.project.config_id })
    const { verdict } = await world.op('validate_token', { token: all.token, server: second.slug })
    expect(verdict).toBe('valid')
    for (const line of [
      'GET /api/tokens',
      `GET /api/tokens/${made.id}`,
      `POST /api/tokens/${made.id}/rotate`,
    ])
      expect((await world.ask(line, { as: all.token })).text).toBe(forbidden)
    const gone = await plantServer(world.beside, { config_id: world.project.config_id })
    await world.beside.core.store.write((db) =>
      db
        .updateTable('servers')
        .set({ deleted_at: world.later(0) })
        .where('id', '=', gone.id)
        .execute(),
    )
    const other = await plantProject(world.beside)
    const free = await plantServer(world.beside)
    await unchanged(async () => {
      for (const id of [other.server.id, free.id, gone.id, 'mgsr_0000000000000000000000', 'weather']) {
        const trail = await trailOf(world.beside, async () => {
          const refused = await create({ server_ids: [server.id, id] })
          expect([id, refused.status, refused.text]).toEqual([id, 403, forbidden])
        })
        expect(trail.filter((row) => row.action === 'create_token')).toMatchObject([{ outcome: 'denied' }])
      }
    })
  })

  it(`${verifies('mctx:tokens:create:user-key-limits')} what it makes or edits stays inside its own addresses and its own end`, async () => {
    const plain = await world.make({}, limited.secret)
    expect([plain.allowed_ips, plain.expires_at]).toEqual([['127.0.0.0/8'], end])
    expect((await world.make({ allowed_ips: null }, limited.secret)).allowed_ips).toEqual(['127.0.0.0/8'])
    const inside = { allowed_ips: ['127.0.0.1', '127.1.0.0/16'], expires_in_days: 2 }
    const made = await world.make(inside, limited.secret)
    expect(made).toMatchObject({ allowed_ips: inside.allowed_ips, expires_at: world.later(2 * day) })
    const beyond = [
      { allowed_ips: ['127.0.0.1', '192.0.2.1'] },
      { allowed_ips: ['126.0.0.0/7'] },
      { allowed_ips: ['::1'] },
      { expires_in_days: 11 },
      { expires_at: new Date(Date.parse(end) + 1).toISOString() },
    ]
    const shown = (await world.ask(`GET /api/tokens/${made.id}`, { as: limited.secret })).json
    await unchanged(async () => {
      for (const body of beyond) {
        expect((await create(body, limited.secret)).text).toBe(forbidden)
        const edited = await world.ask(`PATCH /api/tokens/${made.id}`, { as: limited.secret, body })
        expect([body, edited.status, edited.text]).toEqual([body, 403, forbidden])
      }
    })
    expect((await world.ask(`GET /api/tokens/${made.id}`, { as: limited.secret })).json).toEqual(shown)
    const edit = async (body: object) =>
      (await world.ask(`PATCH /api/tokens/${made.id}`, { as: limited.secret, body })).json
    expect((await edit({ allowed_ips: null })).allowed_ips).toEqual(['127.0.0.0/8'])
    expect((await edit({ allowed_ips: ['127.0.0.9'] })).allowed_ips).toEqual(['127.0.0.9'])
    expect((await edit({ expires_at: end })).expires_at).toBe(end)
    world.clock.pass(8 * day)
    expect((await world.make({}, limited.secret)).expires_at).toBe(end)
    expect((await world.make({}, world.userKey.secret)).expires_at).toBe(world.later(30 * day))
  })

  it('R15: it edits no token that reaches further than itself', async () => {
    const { user_id: owner_id, project_id } = world.project
    const wider = await makeToken(world.beside, { owner_id, project_id, expires_at: null })
    const refused = await world.ask(`PATCH /api/tokens/${wider.id}`, {
      as: limited.secret,
      body: { name: 'mine' },
    })
    expect(refused.text).toBe(forbidden)
    expect((await world.ask(`GET /api/tokens/${wider.id}`)).json.name).toBe('made')
  })

  it('mctx 2: it reads, edits, rotates and ends the tokens of its owner in its project, itself included but for an edit', async () => {
    const { user_id: owner_id, project_id } = world.project
    const own = await makeToken(world.beside, { owner_id, project_id })
    const key = await world.newUserKey(world.project)
    const as = key.secret
    expect((await world.ask(`GET /api/tokens/${own.id}`, { as })).json.id).toBe(own.id)
    expect((await world.ask(`PATCH /api/tokens/${own.id}`, { as, body: { name: 'y' } })).json.name).toBe('y')
    expect((await world.ask(`POST /api/tokens/${own.id}/rotate`, { as })).status).toBe(200)
    expect((await world.ask(`DELETE /api/tokens/${own.id}`, { as })).json.status).toBe('revoked')
    const turned = await world.ask(`POST /api/tokens/${key.id}/rotate`, { as })
    expect([turned.status, (await world.ask('GET /api/tokens', { as })).status]).toEqual([200, 401])
    const ended = await world.ask(`DELETE /api/tokens/${key.id}`, { as: turned.json.token })
    expect(ended.json.status).toBe('revoked')
    expect((await world.ask('GET /api/tokens', { as: turned.json.token })).status).toBe(401)
  })

  it(`${verifies('mctx:tokens:rotate:owner')} rotates any token of its owner in its own project, itself included, and finds no other`, async () => {
    const { user_id: owner_id, project_id } = world.project
    const key = await world.newUserKey(world.project)
    const foreign = [
      await makeToken(world.beside, { owner_id }),
      await makeToken(world.beside, { project_id }),
      await makeToken(world.beside),
    ]
    for (const id of [...foreign.map((one) => one.id), 'mgtk_0000000000000000000000', 'x'])
      expect((await world.ask(`POST /api/tokens/${id}/rotate`, { as: key.secret })).text).toBe(notFound)
    for (const { secret } of foreign)
      expect((await world.op('validate_token', { token: secret })).verdict).toBe('valid')
    const own = await makeToken(world.beside, { owner_id, project_id })
    const rotated = await world.ask(`POST /api/tokens/${own.id}/rotate`, { as: key.secret })
    expect((await world.op('validate_token', { token: rotated.json.token })).verdict).toBe('valid')
    const self = await world.ask(`POST /api/tokens/${key.id}/rotate`, { as: key.secret })
    expect(told(await world.ask('GET /api/tokens', { as: key.secret }))[0]).toBe(401)
    expect((await world.ask('GET /api/tokens', { as: self.json.token })).status).toBe(200)
  })

  it(`${verifies('mctx:tokens:rotate:wider')} is not handed the secret of a token that reaches further than itself`, async () => {
    const { user_id: owner_id, project_id } = world.project
    const end = new Date(world.beside.clock.now + 20 * day).toISOString()
    const key = await world.newUserKey(world.project, { allowed_ips: ['127.0.0.0/8'], expires_at: end })
    const narrow = { owner_id, project_id, allowed_ips: ['127.0.0.1'] }
    const later = new Date(Date.parse(end) + 1).toISOString()
    const wider = [
      await makeToken(world.beside, { ...narrow, allowed_ips: null, expires_at: end }),
      await makeToken(world.beside, { ...narrow, allowed_ips: ['127.0.0.1', '10.0.0.1'], expires_at: end }),
      await makeToken(world.beside, { ...narrow, expires_at: later }),
      await makeToken(world.beside, { ...narrow, expires_at: null }),
    ]
    for (const { id, secret } of wider) {
      const trail = await trailOf(world.beside, async () => {
        const refused = await world.ask(`POST /api/tokens/${id}/rotate`, { as: key.secret })
        expect([refused.status, refused.text]).toEqual([403, forbidden])
      })
      const denied = trail.filter((row) => row.action === 'rotate_token')
      expect(denied).toMatchObject([{ outcome: 'denied', target_id: id }])
      const { verdict } = await world.op('validate_token', { token: secret, ip: '127.0.0.1' })
      expect(verdict).toBe('valid')
    }
    const inside = await makeToken(world.beside, { ...narrow, expires_at: end })
    expect((await world.ask(`POST /api/tokens/${inside.id}/rotate`, { as: key.secret })).status).toBe(200)
  })
})
