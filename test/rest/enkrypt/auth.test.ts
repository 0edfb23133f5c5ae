import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultLimits } from '../../../src/http/limits.ts'
import { statuses, wire } from '../../http/serving.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, makeToken, plantKey, plantProject, plantUser } from '../../support/world.ts'
import { sendAs } from '../support.ts'
import {
  forbidden,
  isoTime,
  openWorld,
  type Project,
  refused,
  unauthorized,
  unknownId,
  type World,
} from './support.ts'
import { bodyOf, filled, type Ids, none, table } from './table.ts'

const challenge = 'Bearer error="invalid_token"'

describe.each(databases)('who may call Enkrypt routes on $name', (database) => {
  let world: World
  let project: Project
  let ids: Ids
  beforeAll(async () => {
    // The suite sends far more bad keys than an address may in a minute.
    world = await openWorld(database, { limits: { ...defaultLimits, failuresPerMinute: 100_000 } })
    project = await world.project()
    const { server_id } = await world.server(project.config_id)
    const { config_id: c, project_id: p, user_id: u, key } = project
    ids = { c, p, u, s: server_id, k: key.api_key_id }
  })
  afterAll(() => world.close())

  /** What a request with these Authorization headers is answered, byte by byte but for the time. */
  async function knock(...authorization: string[]) {
    const { raw, port } = world.running
    const headers = [`host: 127.0.0.1:${port}`, ...authorization.map((value) => `authorization: ${value}`)]
    const heard = await raw(wire('GET /api/v1/configs HTTP/1.1', headers))
    const body = heard.slice(heard.indexOf('\r\n\r\n') + 4)
    return {
      status: statuses(heard)[0],
      challenge: /^www-authenticate: (.*)\r$/im.exec(heard)?.[1],
      body: body.replace(/"timestamp":"[^"]*"/, '"timestamp":"now"'),
    }
  }
  const constant401 = `{"error":"Unauthorized","detail":"Invalid or missing API key","timestamp":"now"}`

  it.each(['Bearer KEY', 'bearer KEY', 'BEARER KEY', 'bEaReR    KEY'])(
    `${verifies('enkrypt:auth:header:bearer')} %s opens: the scheme in any case, one or more spaces`,
    async (value) => {
      expect((await knock(value.replace('KEY', world.keys.reader))).status).toBe(200)
    },
  )

  it.each([
    [],
    [''],
    ['Bearer'],
    ['Bearer '],
    ['BearerKEY'],
    ['Bearer\tKEY'],
    ['Bearer KEY KEY'],
    ['Basic KEY'],
    ['KEY'],
    ['Token KEY'],
    ['Bearer KEY', 'Bearer KEY'],
  ])(
    `${verifies('enkrypt:auth:header:bearer', 'enkrypt:auth:header:refused')} a missing or malformed header is the constant 401: %j`,
    async (...values) => {
      const sent = values.map((value) => value.replaceAll('KEY', world.keys.admin))
      expect(await knock(...sent)).toMatchObject({ status: 401, body: constant401 })
    },
  )

  it(`${verifies('enkrypt:auth:header:challenge')} R33: 401 carries Bearer, with the error when a key was sent`, async () => {
    expect((await knock()).challenge).toBe('Bearer')
    for (const key of ['Bearer nothing', `Bearer ${world.keys.admin}x`]) {
      expect((await knock(key)).challenge).toBe(challenge)
    }
  })

  it(`${verifies('enkrypt:auth:header:refused')} every key that is no good gets the same answer, from whatever address`, async () => {
    const { beside, keys } = world
    const elsewhere = JSON.stringify(['10.9.9.9'])
    const past = '2020-01-01T00:00:00.000Z'
    const { project_id } = await plantProject(beside)
    const states = [
      { revoked_at: past },
      { enabled: 0 },
      { not_before: '2999-01-01T00:00:00.000Z' },
      { expires_at: past },
      { owner_id: await plantUser(beside, { enabled: 0 }) },
      { owner_id: await plantUser(beside), project_id },
    ]
    const planted = await Promise.all([
      ...states.map((columns) => plantKey(beside, 'user_key', columns)),
      ...states.map((columns) => plantKey(beside, 'user_key', { ...columns, allowed_ips: elsewhere })),
      ...states.slice(0, 4).map((columns) => plantKey(beside, 'management', { ...columns, role: 'admin' })),
      plantKey(beside, 'access', { expires_at: past }),
    ])
    const away = await world.project()
    await world.op('remove_project_member', { project_id: away.project_id, user_id: away.user_id })
    const deleted = await world.project()
    await world.admin(`DELETE /api-keys/${deleted.key.api_key_id}`)
    const { api_key, api_key_id, prefix } = project.key
    const secrets = [
      ...planted.map(({ secret }) => secret),
      away.key.api_key,
      deleted.key.api_key,
      api_key_id,
      prefix,
      `${prefix}...`,
      api_key.slice(0, 47),
      api_key.toLowerCase(),
      keys.admin.slice(0, 12),
      'mcpt_ExampleSecretDoNotUse00000000000000013drjit',
    ]
    for (const secret of secrets) {
      expect([secret, await knock(`Bearer ${secret}`)]).toEqual([
        secret,
        { status: 401, challenge, body: constant401 },
      ])
    }
    expect(world.running.log.join('\n')).not.toContain(deleted.key.api_key)
    // The same kinds of key open where nothing is wrong with them.
    expect((await world.as(api_key)('GET /configs')).status).toBe(200)
  })

  it(`${verifies('enkrypt:auth:order:host-origin')} R23: a foreign Host or Origin is 403 before 401, the route and the body`, async () => {
    const { raw, port } = world.running
    const good = `host: 127.0.0.1:${port}`
    const foreign = [
      [`host: evil.example:${port}`],
      ['host: 127.0.0.1:1'],
      [good, 'origin: https://evil.example'],
      [good, 'origin: null'],
    ]
    for (const headers of foreign) {
      for (const key of [[], [`authorization: Bearer ${world.keys.admin}`]]) {
        for (const line of ['GET /api/v1/configs', 'POST /api/v1/configs', 'GET /api/v1/nothing']) {
          const heard = await raw(wire(`${line} HTTP/1.1`, [...headers, ...key], '{'))
          const body = JSON.parse(heard.slice(heard.indexOf('\r\n\r\n') + 4))
          expect([headers, heard.slice(0, 12), body]).toEqual([
            headers,
            'HTTP/1.1 403',
            {
              error: 'Forbidden',
              detail: 'Host or Origin not allowed',
              timestamp: expect.stringMatching(isoTime),
            },
          ])
          expect(heard).not.toMatch(/access-control-/i)
        }
      }
    }
  })

  it('R23: a preflight of another origin is told nothing that would let its page in', async () => {
    const { raw, port } = world.running
    const heard = await raw(
      wire('OPTIONS /api/v1/configs HTTP/1.1', [
        `host: 127.0.0.1:${port}`,
        'origin: https://evil.example',
        'access-control-request-method: POST',
        'access-control-request-headers: authorization',
      ]),
    )
    expect(statuses(heard)).toEqual([403])
    expect(heard).not.toMatch(/access-control-/i)
  })

  it(`${verifies('enkrypt:auth:order:first')} without a key every route, known or not, is 401 whatever its body`, async () => {
    const lines = [
      ...table.map(({ line }) => filled(line, none)),
      'GET /nothing',
      'POST /configs/x/y/z',
      'GET /',
    ]
    for (const as of [null, project.key.prefix]) {
      for (const line of lines) {
        const bodies = line.startsWith('GET') ? [undefined] : ['{', { surplus: true }]
        for (const body of bodies) {
          expect([line, refused(await world.as(as)(line, body))]).toEqual([line, unauthorized])
        }
      }
    }
    // The base itself belongs to the dialect as well.
    expect(refused(await sendAs(world.running, null)('PATCH /api/v1'))).toEqual(unauthorized)
  })

  it(`${verifies('enkrypt:auth:order:first')} with a key that may not: the route, the method, the body, then the caller; a look-up comes after it, a conflict last`, async () => {
    const { secret } = await makeToken(world.beside, { access: { all_servers: true } })
    for (const key of [world.keys.validator, secret]) {
      const send = world.as(key)
      expect((await send('POST /nothing', '{')).status).toBe(404)
      expect((await send('PATCH /configs', '{')).status).toBe(405)
      expect((await send('POST /configs', '{')).status).toBe(400)
      expect((await send('POST /configs', { surplus: 1 })).status).toBe(400)
      expect((await send('POST /configs', `"${'x'.repeat(256 * 1024)}"`)).status).toBe(413)
      const guardrails = `PUT /configs/${unknownId.config}/servers/x/guardrails`
      expect((await send(guardrails, {})).status).toBe(400)
      expect((await send(guardrails, { input_policy: {}, input_policy_file: 'x' })).status).toBe(400)
      expect((await send(`PUT /configs/${unknownId.config}/servers/x`, {})).status).toBe(400)
      expect(refused(await send(`PUT /configs/${unknownId.config}/servers/x`, { args: [] }))).toEqual(
        forbidden,
      )
      expect(refused(await send('POST /configs', { config_name: project.config_name }))).toEqual(forbidden)
    }
    const rename = { new_name: (await world.config()).config_name }
    expect((await world.reader(`PUT /configs/${ids.c}/rename`, rename)).status).toBe(403)
    expect((await world.admin(`PUT /configs/${unknownId.config}/rename`, rename)).status).toBe(404)
    expect((await world.admin(`PUT /configs/${ids.c}/rename`, rename)).status).toBe(409)
  })

  it(`${verifies('enkrypt:auth:order:large-bodies')} R24: import and restore judge the caller before they read 16 MiB`, async () => {
    const { raw, port } = world.running
    const size = 16 * 1024 * 1024
    for (const path of ['/api/v1/configs/import', '/api/v1/system/restore']) {
      for (const [key, status] of [
        [null, 401],
        ['nothing', 401],
        [world.keys.operator, 403],
        [world.keys.reader, 403],
        [project.key.api_key, 403],
      ] as const) {
        const started = performance.now()
        const heard = await raw(
          [
            `POST ${path} HTTP/1.1`,
            `host: 127.0.0.1:${port}`,
            'content-type: application/json',
            `content-length: ${size}`,
            ...(key === null ? [] : [`authorization: Bearer ${key}`]),
            '',
            // One byte of the body, and it is no JSON; the others never come.
            '{',
          ].join('\r\n'),
        )
        expect([path, key === null, statuses(heard)]).toEqual([path, key === null, [status]])
        expect(performance.now() - started).toBeLessThan(5_000)
      }
      // Broken and too large bodies of those who may not are not looked at.
      expect((await world.operator(lineTo(path), '{')).status).toBe(403)
      expect((await world.operator(lineTo(path), { surplus: 1 })).status).toBe(403)
      expect((await world.admin(lineTo(path), '{')).status).toBe(400)
    }
  })

  it(`${verifies('enkrypt:auth:address:not-allowed')} a good key from outside its addresses is told just that`, async () => {
    const elsewhere = JSON.stringify(['10.9.9.9'])
    const { user_id: owner_id, project_id } = project
    const keys = await Promise.all([
      plantKey(world.beside, 'management', { role: 'admin', allowed_ips: elsewhere }),
      plantKey(world.beside, 'user_key', { owner_id, project_id, allowed_ips: elsewhere }),
    ])
    for (const { secret } of keys) {
      for (const line of ['GET /configs', 'GET /nothing', 'POST /configs']) {
        expect(refused(await world.as(secret)(line))).toEqual([403, 'IP not allowed'])
      }
    }
    const near = await plantKey(world.beside, 'management', {
      role: 'admin',
      allowed_ips: '["127.0.0.0/8"]',
    })
    expect((await world.as(near.secret)('GET /configs')).status).toBe(200)
  })

  it(`${verifies('enkrypt:auth:role:forbidden')} R33: a caller that is not in the table is 403, the same whether the thing exists or not`, async () => {
    const { secret } = await makeToken(world.beside, { access: { all_servers: true } })
    const other = await world.project()
    const callers: [string, string][] = [
      ['O', world.keys.operator],
      ['R', world.keys.reader],
      ['U', other.key.api_key],
      ['', world.keys.validator],
      ['', secret],
    ]
    const tables = ['configs', 'servers', 'projects', 'project_members', 'users']
    const before = await contents(world.beside, tables)
    for (const row of table) {
      for (const [letter, key] of callers) {
        if (letter !== '' && row.who.includes(letter)) continue
        const answers = []
        for (const named of [ids, none]) {
          const answer = await world.as(key)(filled(row.line, named), bodyOf(row, named))
          expect([row.line, letter, refused(answer)]).toEqual([row.line, letter, forbidden])
          answers.push(answer.headers.get('www-authenticate'))
        }
        expect(answers[0]).toMatch(/^Bearer error="insufficient_scope"/)
        expect(answers[1]).toBe(answers[0])
      }
    }
    expect(await contents(world.beside, tables)).toBe(before)
    expect((await world.as(project.key.api_key)('GET /configs')).status).toBe(200)
  })

  it(`${verifies('enkrypt:auth:role:forbidden')} a caller that is in the table is let through to the look-up`, async () => {
    const keys: [string, string][] = [
      ['O', world.keys.operator],
      ['R', world.keys.reader],
    ]
    for (const row of table) {
      for (const [letter, key] of keys) {
        if (!row.who.includes(letter)) continue
        const { status } = await world.as(key)(filled(row.line, none), bodyOf(row, none))
        const named = /\{[cspuk]\}/.test(row.line + JSON.stringify(row.body))
        expect([row.line, letter, status]).toEqual([row.line, letter, named ? 404 : 200])
      }
    }
  })

  it(`${verifies('enkrypt:auth:query:ignored')} R9: a key is read from no query and from no other header`, async () => {
    const { admin } = world.keys
    const send = world.as(null)
    const queries = ['apikey', 'api_key', 'token', 'access_token', 'key', 'Authorization']
    for (const name of queries) {
      expect(refused(await send(`GET /configs?${name}=${admin}`))).toEqual(unauthorized)
    }
    const headers = ['apikey', 'api-key', 'x-api-key', 'ENKRYPT_GATEWAY_KEY', 'cookie', 'referer']
    for (const name of headers) {
      const value =
        name === 'cookie' ? `apikey=${admin}` : name === 'referer' ? `http://x/?k=${admin}` : admin
      expect([name, refused(await send('GET /configs', undefined, { [name]: value }))]).toEqual([
        name,
        unauthorized,
      ])
    }
    // Nor does it lend a weaker caller anything.
    const weak = world.as(world.keys.reader)
    expect(
      (await weak(`POST /configs?apikey=${admin}`, { config_name: 'x' }, { apikey: admin })).status,
    ).toBe(403)
    expect(world.running.log.join('\n')).not.toContain(admin)
  })
})

function lineTo(path: string): string {
  return `POST ${path.slice('/api/v1'.length)}`
}
