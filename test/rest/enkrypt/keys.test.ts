import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, leak, plantKey } from '../../support/world.ts'
import { unchanged } from './state.ts'
import {
  forbidden,
  isoTime,
  made,
  openWorld,
  type Project,
  refused,
  told,
  unknownId,
  type World,
} from './support.ts'

const gone: [number, string] = [404, 'API key not found']
const day = 86_400_000

describe.each(databases)('API keys of the Enkrypt dialect on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const generate = (user: string, body: unknown = {}, as = world.operator) =>
    as(`POST /users/${user}/api-keys`, body)
  const opens = async (secret: string) => (await world.as(secret)('GET /configs')).status
  const list = async (line: string) =>
    (await made(world.reader(line))) as unknown as Record<string, unknown>[]
  const verdict = async (token: string, server?: string) =>
    (await world.op('validate_token', { token, ...(server === undefined ? {} : { server }) }))['verdict']
  /** The key as lists show it. */
  const listed = ({ key, project_id, project_name }: Project) => ({
    api_key: `${key.prefix}...`,
    api_key_id: key.api_key_id,
    prefix: key.prefix,
    project_id,
    project_name,
    created_at: expect.stringMatching(isoTime),
    disabled: false,
    last_used_at: null,
  })

  it(`${verifies('enkrypt:keys:generate:ok')} a key is answered with its whole secret, once, and works at once; any number of them`, async () => {
    const { project_id, project_name, user_id, email } = await world.project()
    const names: [string, object][] = [
      [user_id, { project_name }],
      [email, { project_name: project_id }],
      [email.toUpperCase(), { project_id }],
      [user_id, { project_id: project_name }],
    ]
    const secrets: string[] = []
    for (const [user, body] of names) {
      const answer = await generate(user, body)
      expect([answer.status, answer.json]).toEqual([
        201,
        {
          message: 'API key generated successfully',
          data: {
            api_key: expect.stringMatching(/^mcpt_[0-9A-Za-z]{43}$/),
            api_key_id: expect.stringMatching(/^mgtk_[0-9A-Za-z]+$/),
            prefix: answer.json.data.api_key.slice(0, 12),
            project_id,
            project_name,
            created_at: expect.stringMatching(isoTime),
            disabled: false,
            last_used_at: null,
          },
        },
      ])
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(await opens(answer.json.data.api_key)).toBe(200)
      secrets.push(answer.json.data.api_key)
    }
    expect(new Set(secrets).size).toBe(4)
    expect(await list(`GET /users/${user_id}/api-keys`)).toHaveLength(5)
    for (const secret of secrets) expect(await opens(secret)).toBe(200)
  })

  it(`${verifies('enkrypt:keys:generate:not-member')} no member 409, unknown user or project 404, a missing, doubled or wrong field 400; nothing is made`, async () => {
    const { project_id, project_name, user_id } = await world.project()
    const stranger = await world.user()
    const deleted = await world.project()
    await made(world.admin(`DELETE /projects/${deleted.project_id}`))
    await unchanged(world.beside, async () => {
      const [status, detail] = refused(await generate(stranger.user_id, { project_name }))
      expect([status, detail]).toEqual([409, expect.stringContaining('not a member')])
      for (const nobody of [unknownId.user, 'nobody@example.com', project_id, 'x'.repeat(250)])
        expect(refused(await generate(nobody, { project_id }))).toEqual([404, 'User not found'])
      for (const nothing of [
        unknownId.project,
        'no such project',
        user_id,
        deleted.project_id,
        'x'.repeat(250),
      ])
        expect(refused(await generate(user_id, { project_name: nothing }))).toEqual([
          404,
          'Project not found',
        ])
      for (const body of [
        undefined,
        {},
        { project_name: '' },
        { project_name: null },
        { project_name: 5 },
        { project_name: [project_id] },
        { project_id: project_name, project_name },
        { project: project_name },
        { project_name, kind: 'user_key' },
        { project_name, expires_in_days: 1 },
        { project_name, all_servers: false },
        { project_name, user_id },
        { project_name, delivery: 'file' },
        { project_name, idempotency_key: 'a'.repeat(20) },
        [],
        '{',
      ])
        expect([body, refused(await generate(user_id, body))[0]]).toEqual([body, 400])
    })
  })

  it(`${verifies('enkrypt:keys:generate:permanent')} admin and operator make keys without an end, which reach every server of the project's configuration and no other`, async () => {
    const { project_id, user_id, config_id } = await world.project()
    const other = await world.project()
    const servers = [await world.server(config_id), await world.server(config_id)]
    const elsewhere = await world.server(other.config_id)
    for (const as of [world.admin, world.operator]) {
      const { api_key, api_key_id } = await made(generate(user_id, { project_id }, as))
      expect((await world.op('get_token', { token_id: api_key_id }))['token']).toMatchObject({
        expires_at: null,
        not_before: null,
        allowed_ips: null,
        access: { all_servers: true },
      })
      for (const { server_slug } of servers) expect(await verdict(api_key, server_slug)).toBe('valid')
      expect(await verdict(api_key, elsewhere['server_slug'])).toBe('server_not_in_scope')
      const later = await world.server(config_id)
      expect(await verdict(api_key, later['server_slug'])).toBe('valid')
      // Years later it still works.
      world.running.clock.pass(4_000 * day)
      expect(await opens(api_key)).toBe(200)
    }
    for (const as of [world.reader, world.as(world.keys.validator)])
      expect(refused(await generate(user_id, { project_id }, as))).toEqual(forbidden)
  })

  it(`${verifies('enkrypt:keys:generate:permanent-refused')} once max_lifetime_days is set none is made, and the sentence says so`, async () => {
    const { project_id, user_id, key } = await world.project()
    await world.op('update_settings', { max_lifetime_days: 30 })
    try {
      await unchanged(world.beside, async () => {
        for (const as of [world.admin, world.operator])
          expect(refused(await generate(user_id, { project_id }, as))).toEqual([
            400,
            'Tokens without an expiry are not allowed here: max_lifetime_days is set.',
          ])
      })
      expect(await opens(key.api_key)).toBe(200)
    } finally {
      await world.op('update_settings', { max_lifetime_days: null })
    }
    expect((await generate(user_id, { project_id })).status).toBe(201)
  })

  it(`${verifies('enkrypt:keys:generate:kind')} R15: no face takes a kind: a token made by another operation is never a user key`, async () => {
    const { project_id, user_id, email, key } = await world.project()
    const kind = 'user_key'
    await made(world.admin(`POST /users/${user_id}/reset-password`, { new_password: 'signs in now' }))
    const bodies: [string, object][] = [
      ['POST /v1/create_token', { name: 'x', kind }],
      ['POST /v1/generate_user_key', { user_id, project_id, kind: 'management' }],
      ['POST /v1/generate_user_key', { user_id, project_id, role: 'admin' }],
      ['POST /v1/create_management_key', { name: 'x', role: 'reader', kind }],
      ['POST /magic-mcp-tokens', { name: 'x', kind }],
      ['POST /api/tokens', { name: 'x', kind }],
      ['POST /public/generate-mcp-token', { email, password: 'signs in now', project_id, kind }],
    ]
    for (const [line, body] of bodies) {
      const [method = '', path = ''] = line.split(' ')
      const answer = await world.running.send(path, {
        method,
        headers: { authorization: `Bearer ${world.keys.admin}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      if (answer.status >= 400) expect([line, answer.status]).toEqual([line, 400])
    }
    const { token, delivery } = await world.op('create_token', {
      name: 'plain',
      owner_id: user_id,
      project_id,
    })
    const update = await world.running.call('update_token', { token_id: token.id, kind })
    expect(update.status).toBe(400)
    // The one that was ended with the password, and nothing else.
    const userKeys = await world.beside.core.store.read
      .selectFrom('tokens')
      .select(['id', 'project_id'])
      .where('kind', '=', 'user_key')
      .where('owner_id', '=', user_id)
      .execute()
    expect(userKeys).toEqual([{ id: key.api_key_id, project_id }])
    expect(await list(`GET /users/${user_id}/api-keys`)).toEqual([])
    expect(refused(await world.as(delivery.secret)('GET /configs'))).toEqual(forbidden)
  })

  it(`${verifies('enkrypt:keys:generate:format')} R2: prefix, 37 random characters and 6 of checksum, and nothing of them but a keyed digest is kept`, async () => {
    const { project_id, user_id } = await world.project()
    const secrets: string[] = []
    for (let n = 0; n < 20; n++) {
      const { api_key } = await made(generate(user_id, { project_id }))
      expect(api_key).toMatch(/^mcpt_[0-9A-Za-z]{43}$/)
      expect(api_key).toHaveLength(48)
      secrets.push(api_key)
    }
    expect(new Set(secrets.map((secret) => secret.slice(5, 42))).size).toBe(20)
    await world.op('update_settings', { token_prefix: 'acme' })
    const other = await made(generate(user_id, { project_id }))
    await world.op('update_settings', { token_prefix: 'mcpt' })
    expect(other['api_key']).toMatch(/^acme_[0-9A-Za-z]{43}$/)
    expect(await opens(other['api_key'])).toBe(200)
    // One character of the checksum or of the rest changed: a secret nobody made.
    for (const at of [5, 20, 41, 42, 47]) {
      const [secret = ''] = secrets
      const swapped = secret[at] === 'a' ? 'b' : 'a'
      expect(await opens(`${secret.slice(0, at)}${swapped}${secret.slice(at + 1)}`)).toBe(401)
    }
    const stored = Buffer.from(
      await contents(world.beside, ['tokens', 'audit', 'links', 'idempotency', 'revocations']),
    )
    for (const secret of secrets) expect(leak(stored, secret)).toBe(-1)
    for (const secret of secrets) expect(leak(Buffer.from(world.running.log.join('\n')), secret)).toBe(-1)
  })

  it(`${verifies('enkrypt:keys:list:masked')} R5: lists and details show twelve characters and dots, and never a secret`, async () => {
    const project = await world.project()
    const { project_id, user_id, email, config_id, config_name, key } = project
    const masked = listed(project)
    expect(masked.api_key).toBe(`${key.api_key.slice(0, 12)}...`)
    const owner = { user_id, user_email: email }
    expect(await list(`GET /users/${user_id}/api-keys`)).toEqual([masked])
    expect((await list('GET /api-keys')).at(-1)).toEqual({ ...masked, ...owner })
    expect((await made(world.reader(`GET /users/${user_id}`)))['api_keys']).toEqual([masked])
    const detail = told(await world.reader(`GET /api-keys/${key.api_key_id}`))
    expect(detail).toEqual({
      message: 'API key details retrieved successfully',
      data: {
        ...masked,
        ...owner,
        mcp_config_id: config_id,
        mcp_config_name: config_name,
        disabled_at: null,
        enabled_at: null,
      },
    })
    for (const line of [
      `GET /users/${user_id}/api-keys`,
      'GET /api-keys',
      `GET /users/${user_id}`,
      'GET /users',
      `GET /api-keys/${key.api_key}`,
      `GET /projects/${project_id}`,
      `GET /projects/${project_id}/users`,
      `POST /projects/${project_id}/export`,
      `POST /api-keys/${key.api_key}/disable`,
      `POST /api-keys/${key.api_key}/enable`,
    ]) {
      const answer = await world.admin(line)
      expect([line, answer.status]).toEqual([line, 200])
      expect([line, leak(Buffer.from(answer.text), key.api_key)]).toEqual([line, -1])
    }
    expect(told(await world.reader(`GET /users/${email}/api-keys`)).message).toBe(
      'User API keys retrieved successfully',
    )
    expect(told(await world.reader('GET /api-keys')).message).toBe('All API keys retrieved successfully')
  })

  it('details say when a key was used, switched off and on, and of no configuration when there is none', async () => {
    const { project_id, key } = await world.project()
    const path = `/api-keys/${key.api_key_id}`
    const now = () => new Date(world.running.clock.now).toISOString()
    expect(await opens(key.api_key)).toBe(200)
    expect(await made(world.reader(`GET ${path}`))).toMatchObject({ last_used_at: now() })
    world.running.clock.pass(1_000)
    await made(world.operator(`POST ${path}/disable`))
    const off = now()
    expect(await made(world.reader(`GET ${path}`))).toMatchObject({ disabled: true, disabled_at: off })
    world.running.clock.pass(1_000)
    await made(world.operator(`POST ${path}/enable`))
    await made(world.admin(`POST /projects/${project_id}/unassign-config`))
    expect(await made(world.reader(`GET ${path}`))).toMatchObject({
      disabled: false,
      disabled_at: off,
      enabled_at: now(),
      mcp_config_id: null,
      mcp_config_name: null,
    })
  })

  it(`${verifies('enkrypt:keys:list:project-filter')} project_identifier narrows to one project by id or name; unknown 404, empty or twice 400`, async () => {
    const here = await world.project()
    const there = await world.project()
    const { user_id } = here
    await world.op('add_project_member', { project_id: there.project_id, user_id })
    await world.op('update_project', { project_id: there.project_id, name: 'Filter & Söhne' })
    const other = await made(generate(user_id, { project_id: there.project_id }))
    const ids = async (query: string) =>
      (await list(`GET /users/${user_id}/api-keys${query}`)).map((one) => one['api_key_id'])
    expect(await ids('')).toEqual([here.key.api_key_id, other['api_key_id']])
    for (const name of [here.project_id, here.project_name])
      expect(await ids(`?project_identifier=${encodeURIComponent(name)}`)).toEqual([here.key.api_key_id])
    for (const name of [there.project_id, 'Filter & Söhne'])
      expect(await ids(`?project_identifier=${encodeURIComponent(name)}`)).toEqual([other['api_key_id']])
    // A project the user is not in is there, and holds no key of this user.
    const third = await world.project()
    expect(await ids(`?project_identifier=${third.project_id}`)).toEqual([])
    const path = `GET /users/${user_id}/api-keys`
    for (const name of [unknownId.project, 'no%20such', 'x'.repeat(250), 'x'.repeat(3_000)]) {
      const answer = refused(await world.reader(`${path}?project_identifier=${name}`))
      expect([name.slice(0, 9), ...answer]).toEqual([name.slice(0, 9), 404, 'Project not found'])
    }
    for (const query of [
      '?project_identifier=',
      `?project_identifier=${here.project_id}&project_identifier=${there.project_id}`,
      `?project_id=${here.project_id}`,
    ])
      expect([query, refused(await world.reader(path + query))[0]]).toEqual([query, 400])
  })

  it(`${verifies('enkrypt:keys:list:only-user-keys')} lists and routes hold user keys alone, disabled and expired ones included, deleted ones and other tokens not`, async () => {
    const { project_id, user_id } = await world.project()
    const owned = { owner_id: user_id, project_id }
    const [disabled, expired, both, deleted] = await Promise.all([
      plantKey(world.beside, 'user_key', { ...owned, enabled: 0 }),
      plantKey(world.beside, 'user_key', { ...owned, expires_at: '2020-01-01T00:00:00.000Z' }),
      plantKey(world.beside, 'user_key', { ...owned, enabled: 0, expires_at: '2020-01-01T00:00:00.000Z' }),
      plantKey(world.beside, 'user_key', { ...owned, revoked_at: '2020-01-01T00:00:00.000Z' }),
    ])
    const access = await world.op('create_token', { name: 'plain', ...owned })
    const planted = await plantKey(world.beside, 'access', owned)
    const management = await plantKey(world.beside, 'management', { project_id })
    const shown = [disabled, expired, both]
    const hidden = [
      { id: access['token'].id, secret: access['delivery'].secret },
      planted,
      management,
      deleted,
      { id: world.beside.adminKey.slice(0, 12), secret: world.keys.admin },
    ]
    for (const line of [
      `GET /users/${user_id}/api-keys`,
      `GET /users/${user_id}/api-keys?project_identifier=${project_id}`,
      'GET /api-keys',
    ]) {
      const ids = (await list(line)).map((one) => one['api_key_id'])
      for (const { id } of shown) expect([line, ids.includes(id)]).toEqual([line, true])
      for (const { id } of hidden) expect([line, ids.includes(id)]).toEqual([line, false])
    }
    const user = await made(world.reader(`GET /users/${user_id}`))
    expect(user['api_keys']).toHaveLength(4)
    for (const { id, secret } of shown)
      for (const name of [id, secret]) expect((await world.reader(`GET /api-keys/${name}`)).status).toBe(200)
    await unchanged(world.beside, async () => {
      for (const { id, secret } of hidden) {
        for (const name of [id, secret, secret.slice(0, 12)]) {
          expect(refused(await world.reader(`GET /api-keys/${name}`))).toEqual(gone)
          expect(refused(await world.operator('POST /api-keys/rotate', { api_key: name }))).toEqual(gone)
          expect(refused(await world.operator(`POST /api-keys/${name}/disable`))).toEqual(gone)
          expect(refused(await world.operator(`POST /api-keys/${name}/enable`))).toEqual(gone)
          expect(refused(await world.operator(`DELETE /api-keys/${name}`))).toEqual(gone)
        }
      }
    })
    const { data } = told(await world.operator(`DELETE /users/${user_id}/api-keys`))
    expect(data).toEqual({ deleted: 4 })
    expect(await verdict(access['delivery'].secret)).toBe('valid')
    expect((await world.as(management.secret)('GET /configs')).status).toBe(200)
  })

  it(`${verifies('enkrypt:keys:address:three-forms')} every route takes the id, the prefix of one key or the whole secret, and no log line holds it`, async () => {
    for (const form of ['api_key_id', 'prefix', 'api_key'] as const) {
      const { key } = await world.project()
      let { api_key } = key
      let name = key[form]
      expect((await made(world.reader(`GET /api-keys/${name}`)))['api_key_id']).toBe(key.api_key_id)
      await made(world.operator(`POST /api-keys/${name}/disable`))
      expect(await opens(api_key)).toBe(401)
      await made(world.operator(`POST /api-keys/${name}/enable`))
      expect(await opens(api_key)).toBe(200)
      const rotated = await made(world.operator('POST /api-keys/rotate', { api_key: name }))
      expect(rotated['api_key_id']).toBe(key.api_key_id)
      ;({ api_key } = rotated as { api_key: string })
      name = rotated[form]
      await made(world.operator(`DELETE /api-keys/${name}`))
      expect(await opens(api_key)).toBe(401)
      const log = Buffer.from(world.running.log.join('\n'))
      for (const secret of [key.api_key, api_key]) expect(leak(log, secret)).toBe(-1)
    }
  })

  it(`${verifies('enkrypt:keys:address:three-forms')} an ambiguous prefix is 409 and does nothing, and what names no key is 404 without the text`, async () => {
    const { user_id, project_id, key } = await world.project()
    const columns = { owner_id: user_id, project_id, prefix: 'mcpt_Twofold' }
    const twins = [
      await plantKey(world.beside, 'user_key', columns),
      await plantKey(world.beside, 'user_key', columns),
    ]
    const routes = (name: string): [string, object?][] => [
      [`GET /api-keys/${name}`],
      ['POST /api-keys/rotate', { api_key: decodeURIComponent(name) }],
      [`POST /api-keys/${name}/disable`],
      [`POST /api-keys/${name}/enable`],
      [`DELETE /api-keys/${name}`],
    ]
    await unchanged(world.beside, async () => {
      for (const [line, body] of routes('mcpt_Twofold')) {
        const answer = refused(await world.operator(line, body))
        expect([line, ...answer]).toEqual([line, 409, expect.stringContaining('prefix')])
      }
      for (const name of [
        unknownId.key,
        key.api_key.slice(0, 11),
        key.api_key.slice(0, 13),
        `${key.api_key.slice(0, 47)}${key.api_key.endsWith('a') ? 'b' : 'a'}`,
        key.prefix.toLowerCase() === key.prefix ? key.prefix.toUpperCase() : key.prefix.toLowerCase(),
        user_id,
        project_id,
        'no%20key',
        '%25',
        'mcpt_Example',
      ]) {
        for (const [line, body] of routes(name)) {
          const answer = await world.operator(line, body)
          expect([line, refused(answer)]).toEqual([line, gone])
          expect(answer.text).not.toContain(key.prefix)
        }
      }
    })
    for (const { id, secret } of twins)
      for (const name of [id, secret])
        expect((await made(world.reader(`GET /api-keys/${name}`)))['api_key_id']).toBe(id)
    await made(world.operator(`DELETE /api-keys/${twins[0]?.id}`))
    expect((await made(world.reader('GET /api-keys/mcpt_Twofold')))['api_key_id']).toBe(twins[1]?.id)
  })
})
