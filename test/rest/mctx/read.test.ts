import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { makeToken, plantProject } from '../../support/world.ts'
import { day, forbidden, notFound, openWorld, type Token, told, type World } from './world.ts'

const ids = (tokens: Token[]) => tokens.map(({ id }) => id)

describe.each(databases)('GET /api/tokens on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const list = async (query = '', as = world.keys.reader) =>
    (await world.ask(`GET /api/tokens${query}`, { as })).json
  /** One token of each state. */
  async function states() {
    const soon = { expires_at: world.later(60_000) }
    const [expired, disabled, revoked] = [await world.make(soon), await world.make(), await world.make()]
    await world.op('set_token_enabled', { token_id: disabled.id, enabled: false })
    await world.ask(`DELETE /api/tokens/${revoked.id}`)
    world.clock.pass(60_000)
    return { expired, disabled, revoked, active: await world.make() }
  }

  it(`${verifies('mctx:tokens:list:active')} lists active tokens, or those of the state that is asked for, or all`, async () => {
    const made = await states()
    const found = async (query: string) => {
      const seen = ids((await list(query)).tokens)
      return Object.entries(made).flatMap(([state, { id }]) => (seen.includes(id) ? [state] : []))
    }
    expect(await found('')).toEqual(['active'])
    for (const state of ['expired', 'disabled', 'revoked', 'active'])
      expect(await found(`?status=${state}`)).toEqual([state])
    expect(await found('?status=all')).toEqual(['expired', 'disabled', 'revoked', 'active'])
    for (const { status } of (await list('?status=disabled')).tokens) expect(status).toBe('disabled')
  })

  it(`${verifies('mctx:tokens:list:columns')} shows of each its name, prefix, servers, end and last use`, async () => {
    const made = await world.make({ name: 'shown', server_ids: [world.project.server.id] })
    await world.ask(`GET /api/tokens/${made.id}`, { as: made.token })
    const { tokens } = await list()
    const item = tokens.find(({ id }: Token) => id === made.id)
    const { token: _, ...rest } = made
    expect(item).toEqual({ ...rest, last_used_at: world.later(0) })
    expect(item.scopes).toHaveLength(1)
  })

  it(`${verifies('mctx:tokens:list:own')} shows a user API key its owner's tokens of its own project, and everybody who reads tokens all, but no management key`, async () => {
    const { user_id: owner_id, project_id } = world.project
    const own = [
      await world.make({ name: 'a' }, world.userKey.secret),
      await world.make({}, world.userKey.secret),
    ]
    const other = await plantProject(world.beside)
    const foreign = [
      await makeToken(world.beside, { owner_id }),
      await makeToken(world.beside, { project_id }),
      await makeToken(world.beside, { owner_id: other.user_id, project_id: other.project_id }),
      await world.newUserKey(other),
    ]
    const seen = ids((await list('', world.userKey.secret)).tokens)
    expect(seen.sort()).toEqual([...ids(own), world.userKey.id].sort())
    for (const as of [world.keys.reader, world.keys.operator, world.keys.admin]) {
      const all = ids((await list('?status=all', as)).tokens)
      for (const { id } of [...own, ...foreign, world.userKey]) expect(all).toContain(id)
      expect(all.every((id) => id.startsWith('mgtk_'))).toBe(true)
    }
  })

  it(`${verifies('mctx:tokens:list:paging')} is newest first, in pages that neither skip nor repeat, 100 unless said`, async () => {
    for (let at = 0; at < 110; at++) await makeToken(world.beside)
    const first = await list()
    expect(first.tokens).toHaveLength(100)
    // Ids in byte order are in the order of creation.
    expect(ids(first.tokens)).toEqual(ids(first.tokens).sort().reverse())
    const whole = ids((await list('?status=all&limit=100')).tokens)
    const walked: string[] = []
    const newer: string[] = []
    let query = '?status=all&limit=7'
    for (let pages = 0; pages < 100; pages++) {
      const page = await list(query)
      expect(page.tokens.length).toBeLessThanOrEqual(7)
      walked.push(...ids(page.tokens))
      if (page.next_cursor === null) break
      // What is made in the meantime is newer than the page, and not in it.
      if (pages === 1) newer.push((await makeToken(world.beside)).id)
      query = `?status=all&limit=7&cursor=${page.next_cursor}`
    }
    expect(walked.slice(0, 100)).toEqual(whole)
    expect(new Set(walked).size).toBe(walked.length)
    expect(newer).toHaveLength(1)
    expect(walked).not.toContain(newer[0])
    const bad = [
      'limit=0',
      'limit=101',
      'limit=1.5',
      'limit=x',
      'limit=',
      'limit=-1',
      'limit=1&limit=2',
      'cursor=nonsense',
      'cursor=',
      `cursor=${'x'.repeat(300)}`,
      'status=dead',
      'status=',
      'status=Active',
      'status=active&status=revoked',
    ]
    for (const query of bad) {
      const refused = await world.ask(`GET /api/tokens?${query}`)
      expect([query, ...told(refused).slice(0, 2)]).toEqual([query, 400, -32602])
      expect(told(refused)[2]).toMatch(new RegExp(`^Invalid params: ${query.split('=')[0]} `))
    }
    expect((await list('?limit=1')).tokens).toHaveLength(1)
  })

  it(`${verifies('mctx:tokens:list:api-token')} is refused to API tokens`, async () => {
    const { token } = await world.make({ server_ids: 'all' })
    const refused = await world.ask('GET /api/tokens', { as: token })
    expect([refused.status, refused.text]).toEqual([403, forbidden])
  })

  it(`${verifies('mctx:tokens:get:ok')} shows one token, revoked and expired ones too`, async () => {
    const made = await states()
    for (const [state, { id, token: _, ...rest }] of Object.entries(made)) {
      for (const as of [world.keys.reader, world.keys.operator, world.keys.admin]) {
        const { status, json } = await world.ask(`GET /api/tokens/${id}`, { as })
        expect([status, json]).toEqual([200, { ...rest, id, status: state, revoked_at: json.revoked_at }])
        expect(json.revoked_at === null).toBe(state !== 'revoked')
      }
    }
  })

  it(`${verifies('mctx:tokens:get:self')} shows an API token itself, and of any other id nothing`, async () => {
    const [mine, other] = [await world.make(), await world.make()]
    expect((await world.ask(`GET /api/tokens/${mine.id}`, { as: mine.token })).json.id).toBe(mine.id)
    for (const id of [other.id, 'mgtk_none', mine.id.toLowerCase(), `${mine.id}0`, mine.name]) {
      const refused = await world.ask(`GET /api/tokens/${id}`, { as: mine.token })
      expect([id, refused.status, refused.text]).toEqual([id, 403, forbidden])
    }
  })

  it(`${verifies('mctx:tokens:get:not-found')} what does not exist, is no id, or is not the owner's in its project is the same 404 on every route`, async () => {
    const { user_id: owner_id, project_id } = world.project
    const strange = [
      'mgtk_0000000000000000000000',
      'made',
      '%00',
      '%ff',
      '%2e%2e%2f',
      '"',
      'x'.repeat(500),
      '%F0%9F%A7%AA',
    ]
    const management = (await world.op('list_management_keys', {})).keys[0].id
    const foreign = [
      (await makeToken(world.beside, { owner_id })).id,
      (await makeToken(world.beside, { project_id })).id,
      (await makeToken(world.beside)).id,
    ]
    await world.make({ name: 'made' })
    const tries: [string, string[]][] = [
      [world.keys.operator, [...strange, management]],
      [world.userKey.secret, [...strange, management, ...foreign]],
    ]
    for (const [as, all] of tries) {
      for (const id of all) {
        for (const [line, body] of [
          [`GET /api/tokens/${id}`],
          [`PATCH /api/tokens/${id}`, { name: 'x' }],
          [`DELETE /api/tokens/${id}`],
          [`POST /api/tokens/${id}/rotate`],
        ] as [string, unknown?][]) {
          const refused = await world.ask(line, { as, ...(body === undefined ? {} : { body }) })
          expect([line, refused.status, refused.text]).toEqual([line, 404, notFound])
        }
      }
    }
    world.clock.pass(day / 24)
    for (const id of foreign) expect((await world.ask(`GET /api/tokens/${id}`)).json.status).toBe('active')
  })
})
