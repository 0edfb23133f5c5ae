import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, plantServer, setPolicy, stateTables, trailOf } from '../../support/world.ts'
import { day, forbidden, openWorld, type Token, told, type World } from './world.ts'

describe.each(databases)('POST /api/tokens on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const create = (body: unknown, as?: string) =>
    world.ask('POST /api/tokens', as === undefined ? { body } : { body, as })
  const reads = async (token: Token) =>
    (await world.ask(`GET /api/tokens/${token.id}`, { as: token.token })).json

  it(`${verifies('mctx:tokens:create:ok')} creates a token that works at once, and leaves one row in the trail`, async () => {
    const { id: server_id } = await plantServer(world.beside)
    const trail = await trailOf(world.beside, async () => {
      const { status, json } = await create({
        name: 'ci-pipeline',
        server_ids: [server_id],
        expires_in_days: 90,
        allowed_ips: ['127.0.0.0/8'],
      })
      expect(status).toBe(201)
      expect(json.token).toMatch(/^mcpt_/)
      expect((await reads(json)).id).toBe(json.id)
    })
    expect(trail.filter((row) => row.action === 'create_token')).toMatchObject([
      { outcome: 'ok', via: 'mctx' },
    ])
  })

  it(`${verifies('mctx:tokens:create:name', 'mctx:token:object:name')} keeps a name as it was given, and refuses what is none`, async () => {
    const names = [
      'ci-pipeline',
      '  blanks stay  ',
      'Größe 漢字 🧪 "x" %_\\',
      `${' '.repeat(9)}${'n'.repeat(200)}`,
      '🧪'.repeat(200),
    ]
    for (const name of names) {
      const token = await world.make({ name })
      expect(token.name).toBe(name)
      expect((await reads(token)).name).toBe(name)
    }
    const twin = await world.make({ name: 'ci-pipeline' })
    expect(twin.name).toBe('ci-pipeline')
    const bad = [
      undefined,
      null,
      '',
      '   ',
      'n'.repeat(201),
      '🧪'.repeat(201),
      7,
      ['x'],
      {},
      true,
      'a\u0000b',
      'a\nb',
      'a\u202eb',
    ]
    for (const name of [...bad, 'mgtk_0mwrz4t4bIl4gYSrqYqiF3', ' usr_0mwrz4t4bIl4gYSrqYqiF3 ']) {
      const refused = await create({ name })
      expect([name, ...told(refused).slice(0, 2)]).toEqual([name, 400, -32602])
      expect(told(refused)[2]).toMatch(/^Invalid params: name /)
    }
  })

  describe('servers', () => {
    it(`${verifies('mctx:tokens:create:servers-explicit')} gives exactly the named servers, each once`, async () => {
      const [a, b] = [await plantServer(world.beside), await plantServer(world.beside)]
      await plantServer(world.beside)
      const token = await world.make({ server_ids: [b.id, a.id, b.id] })
      expect(token.all_servers).toBe(false)
      expect(token.scopes.map((scope) => scope.server_id).sort()).toEqual([a.id, b.id].sort())
      const hundred = Array.from({ length: 300 }, () => a.id)
      expect((await world.make({ server_ids: hundred })).scopes).toHaveLength(1)
      const many = Array.from({ length: 101 }, (_, at) => `mgsr_${at}`)
      expect(told(await create({ name: 'x', server_ids: many }))).toEqual([
        400,
        -32602,
        'Invalid params: server_ids must be a list of at most 100 server ids, or "all"',
      ])
      for (const server_ids of [null, 'ALL', 'any', '*', 7, {}, [7], [''], [null], { all: true }])
        expect((await create({ name: 'x', server_ids })).status).toBe(400)
    })

    it(`${verifies('mctx:tokens:create:servers-default')} without servers the token reaches none, and sees and rotates itself`, async () => {
      const server = await plantServer(world.beside)
      for (const body of [{}, { server_ids: [] }]) {
        const token = await world.make(body)
        expect([token.scopes, token.all_servers]).toEqual([[], false])
        expect((await reads(token)).id).toBe(token.id)
        const { verdict } = await world.op('validate_token', { token: token.token, server: server.slug })
        expect(verdict).toBe('server_not_in_scope')
        expect((await world.ask(`POST /api/tokens/${token.id}/rotate`, { as: token.token })).status).toBe(200)
      }
    })

    it(`${verifies('mctx:tokens:create:servers-all')} "all" covers servers that are added later`, async () => {
      const token = await world.make({ server_ids: 'all' })
      expect(token.all_servers).toBe(true)
      const later = await plantServer(world.beside)
      const { scopes } = await reads(token)
      expect(scopes.map((scope: { server_id: string }) => scope.server_id)).toContain(later.id)
      const { verdict } = await world.op('validate_token', { token: token.token, server: later.slug })
      expect(verdict).toBe('valid')
    })

    it(`${verifies('mctx:tokens:create:servers-unknown')} an unknown or deleted server is named, and nothing is created`, async () => {
      const [known, gone] = [await plantServer(world.beside), await plantServer(world.beside)]
      await world.op('delete_server', { server_id: gone.id })
      await world.beside.core.uses.flush()
      const before = await contents(world.beside, stateTables)
      for (const id of ['mgsr_0000000000000000000000', gone.id, known.slug, 'weather', world.userKey.id]) {
        const refused = await create({ name: 'x', server_ids: [known.id, id] })
        expect(told(refused).slice(0, 2)).toEqual([400, -32602])
        expect(told(refused)[2]).toContain(id)
        expect(told(refused)[2]).toMatch(/^Invalid params: server_ids /)
      }
      expect(await contents(world.beside, stateTables)).toBe(before)
    })
  })

  describe('expiry', () => {
    it(`${verifies('mctx:tokens:create:expiry-days')} lasts exactly so many days of 86,400 s, for every whole number from 1 to 90`, async () => {
      const days = Array.from({ length: 90 }, (_, at) => at + 1)
      const made = await Promise.all(days.map((expires_in_days) => world.make({ expires_in_days })))
      const lasts = made.map((token) => Date.parse(token.expires_at) - Date.parse(token.created_at))
      expect(lasts).toEqual(days.map((some) => some * day))
    })

    it(`${verifies('mctx:wire:date:format')} takes a time with any zone and answers it in UTC with milliseconds`, async () => {
      const end = Math.ceil(world.clock.now / 1_000) * 1_000 + 5 * day
      const utc = new Date(end).toISOString()
      const east = `${new Date(end + 2 * 3_600_000).toISOString().slice(0, 19)}+02:00`
      for (const expires_at of [utc, utc.replace('.000Z', 'Z'), east]) {
        const token = await world.make({ expires_at })
        expect(token.expires_at).toBe(utc)
        for (const time of [token.expires_at, token.created_at])
          expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      }
      for (const expires_at of [utc.slice(0, 19), utc.slice(0, 10), 'tomorrow', '', end, {}, []])
        expect((await create({ name: 'x', expires_at })).status).toBe(400)
    })

    it(`${verifies('mctx:tokens:create:expiry-default')} lasts 30 days unless said, or max_lifetime_days if that is less`, async () => {
      const lasts = async () => {
        const token = await world.make()
        return (Date.parse(token.expires_at) - Date.parse(token.created_at)) / day
      }
      expect(await lasts()).toBe(30)
      for (const [max_lifetime_days, days] of [
        [7, 7],
        [60, 30],
        [null, 30],
      ] as const) {
        await setPolicy(world.beside, { max_lifetime_days })
        expect(await lasts()).toBe(days)
      }
    })

    it(`${verifies('mctx:tokens:create:expiry-policy')} max_lifetime_days narrows the 90 days and never widens them`, async () => {
      await setPolicy(world.beside, { max_lifetime_days: 10 })
      expect((await create({ name: 'x', expires_in_days: 10 })).status).toBe(201)
      expect(told(await create({ name: 'x', expires_in_days: 11 }))).toEqual([
        400,
        -32602,
        'Invalid params: expires_in_days must be a whole number from 1 to 10',
      ])
      expect((await create({ name: 'x', expires_at: world.later(11 * day) })).status).toBe(400)
      const token = await world.make()
      for (const body of [{ expires_in_days: 11 }, { expires_at: world.later(11 * day) }])
        expect((await world.ask(`PATCH /api/tokens/${token.id}`, { body })).status).toBe(400)
      await setPolicy(world.beside, { max_lifetime_days: 365, default_lifetime_days: 200 })
      expect((await create({ name: 'x', expires_in_days: 91 })).status).toBe(400)
      const longest = await world.make()
      expect(Date.parse(longest.expires_at) - Date.parse(longest.created_at)).toBe(90 * day)
      await setPolicy(world.beside, { max_lifetime_days: null })
      const still = await world.make()
      expect(Date.parse(still.expires_at) - Date.parse(still.created_at)).toBe(90 * day)
      await setPolicy(world.beside, { default_lifetime_days: 30 })
    })

    it(`${verifies('mctx:tokens:create:expiry-max')} refuses what is no lifetime from 1 to 90 days, and both members at once`, async () => {
      const rule = 'Invalid params: expires_in_days must be a whole number from 1 to 90'
      for (const expires_in_days of [0, 91, 1.5, -1, '30', null, true, [30], 1e9])
        expect(told(await create({ name: 'x', expires_in_days }))).toEqual([400, -32602, rule])
      const times: [unknown, string][] = [
        [null, 'must be a time with its zone, such as 2026-06-18T12:00:00Z'],
        [world.later(-1_000), 'must lie in the future'],
        [world.later(0), 'must lie in the future'],
        [world.later(90 * day + 60_000), 'must lie at most 90 days ahead'],
        ['9999-12-31T00:00:00Z', 'must be a time with its zone, such as 2026-06-18T12:00:00Z'],
      ]
      for (const [expires_at, told_] of times) {
        const refused = await create({ name: 'x', expires_at })
        expect(told(refused)).toEqual([400, -32602, `Invalid params: expires_at ${told_}`])
      }
      expect(told(await create({ name: 'x', expires_at: world.later(day), expires_in_days: 1 }))).toEqual([
        400,
        -32602,
        'Invalid params: expires_at must not be given beside expires_in_days',
      ])
      expect((await create({ name: 'x', expires_at: world.later(90 * day) })).status).toBe(201)
    })
  })

  it(`${verifies('mctx:tokens:create:allowed-ips', 'mctx:token:object:allowed-ips')} keeps addresses and ranges as given, and names a malformed entry`, async () => {
    const given = [' 203.0.113.0/24 ', '127.0.0.1', '2001:DB8::/32', '::ffff:10.0.0.1', '\t192.0.2.1']
    const token = await world.make({ allowed_ips: given })
    expect(token.allowed_ips).toEqual(given.map((entry) => entry.trim()))
    expect((await world.make({ allowed_ips: null })).allowed_ips).toBeNull()
    expect((await world.make()).allowed_ips).toBeNull()
    const fifty = Array.from({ length: 50 }, (_, at) => `10.0.0.${at}`)
    expect((await world.make({ allowed_ips: fifty })).allowed_ips).toHaveLength(50)
    const named = [
      '10.0.0.0/33',
      '2001:db8::/129',
      'example.com',
      '10.0.0',
      '10.0.0.1/8',
      '999.1.1.1',
      '1.2.3.4/-1',
    ]
    for (const entry of named) {
      const refused = await create({ name: 'x', allowed_ips: ['10.0.0.1', entry] })
      expect(told(refused).slice(0, 2)).toEqual([400, -32602])
      expect(told(refused)[2]).toMatch(/^Invalid params: allowed_ips /)
      expect(told(refused)[2]).toContain(entry)
    }
    for (const allowed_ips of [[], '', '10.0.0.1', {}, 7, [7], [''], [null], [...fifty, '10.0.1.1']]) {
      const refused = await create({ name: 'x', allowed_ips })
      expect([JSON.stringify(allowed_ips), refused.status]).toEqual([JSON.stringify(allowed_ips), 400])
      expect(told(refused)[2]).toMatch(/^Invalid params: allowed_ips/)
    }
    const secret = (await world.make()).token
    expect((await create({ name: 'x', allowed_ips: [secret] })).text).not.toContain(secret.slice(5, 20))
  })

  it(`${verifies('mctx:tokens:create:management-owner')} belongs to nobody, and to the project of a key that is bound to one`, async () => {
    const { project_id, server } = world.project
    const free = await world.make()
    expect((await world.op('get_token', { token_id: free.id })).token).toMatchObject({
      owner_id: null,
      project_id: null,
      kind: 'access',
    })
    const bound = await world.op('create_management_key', { name: 'bound', role: 'operator', project_id })
    const made = await world.make({ server_ids: 'all' }, bound.secret)
    expect(made.scopes.map((scope) => scope.server_id)).toEqual([server.id])
    expect((await world.op('get_token', { token_id: made.id })).token).toMatchObject({
      owner_id: null,
      project_id,
    })
    const foreign = await plantServer(world.beside)
    const refused = await create({ name: 'x', server_ids: [foreign.id] }, bound.secret)
    expect(told(refused)[2]).toBe(
      `Invalid params: server_ids names a server that does not exist: ${foreign.id}`,
    )
  })

  it(`${verifies('mctx:tokens:create:caller')} is refused to readers, validators and API tokens, on record and without effect`, async () => {
    const token = await world.make({ server_ids: 'all' })
    for (const as of [world.keys.reader, world.keys.validator, token.token]) {
      const trail = await trailOf(world.beside, async () => {
        const refused = await create({ name: 'chained', server_ids: 'all' }, as)
        expect([refused.status, refused.text]).toEqual([403, forbidden])
      })
      const denied = trail.filter((row) => row.action === 'create_token')
      expect(denied).toMatchObject([{ outcome: 'denied' }])
    }
    const { tokens } = (await world.ask('GET /api/tokens?status=all')).json
    expect(tokens.some(({ name }: Token) => name === 'chained')).toBe(false)
  })
})
