import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { openInstance } from '../../support/instance.ts'
import { verifies } from '../../support/verifies.ts'
import { trailAfter, trailOf } from '../../support/world.ts'
import { headersOf, openWorld, password, paths, refused, told, type World } from './world.ts'

describe.each(databases)('refusals of the public route on $name', (one) => {
  let world: World
  let foreign: string
  beforeAll(async () => {
    world = await openWorld(one)
    foreign = (await world.op('create_project', { name: 'Foreign Project' })).project.id
    await world.person('nopassword@example.com', { password: null })
    const disabled = await world.person('disabled@example.com')
    await world.op('update_user', { user_id: disabled, enabled: false })
    await world.person('stranger@example.com', { member: false })
  })
  afterAll(() => world.close())

  /** Each refusal, and that it changed nothing stored. */
  const refuse = async (body: Parameters<World['generate']>[0], asked: Parameters<World['generate']>[1]) => {
    const before = await world.state()
    const answer = await world.generate(body, asked)
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await world.state()).toBe(before)
    return refused(answer)
  }

  it.each([
    '',
    ' \n',
    '{',
    '{"email":',
    'email=x',
    '{} {}',
    '\ufeff{"a":1}',
    "{'a':1}",
    '{}',
    '[]',
    'null',
    '0',
    'false',
    '""',
    '-0',
    ' { } ',
  ])(
    `${verifies('gassapi:generate:invalid:json', 'gassapi:generate:request:alias', 'gassapi:generate:method:cors')} the body %j is no JSON input`,
    async (body) => {
      for (const path of paths)
        expect(await refuse(body, { path })).toEqual([400, told.json, null, null, null])
    },
  )

  it(`${verifies('gassapi:generate:invalid:json')} R24: bytes that are no UTF-8, a compressed body, more than 32 levels and more than 1,000 members are no JSON input`, async () => {
    const seed = JSON.stringify({ email: world.email, password, project_id: world.project_id })
    const within = (inner: string) => seed.replace('{', `{"x":${inner},`)
    const nested = (levels: number) => within('['.repeat(levels) + ']'.repeat(levels))
    const members = (count: number) => within(`[${Array.from({ length: count }, () => 0).join()}]`)
    for (const bad of [nested(32), members(997)]) {
      expect(bad.length).toBeLessThan(16 * 1024)
      expect(await refuse(bad, {})).toEqual([400, told.json, null, null, null])
    }
    for (const good of [nested(31), members(996)]) expect((await world.generate(good)).status).toBe(201)
    expect(await refuse(new Uint8Array([0x22, 0xff, 0x22]), {})).toEqual([400, told.json, null, null, null])
    const gzip = { headers: { 'content-encoding': 'gzip' } }
    expect(await refuse({}, gzip)).toEqual([400, told.json, null, null, null])
  })

  const wrongFields: (object | string)[] = [
    { email: undefined },
    { password: undefined },
    { project_id: undefined },
    { email: '' },
    { password: '' },
    { project_id: '' },
    { email: null },
    { password: 12_345_678 },
    { project_id: ['proj_x'] },
    { email: { $gt: '' } },
    { email: true, password: 1, project_id: {} },
    '{"e-mail":"user@example.com"}',
    '{"__proto__":{"email":"a","password":"b","project_id":"c"}}',
    '[{"email":"user@example.com"}]',
    '[1]',
    '"user@example.com"',
    '1',
    'true',
  ]

  it.each(wrongFields)(
    `${verifies('gassapi:generate:invalid:missing', 'gassapi:generate:request:alias')} the body %j lacks a field, with one text for all`,
    async (body) => {
      for (const path of paths)
        expect(await refuse(body, { path })).toEqual([400, told.missing, null, null, null])
    },
  )

  it(`${verifies('gassapi:generate:invalid:size')} R24: 16 KiB are read and one byte more is 413, on both paths`, async () => {
    const seed = JSON.stringify({ email: world.email, password, project_id: world.project_id, pad: '' })
    const sized = (size: number) => seed.replace('"pad":""', `"pad":"${'x'.repeat(size - seed.length)}"`)
    for (const path of paths) {
      expect((await world.generate(sized(16 * 1024 - 1), { path })).status).toBe(201)
      expect((await world.generate(sized(16 * 1024), { path })).status).toBe(201)
      for (const size of [16 * 1024 + 1, 64 * 1024, 256 * 1024])
        expect(await refuse(sized(size), { path })).toEqual([413, told.size, null, null, null])
    }
    const broken = await refuse(`{${'['.repeat(16 * 1024)}`, {})
    expect(broken).toEqual([413, told.size, null, null, null])
    expect(await refuse('x'.repeat(20_000), { headers: { 'content-encoding': 'gzip' } })).toEqual(broken)
  })

  const logins: [string, object][] = [
    ['a wrong password', { password: 'WrongPassword123' }],
    ['an unknown user', { email: 'nobody@example.com' }],
    ['a disabled user with the right password', { email: 'disabled@example.com' }],
    ['a disabled user with a wrong one', { email: 'disabled@example.com', password: 'wrong' }],
    ['a user without a password', { email: 'nopassword@example.com' }],
    ['a malformed e-mail', { email: 'not an address' }],
    ['an e-mail with NUL', { email: 'user@example.com\0' }],
    ['an e-mail with half a character', { email: 'user\ud800@example.com' }],
    ['an e-mail of 10,000 characters', { email: `${'x'.repeat(10_000)}@example.com` }],
    ['a SQL fragment', { email: "' or 1=1 --" }],
    ['a password that breaks the rules of today', { password: 'x' }],
    ['a password of 10,000 characters', { password: 'x'.repeat(10_000) }],
    ['a password with NUL', { password: `${password}\0` }],
    ['a password with half a character', { password: `${password}\udfff` }],
    ['a wrong password and an unknown project', { password: 'wrong', project_id: 'proj_nothing' }],
  ]

  it.each(logins)(
    `${verifies('gassapi:generate:login:wrong-password', 'gassapi:generate:login:unknown-user', 'gassapi:generate:login:one-body', 'gassapi:generate:login:no-side-effect', 'gassapi:generate:project:after-login')} R31: %s is the seed's 401, to the byte and with the same headers`,
    async (_, body) => {
      const from = '192.0.2.40'
      expect(await refuse(body, { from })).toEqual([401, told.login, 'Bearer', null, null])
      const here = await world.generate(body, { from })
      const wrong = await world.generate({ password: 'wrong' }, { from: '192.0.2.41' })
      expect(headersOf(here)).toEqual(headersOf(wrong))
      world.clock.pass(60_000)
    },
  )

  it(`${verifies('gassapi:generate:project:after-login', 'gassapi:generate:login:one-body')} a wrong password is 401 whatever the project: one's own, a foreign, an unknown, a name, anything`, async () => {
    const projects = [world.project_id, foreign, 'proj_0000000000000000000000', 'Test Project', '../x', '\0']
    for (const project_id of projects) {
      const told401 = [401, told.login, 'Bearer', null, null]
      expect(await refuse({ password: 'wrong', project_id }, { from: '192.0.2.42' })).toEqual(told401)
      expect(await refuse({ email: 'nobody@example.com', project_id }, { from: '192.0.2.42' })).toEqual(
        told401,
      )
    }
    world.clock.pass(60_000)
  })

  it(`${verifies('gassapi:generate:project:foreign', 'gassapi:generate:project:unknown', 'gassapi:generate:project:not-by-name', 'gassapi:generate:login:no-side-effect')} R31: a foreign project, an unknown one and a name are the same 403, to the byte and with the same headers`, async () => {
    const asked: object[] = [
      { project_id: foreign },
      { project_id: 'proj_0000000000000000000000' },
      { project_id: 'Test Project' },
      { project_id: 'Foreign Project' },
      { project_id: world.project_id.toLowerCase() },
      { project_id: world.user_id },
      { email: 'stranger@example.com' },
    ]
    for (const body of asked) expect(await refuse(body, {})).toEqual([403, told.project, null, null, null])
    const headers = await Promise.all(asked.map(async (body) => headersOf(await world.generate(body))))
    expect(new Set(headers.map((one) => JSON.stringify(one))).size).toBe(1)
  })

  it(`${verifies('gassapi:generate:project:verbatim')} R20: the project is a value and nothing else, whatever is in it`, async () => {
    const id = world.project_id
    const asked = [
      `${id}&act=help`,
      `${id}?act=help`,
      `${id}#x`,
      `${id}/../${foreign}`,
      `${id}%00`,
      `${id}\0`,
      `${id}\n`,
      `${id}\ud800`,
      '\ud800\udbff',
      '\u202e',
      '../x',
      '%',
      '_'.repeat(27),
      'proj_%',
      "' or '1'='1",
      `${id}'; drop table projects; --`,
      '{"$ne":""}',
      'x'.repeat(10_000),
      '\u{1f600}'.repeat(2_000),
    ]
    for (const project_id of asked)
      expect(await refuse({ project_id }, {})).toEqual([403, told.project, null, null, null])
    expect((await world.generate()).status).toBe(201)
  })

  it(`${verifies('gassapi:token:life:permanent-refused')} once the operator has set max_lifetime_days there is no token, but whoever is refused anyway is told that`, async () => {
    await world.op('update_settings', { max_lifetime_days: 90 })
    expect(await refuse({}, {})).toEqual([400, told.policy, null, null, null])
    expect(await refuse({ project_id: foreign }, {})).toEqual([403, told.project, null, null, null])
    expect((await refuse({ password: 'wrong' }, { from: '192.0.2.43' }))[0]).toBe(401)
    await world.op('update_settings', { max_lifetime_days: null })
    expect((await world.generate()).status).toBe(201)
  })

  it(`${verifies('gassapi:generate:audit:event')} R38: a success leaves one event with creator, project and token, a refused project one`, async () => {
    let secret = ''
    const made = await trailOf(world.beside, async () => {
      secret = (await world.generate({}, { from: '192.0.2.50' })).json.mcpClient.token
    })
    const { mcp_token_id } = (await world.validate(secret)).json.data.user
    expect(made).toMatchObject([
      {
        action: 'generate_mcp_token',
        outcome: 'ok',
        via: 'gassapi',
        ip: '192.0.2.50',
        actor_kind: 'user',
        actor_id: world.user_id,
        target_id: mcp_token_id,
        request_id: expect.stringMatching(/^req_/),
      },
    ])
    expect(JSON.parse(made[0]?.details ?? '')).toMatchObject({ project_id: world.project_id })
    const denied = await trailOf(world.beside, () => world.generate({ project_id: foreign }))
    expect(denied).toMatchObject([{ outcome: 'denied', actor_id: world.user_id, target_id: foreign }])
    for (const never of [password, secret])
      expect(JSON.stringify([made, denied, world.log])).not.toContain(never)
  })

  it(`${verifies('gassapi:generate:audit:event')} R41: refused logins leave events that name the cause to their reader alone, and no password`, async () => {
    const place = await one.fresh()
    const apart = await openWorld({
      ...one,
      fresh: async () => ({ ...place, remove: async () => undefined }),
    })
    await apart.generate({ password: 'a wrong secret' }, { from: '192.0.2.51' })
    await apart.generate({ email: 'nobody@example.com' }, { from: '192.0.2.51' })
    // They are counted and written once a minute; the end of the server writes what is left.
    await apart.close()
    const later = await openInstance(one, place)
    const rows = (await trailAfter(later, 0)).filter(({ action }) => action === 'sign_in_refused')
    await later.close()
    await place.remove()
    const causes = rows.map(({ details }) => JSON.parse(details).cause).sort()
    expect(causes).toEqual(['unknown_user', 'wrong_password'])
    for (const row of rows)
      expect(row).toMatchObject({ outcome: 'denied', via: 'gassapi', ip: '192.0.2.51', actor_kind: 'nobody' })
    expect(JSON.stringify([rows, apart.log])).not.toContain('a wrong secret')
  })

  it(`${verifies('gassapi:generate:error:no-internals')} R32: a fault nobody expected is 500 with the fixed text, and the log alone says more`, async () => {
    const broken = await openWorld(one)
    await broken.beside.core.store.write((db) =>
      sql.raw('alter table environments rename to other').execute(db),
    )
    for (const path of paths) {
      const answer = await broken.generate({}, { path })
      expect(refused(answer)).toEqual([500, told.fault, null, null, null])
      expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    }
    expect(broken.log.join('')).toContain('environments')
    const { tokens } = await broken.op('list_magic_tokens', {})
    expect(tokens).toEqual([])
    await broken.close()
  })
})
