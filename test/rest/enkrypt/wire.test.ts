import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultLimits } from '../../../src/http/limits.ts'
import { enkrypt } from '../../../src/rest/enkrypt/dialect.ts'
import { statuses, wire } from '../../http/serving.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, stateTables } from '../../support/world.ts'
import { isoTime, made, openWorld, type Project, refused, told, type World } from './support.ts'
import { bodyOf, filled, type Ids, none, table } from './table.ts'

/** What tells of code, SQL or files. */
const internals =
  /node_modules|\.ts\b|\bat [\w.]+ \(|SQLITE|SqliteError|select |insert |\/tmp\/|Error:|postgres/i

it('the table of routes is the one that is served', () => {
  const served = enkrypt.routes.map(({ method, path }) => `${method} ${path.replace(/:\w+/g, '*')}`)
  const stated = table.map(({ line }) => line.replace(' /', ' /api/v1/').replace(/\{\w\}/g, '*'))
  expect(stated.sort()).toEqual(served.sort())
})

describe.each(databases)('what Enkrypt answers look like on $name', (database) => {
  let world: World
  let project: Project
  let ids: Ids
  beforeAll(async () => {
    world = await openWorld(database)
    project = await world.project()
    const { server_id } = await world.server(project.config_id, { env: { A: 'value of A' } })
    const { config_id: c, project_id: p, user_id: u, key } = project
    ids = { c, p, u, s: server_id, k: key.api_key_id }
  })
  afterAll(() => world.close())

  it(`${verifies(
    'enkrypt:wire:success:envelope',
    'enkrypt:wire:success:status',
    'enkrypt:wire:body:bodiless-json-type',
    'enkrypt:wire:id:format',
    'enkrypt:wire:date:format',
  )} every route succeeds with message and data, as the table says, and a body that is not there may have a type`, async () => {
    const story = await openWorld(database)
    const { config_id: c, project_id: p, user_id: u, key } = await story.project()
    const { server_id: s } = await story.server(c, { env: { A: 'value of A' } })
    const named = { c, p, u, s, k: key.api_key_id as string }
    const seen = { ids: new Set<string>(), times: 0 }
    for (const row of table) {
      const line = filled(row.line, named)
      const answer = await story.admin(line, bodyOf(row, named), { 'content-type': 'application/json' })
      const [status, message] = typeof row.says === 'string' ? [200, row.says] : row.says
      expect([row.line, answer.status, answer.json]).toEqual([
        row.line,
        status,
        {
          message,
          data: row.data === undefined ? null : row.data === 'list' ? expect.any(Array) : expect.any(Object),
        },
      ])
      told(answer)
      if (!row.line.startsWith('POST /system/')) look(answer.json.data, seen)
    }
    expect([...seen.ids].sort()).toEqual(['cfg', 'mgsr', 'mgtk', 'proj', 'usr'])
    expect(seen.times).toBeGreaterThan(30)
    await story.close()
  })

  /** Every id and time in an answer has its form; what was seen is counted. */
  function look(data: unknown, seen: { ids: Set<string>; times: number }): void {
    if (typeof data !== 'object' || data === null) return
    for (const [name, value] of Object.entries(data)) {
      if (/_id$/.test(name)) {
        expect([name, value]).toEqual([
          name,
          expect.stringMatching(/^(cfg|proj|usr|mgsr|mgtk)_[0-9A-Za-z]{22}$/),
        ])
        seen.ids.add(String(value).split('_')[0] ?? '')
      } else if (/_at$|^timestamp$/.test(name) && value !== null) {
        expect([name, value]).toEqual([name, expect.stringMatching(isoTime)])
        seen.times += 1
      } else look(value, seen)
    }
  }

  it(`${verifies('enkrypt:wire:id:format')} ids of things made one after another are in their order`, async () => {
    const made: string[] = []
    for (let n = 0; n < 5; n++) made.push((await world.config()).config_id)
    expect([...made].sort()).toEqual(made)
  })

  it(`${verifies('enkrypt:wire:body:bodiless-json-type')} a body that is not there may have any type, or none`, async () => {
    const bodiless = [
      'GET /configs',
      `GET /configs/${ids.c}`,
      `POST /configs/${ids.c}/validate`,
      `POST /configs/${ids.c}/export`,
      `POST /api-keys/${ids.k}/disable`,
      `POST /api-keys/${ids.k}/enable`,
      `DELETE /configs/${ids.c}/servers/nothing`,
    ]
    for (const line of bodiless) {
      for (const headers of [{}, { 'content-type': 'application/json' }, { 'content-type': 'text/plain' }]) {
        const { status } = await world.admin(line, undefined, headers)
        expect([line, headers, status]).toEqual([line, headers, line.startsWith('DELETE') ? 404 : 200])
      }
    }
    expect((await world.admin(`POST /configs/${ids.c}/validate`, {})).status).toBe(200)
  })

  it(`${verifies('enkrypt:wire:error:envelope', 'enkrypt:wire:error:detail-useful')} R32: every failure has exactly error, detail and timestamp, and the detail says what failed`, async () => {
    const taken = { config_name: project.config_name }
    const cases: [line: string, body: unknown, status: number, detail: RegExp][] = [
      ['GET /nothing', undefined, 404, /^Route not found$/],
      ['GET /configs/', undefined, 404, /^Route not found$/],
      [`GET /configs/${none.c}`, undefined, 404, /^Configuration not found$/],
      [`GET /configs/${ids.c}/servers/${none.s}`, undefined, 404, /^Server not found$/],
      [`GET /projects/${none.p}`, undefined, 404, /^Project not found$/],
      [`GET /users/${none.u}`, undefined, 404, /^User not found$/],
      [`GET /api-keys/${none.k}`, undefined, 404, /^API key not found$/],
      ['PATCH /configs', undefined, 405, /GET, POST/],
      ['POST /configs', '{', 400, /JSON/],
      ['POST /configs', '[]', 400, /JSON object/],
      ['POST /configs', { config_name: 7 }, 400, /config_name.*string/],
      ['POST /configs', taken, 409, /name/],
      ['POST /configs', { config_name: 'x'.repeat(300_000) }, 413, /262144 bytes/],
      ['POST /configs/copy', { source_config: none.c, target_config: 'x' }, 404, /^Configuration not found$/],
      ['POST /configs/copy', { source_config: ids.c, target_config: '' }, 400, /target_config/],
      [`POST /configs/${ids.c}/servers`, { server_name: 'x' }, 400, /server_command/],
      [`POST /configs/${ids.c}/servers`, server({ args: ['a', 7] }), 400, /args\.1/],
      [`POST /configs/${ids.c}/servers`, server({ env: { B: 7 } }), 400, /env\.B/],
      [`POST /configs/${ids.c}/servers`, server({ env: { B: '***' } }), 400, /env\.B/],
      [`POST /configs/${ids.c}/servers`, server({ env: { PATH: '/x' } }), 400, /env\.PATH/],
      [`POST /configs/${ids.c}/servers`, server({ tools: [] }), 400, /tools/],
      [
        `POST /configs/${ids.c}/servers`,
        server({ output_guardrails_policy: { block: ['x'] } }),
        400,
        /output_guardrails_policy\.block\.0.*policy_violation/,
      ],
      [`PUT /configs/${ids.c}/servers/${ids.s}`, {}, 400, /server_command, args, env, tools, description/],
      [
        `PUT /configs/${ids.c}/servers/${ids.s}/input-guardrails`,
        { policy: { block: ['x'] } },
        400,
        /^policy\.block\.0/,
      ],
      [`PUT /configs/${ids.c}/servers/${ids.s}/output-guardrails`, {}, 400, /^policy, policy_file: /],
      [
        `PUT /configs/${ids.c}/servers/${ids.s}/guardrails`,
        {},
        400,
        /^input_policy, input_policy_file, output_policy, output_policy_file: /,
      ],
      [
        `PUT /configs/${ids.c}/servers/${ids.s}/guardrails`,
        { output_policy: {}, output_policy_file: 'x' },
        400,
        /^output_policy, output_policy_file: /,
      ],
      ['POST /configs/import', { config_name: 'x' }, 400, /data, input_file/],
      ['POST /configs/import', { config_name: 'x', input_file: 'none.json' }, 404, /file/],
      ['POST /configs/import', { config_name: 'x', data: {} }, 400, /data\.config/],
      ['POST /users', { email: 'nobody' }, 400, /email/],
      [`PUT /users/${ids.u}`, { new_email: 'nobody' }, 400, /new_email/],
      [`DELETE /configs/${ids.c}`, undefined, 409, /assigned/],
      [`POST /users/${ids.u}/api-keys`, {}, 400, /project_name.*project_id/],
    ]
    for (const [line, body, status, detail] of cases) {
      const answer = await world.admin(line, body)
      expect([line, body, ...refused(answer)]).toEqual([line, body, status, expect.stringMatching(detail)])
      expect(answer.text).not.toMatch(internals)
      expect(answer.headers.get('content-type')).toBe('application/json')
      expect(answer.headers.get('x-powered-by')).toBeNull()
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    }
  })

  const server = (more: object) => ({ server_name: 'of wire', server_command: 'npx', ...more })

  it(`${verifies('enkrypt:wire:error:envelope')} R32: a fault of ours is 500 and tells nothing, and no failure repeats a secret that was sent`, async () => {
    const broken = await openWorld(database)
    const { config_id } = await broken.config()
    const { write } = broken.beside.core.store
    await write((db) => sql`alter table servers rename to gone`.execute(db))
    for (const line of [`GET /configs/${config_id}`, `DELETE /configs/${config_id}/servers`]) {
      const answer = await broken.admin(line)
      expect(refused(answer)).toEqual([500, 'Internal server error'])
      expect(answer.text).not.toMatch(internals)
    }
    await broken.close()
    const secret = project.key.api_key
    const echoing: [string, unknown, Record<string, string>?][] = [
      [`GET /configs/${secret}`, undefined],
      [`GET /${secret}`, undefined],
      [`GET /api-keys/${secret}x`, undefined],
      ['POST /configs', { [secret]: 1 }],
      ['POST /configs', `{"config_name":"${secret}`],
      ['POST /configs', { config_name: 'x' }, { 'idempotency-key': `${secret} x` }],
      [`POST /configs/${ids.c}/servers`, server({ env: { [secret]: '***' } })],
      [`POST /configs/${ids.c}/servers`, server({ env: { A: 7, B: [secret] } })],
      [`POST /configs/${ids.c}/servers`, server({ input_guardrails_policy: { block: [secret] } })],
      [`POST /configs/${ids.c}/export`, { output_file: secret.repeat(2) }],
      ['POST /configs/import', { config_name: 'x', input_file: `../${secret}` }],
      ['POST /configs/copy', { source_config: secret, target_config: 'x' }],
      [`DELETE /configs/${ids.c}/servers/${secret}`, undefined],
    ]
    for (const [line, body, headers] of echoing) {
      const answer = await world.admin(line, body, headers)
      refused(answer)
      expect([line, answer.text]).toEqual([line, expect.not.stringContaining(secret.slice(5, 21))])
      expect(answer.text).not.toMatch(internals)
    }
  })

  it('Enkrypt 2: another method is 405 and Allow says which there are', async () => {
    const methods = (path: string) => [...new Set(table.flatMap(({ line }) => methodAt(line, path)))].sort()
    const paths = [...new Set(table.map(({ line }) => line.split(' ')[1] ?? ''))]
    for (const path of paths) {
      const answer = await world.reader(`PATCH ${filled(path, none)}`, '{')
      expect([path, answer.status]).toEqual([path, 405])
      refused(answer)
      const allow = answer.headers.get('allow')?.split(', ').sort()
      expect([path, allow]).toEqual([path, expect.arrayContaining(methods(path))])
      expect((await world.reader(`PATCH ${filled(path, none)}/x/y/z`)).status).toBe(404)
    }
    expect((await world.reader('PATCH /configs')).headers.get('allow')).toBe('GET, POST')
  })

  function methodAt(line: string, path: string): string[] {
    const [method = '', at] = line.split(' ')
    return at === path ? [method] : []
  }

  it(`${verifies('enkrypt:wire:error:envelope')} what is refused before any route is found has the same three members`, async () => {
    const { raw, port } = world.running
    const head = [`host: 127.0.0.1:${port}`, `authorization: Bearer ${world.keys.admin}`]
    const flood = Array.from({ length: 101 }, (_, n) => `x-${n}: 1`)
    for (const [status, error, heard] of [
      [414, 'URI Too Long', await raw(wire(`GET /api/v1/configs/${'x'.repeat(9_000)} HTTP/1.1`, head))],
      [
        431,
        'Request Header Fields Too Large',
        await raw(wire('GET /api/v1/configs HTTP/1.1', [...head, ...flood])),
      ],
    ] as const) {
      expect(statuses(heard)).toEqual([status])
      expect(JSON.parse(heard.slice(heard.indexOf('\r\n\r\n') + 4))).toEqual({
        error,
        detail: expect.any(String),
        timestamp: expect.stringMatching(isoTime),
      })
    }
  })

  it('Enkrypt 2: 429 comes where a limit is passed, with Retry-After', async () => {
    const limited = await openWorld(database, {
      limits: { ...defaultLimits, failuresPerMinute: 2, requestsPerSecond: null },
    })
    const bad = () => limited.as('nonsense')('GET /configs')
    expect([(await bad()).status, (await bad()).status]).toEqual([401, 401])
    const answer = await bad()
    expect(refused(answer)[0]).toBe(429)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await limited.admin('GET /configs')).status).toBe(200)
    await limited.close()
  })

  it(`${verifies('enkrypt:wire:body:json')} R20: a body is JSON whatever Content-Type says, an object, complete, and nothing is coerced`, async () => {
    const types = [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'x',
      'application/json; charset=x',
    ]
    for (const type of types) {
      const body = { config_name: world.fresh('typed') }
      expect((await world.admin('POST /configs', body, { 'content-type': type })).status).toBe(201)
    }
    const before = await contents(world.beside, stateTables)
    const bad: unknown[] = [
      undefined,
      '',
      ' ',
      '{',
      'config_name=x',
      '{"config_name":"x"} {}',
      "{'config_name':'x'}",
      '\ufeff',
      '[]',
      '"x"',
      '7',
      'true',
      'null',
      '[{"config_name":"x"}]',
      {},
      { config_name: null },
      { config_name: 7 },
      { config_name: true },
      { config_name: ['x'] },
      { config_name: { x: 1 } },
    ]
    for (const body of bad) {
      const [status] = refused(await world.admin('POST /configs', body))
      expect([body, status]).toEqual([body, 400])
    }
    const coerced: [string, object][] = [
      [`POST /configs/${ids.c}/export`, { include_secrets: 'true' }],
      [`POST /configs/${ids.c}/export`, { include_secrets: 1 }],
      [`POST /configs/${ids.c}/export`, { include_secrets: null }],
      [`POST /configs/${ids.c}/export`, { output_file: null }],
      ['POST /configs/search', { search_term: 7 }],
      ['POST /configs/search', { search_term: null }],
      ['POST /configs/search', {}],
      ['POST /configs/copy', { source_config: ids.c, target_config: null }],
      ['POST /configs/copy', { source_config: [ids.c], target_config: 'x' }],
      [`POST /configs/${ids.c}/servers`, server({ args: '-y' })],
      [`POST /configs/${ids.c}/servers`, server({ args: null })],
      [`POST /configs/${ids.c}/servers`, server({ env: { A: null } })],
      [`POST /configs/${ids.c}/servers`, server({ env: [] })],
      [`POST /configs/${ids.c}/servers`, server({ description: null })],
      [`POST /configs/${ids.c}/servers`, server({ input_guardrails_policy: null })],
      [`POST /configs/${ids.c}/servers`, server({ input_guardrails_policy: { enabled: 'true' } })],
      [`PUT /configs/${ids.c}/servers/${ids.s}`, { args: null }],
      [`PUT /configs/${ids.c}/servers/${ids.s}/input-guardrails`, { policy: null }],
      [`PUT /configs/${ids.c}/servers/${ids.s}/input-guardrails`, { policy_file: null }],
      ['POST /configs/import', { config_name: 'x', data: null }],
      ['POST /configs/import', { config_name: 'x', data: '{}' }],
      ['POST /configs/import', { config_name: 'x', input_file: null }],
      [`DELETE /users/${ids.u}`, { force: 'true' }],
      ['POST /system/reset', { confirm: 'true' }],
    ]
    for (const [line, body] of coerced) {
      expect([line, body, refused(await world.admin(line, body))[0]]).toEqual([line, body, 400])
    }
    expect(await contents(world.beside, stateTables)).toBe(before)
  })

  it(`${verifies('enkrypt:wire:body:json')} R20: bytes that are no UTF-8 are no JSON`, async () => {
    const { raw, port } = world.running
    const body = Buffer.concat([Buffer.from('{"config_name":"'), Buffer.from([0xff]), Buffer.from('"}')])
    const head = wire('POST /api/v1/configs HTTP/1.1', [
      `host: 127.0.0.1:${port}`,
      `authorization: Bearer ${world.keys.admin}`,
      `content-length: ${body.length}`,
    ])
    expect(statuses(await raw(Buffer.concat([Buffer.from(head), body])))).toEqual([400])
  })

  it(`${verifies('enkrypt:wire:body:limits')} R24: 256 KiB, 32 levels and 1,000 members are read, one more is not`, async () => {
    const sized = (bytes: number) => {
      const body = JSON.stringify({ config_name: world.fresh('sized') })
      return body + ' '.repeat(bytes - body.length)
    }
    expect((await world.admin('POST /configs', sized(256 * 1024))).status).toBe(201)
    const over = refused(await world.admin('POST /configs', sized(256 * 1024 + 1)))
    expect(over).toEqual([413, expect.stringContaining('262144 bytes')])
    const put = (tools: string) => world.admin(`PUT /configs/${ids.c}/servers/${ids.s}`, `{"tools":${tools}}`)
    const deep = (levels: number) => `{"a":${'['.repeat(levels - 2)}${']'.repeat(levels - 2)}}`
    // The body and its `tools` are two of the levels.
    expect((await put(deep(32))).status).toBe(200)
    expect(refused(await put(deep(33)))).toEqual([400, expect.stringContaining('32 levels')])
    const wide = (members: number) => `{"a":[${Array(members).fill('1').join()}]}`
    // The one member of the body and the list are two more.
    expect((await put(wide(998))).status).toBe(200)
    expect(refused(await put(wide(999)))).toEqual([400, expect.stringContaining('1000 members')])
    const bombs = ['['.repeat(200_000), `{"config_name":${'['.repeat(10_000)}`]
    for (const bomb of bombs) expect((await world.admin('POST /configs', bomb)).status).toBe(400)
    const packed = await world.admin('POST /configs', '{}', { 'content-encoding': 'gzip' })
    expect(refused(packed)[0]).toBe(400)
  })

  it(`${verifies('enkrypt:wire:body:limits')} R24: an import may have 16 MiB and any number of members, and no byte more`, async () => {
    const data = {
      config: {
        mcp_config: Array.from({ length: 20 }, (_, at) => ({
          server_name: `s${at}`,
          config: { command: 'npx', args: Array(200).fill('-y') },
        })),
      },
    }
    const body = JSON.stringify({ config_name: world.fresh('large'), data })
    const size = 16 * 1024 * 1024
    const whole = Buffer.alloc(size, ' ')
    whole.write(body)
    const send = (bytes: Buffer) =>
      world.running.send('/api/v1/configs/import', {
        method: 'POST',
        headers: { authorization: `Bearer ${world.keys.admin}`, 'content-type': 'application/json' },
        body: new Uint8Array(bytes),
      })
    const answer = await send(whole)
    expect([answer.status, answer.json.message]).toEqual([201, 'Configuration imported successfully'])
    const { raw, port } = world.running
    const head = wire('POST /api/v1/configs/import HTTP/1.1', [
      `host: 127.0.0.1:${port}`,
      `authorization: Bearer ${world.keys.admin}`,
      `content-length: ${size + 1}`,
    ])
    expect(statuses(await raw(head))).toEqual([413])
    const deep = `{"config_name":"x","data":${'['.repeat(33)}${']'.repeat(33)}}`
    expect(refused(await world.admin('POST /configs/import', deep))).toEqual([
      400,
      expect.stringContaining('32 levels'),
    ])
  })

  it(`${verifies('enkrypt:wire:body:unknown-fields')} a field that is not in the table is named, on every route that can have a body, and nothing happens`, async () => {
    const before = await contents(world.beside, stateTables)
    for (const row of table) {
      if (row.line.startsWith('GET')) continue
      const body = { ...bodyOf(row, ids), forse: true }
      const answer = await world.admin(filled(row.line, ids), body)
      expect([row.line, ...refused(answer)]).toEqual([row.line, 400, expect.stringContaining('forse')])
    }
    const inside: [string, object, string][] = [
      [`POST /configs/${ids.c}/servers`, server({ input_guardrails_policy: { enable: true } }), 'enable'],
      [
        `PUT /configs/${ids.c}/servers/${ids.s}/input-guardrails`,
        { policy: { pii_redaction: true } },
        'pii_redaction',
      ],
      [
        'POST /configs/import',
        { config_name: 'x', data: { config: { mcp_config: [], extra: 1 } } },
        'data.config.extra',
      ],
    ]
    for (const [line, body, name] of inside) {
      expect(refused(await world.admin(line, body))).toEqual([400, expect.stringContaining(name)])
    }
    expect(await contents(world.beside, stateTables)).toBe(before)
  })

  it(`${verifies('enkrypt:wire:body:unknown-fields')} R20: names that code could trip over are unknown fields as well`, async () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'all', 'kind', 'idempotency_key']) {
      const body = `{"config_name":"${world.fresh('x')}","${name}":{}}`
      expect([name, refused(await world.admin('POST /configs', body))[0]]).toEqual([name, 400])
    }
    expect(await made(world.admin('POST /configs', { config_name: 'constructor' }))).toMatchObject({
      config_name: 'constructor',
    })
  })
})
