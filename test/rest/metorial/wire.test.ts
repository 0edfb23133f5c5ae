import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AppError } from '../../../src/core/errors.ts'
import { word } from '../../../src/rest/metorial/words.ts'
import { statuses, wire } from '../../http/serving.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { openWorld, routes, unauthorized, unknownId, type World } from './world.ts'

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const endpoint = {
  object: 'error',
  ok: false,
  status: 404,
  code: 'not_found',
  message: 'The requested endpoint could not be found.',
  entity: 'endpoint',
}

describe.each(databases)('the wire of Metorial routes on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  it.each(routes)(
    `${verifies('metorial:wire:status:always-200', 'metorial:wire:json:always')} $line answers 200 and JSON`,
    async ({ line, kind, body }) => {
      const { id } = await world[kind]()
      const { status, headers, json } = await world.admin(line.replace(':id', id), body)
      expect([status, headers.get('content-type')]).toEqual([200, 'application/json'])
      expect(json.object).toBe(line.endsWith('s') && line.startsWith('GET') ? 'list' : `magic_mcp.${kind}`)
    },
  )

  it(`${verifies('metorial:wire:json:always', 'metorial:wire:error:envelope', 'metorial:wire:error:status-in-body')} every error is JSON in the envelope, with its status in the body`, async () => {
    const { admin, reader, as, keys } = world
    const gone = await world.token()
    await admin(`DELETE /magic-mcp-tokens/${gone.id}`)
    const group = await world.group()
    await admin(`DELETE /magic-mcp-groups/${group.id}`)
    const idle = 'idempotency-key-of-this-test'
    await admin('POST /magic-mcp-tokens', { name: 'first' }, { 'idempotency-key': idle })
    const answers = [
      await admin('POST /magic-mcp-tokens', {}),
      await admin('POST /magic-mcp-tokens', '{'),
      await as(null)('GET /magic-mcp-tokens'),
      await reader('POST /magic-mcp-tokens', { name: 'x' }),
      await admin(`GET /magic-mcp-tokens/${unknownId.token}`, undefined, { accept: 'text/html' }),
      await admin('GET /magic-mcp-nothing', undefined, { accept: 'text/html' }),
      await admin('POST /magic-mcp-tokens', { name: 'second' }, { 'idempotency-key': idle }),
      await admin(`DELETE /magic-mcp-groups/${group.id}`),
      await admin(`PATCH /magic-mcp-tokens/${gone.id}`, { name: 'x' }),
      await admin('POST /magic-mcp-tokens', 'x'.repeat(270_000)),
      await admin(`GET /magic-mcp-tokens?after=${'x'.repeat(9_000)}`),
    ]
    expect(answers.map(({ status }) => status)).toEqual([
      400, 400, 401, 403, 404, 404, 409, 410, 412, 413, 414,
    ])
    const optional = ['hint', 'description', 'reason', 'entity', 'id', 'errors']
    for (const { status, headers, json, text } of answers) {
      expect(headers.get('content-type')).toBe('application/json')
      const { object, ok, status: told, code, message, ...more } = json
      expect([object, ok, told]).toEqual(['error', false, status])
      expect([typeof code, typeof message]).toEqual(['string', 'string'])
      expect(message).not.toBe('')
      expect(optional).toEqual(expect.arrayContaining(Object.keys(more)))
      // No secret, path or SQL.
      expect(text).not.toMatch(/\/(src|tools|db|tmp|home|node_modules)\/|select |SQLITE|\bat \S+ \(/i)
      for (const key of Object.values(keys)) expect(text).not.toContain(key)
    }
  })

  it(`${verifies('metorial:wire:header:version')} Metorial-Version has no effect, whatever it is`, async () => {
    const { id } = await world.token()
    const plain = await world.admin(`GET /magic-mcp-tokens/${id}`)
    for (const version of [
      '2025-01-01-dashboard',
      '2026-01-01-magnetar',
      '1999-01-01-none',
      '',
      'x'.repeat(500),
    ]) {
      const { status, text } = await world.admin(`GET /magic-mcp-tokens/${id}`, undefined, {
        'metorial-version': version,
      })
      expect([status, text]).toEqual([200, plain.text])
    }
  })

  it(`${verifies('metorial:wire:header:no-store')} an answer with a secret is not kept by anybody`, async () => {
    const made = await world.admin('POST /magic-mcp-tokens', { name: 'x' })
    const rotated = await world.admin(`POST /magic-mcp-tokens/${made.json.id}/rotate`)
    for (const { headers, json } of [made, rotated]) {
      expect(json.secret).not.toBe('')
      expect(headers.get('cache-control')).toBe('no-store')
    }
  })

  it.each([
    'GET /magic-mcp-tokens/a/b',
    'GET /magic-mcp-tokens/',
    'DELETE /magic-mcp-tokens/',
    'DELETE /magic-mcp-tokens',
    'PUT /magic-mcp-tokens',
    'PUT /magic-mcp-tokens/:id',
    'POST /magic-mcp-tokens/:id',
    'GET /magic-mcp-tokens/:id/rotate',
    'POST /magic-mcp-tokens/:id/rotate/',
    'POST /magic-mcp-tokens/:id/enable',
    'GET /magic-mcp-tokens/:id/',
    'DELETE /magic-mcp-tokens/:id/',
    'GET /magic-mcp-sessions',
    'GET /magic-mcp-endpoints',
    'POST /magic-mcp-endpoints',
    'GET /magic-mcp-servers/x/tools',
    'GET /magic-mcp-',
    'GET /magic-mcp-tokensx',
    'GET /magic-mcp-groups//',
    'PATCH /magic-mcp-groups',
    'OPTIONS /magic-mcp-tokens',
    'HEAD /magic-mcp-tokens',
    'PROPFIND /magic-mcp-tokens',
  ])(`${verifies('metorial:wire:route:unknown')} %s is no endpoint`, async (line) => {
    const { id } = await world.token()
    const answer = await world.admin(line.replace(':id', id))
    expect(answer.status).toBe(404)
    expect(answer.headers.get('allow')).toBeNull()
    expect(answer.headers.get('content-type')).toBe('application/json')
    if (!line.startsWith('HEAD')) expect(answer.json).toEqual(endpoint)
    expect((await world.admin(`GET /magic-mcp-tokens/${id}`)).json.status).toBe('active')
  })

  it(`${verifies('metorial:wire:error:no-internals')} 500 is a constant, and no error repeats a secret or a thrown text`, async () => {
    const broken = await openWorld(database)
    const { id } = await broken.token()
    const { write } = broken.beside.core.store
    await write((db) => sql`alter table token_groups rename to gone`.execute(db))
    for (const line of [
      'GET /magic-mcp-tokens',
      `GET /magic-mcp-tokens/${id}`,
      `POST /magic-mcp-tokens/${id}/rotate`,
    ]) {
      const { status, text } = await broken.admin(line)
      expect([line, status, text]).toEqual([
        line,
        500,
        '{"object":"error","ok":false,"status":500,"code":"internal_server_error","message":"Internal server error"}',
      ])
    }
    await write((db) => sql`alter table gone rename to token_groups`.execute(db))
    expect((await broken.admin(`GET /magic-mcp-tokens/${id}`)).status).toBe(200)
    await broken.close()
    const { secret } = await world.token()
    for (const answer of [
      await world.admin(`GET /magic-mcp-tokens/${secret}`),
      await world.admin('POST /magic-mcp-tokens', { name: 'x', group_ids: [secret] }),
      await world.admin('POST /magic-mcp-tokens', { name: 'x', magic_mcp_server_id: `id ${secret}` }),
      await world.admin('POST /magic-mcp-tokens', { name: { [secret]: secret } }),
      await world.admin(`GET /magic-mcp-tokens?limit=${secret}&order=${secret}`),
      await world.admin(`GET /magic-mcp-tokens?cursor=${secret}`),
    ]) {
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(answer.text).not.toContain(secret)
    }
    expect(world.running.log.join('\n')).not.toContain(secret)
  })

  it(`${verifies('metorial:wire:date:format')} every date of every object is UTC with milliseconds`, async () => {
    const token = await world.token()
    await world.as(token.secret)(`GET /magic-mcp-tokens/${token.id}`)
    const deleted = (await world.admin(`DELETE /magic-mcp-tokens/${token.id}`)).json
    const made = await world.running.call('create_token', { name: 'ends', expires_in_days: 3 })
    const ending = (await world.admin(`GET /magic-mcp-tokens/${made.json.token.id}`)).json
    const dates = [deleted, ending, await world.group(), await world.server()].flatMap((thing) =>
      Object.entries(thing).filter(([name, value]) => name.endsWith('_at') && value !== null),
    )
    expect(dates.map(([name]) => name)).toEqual(
      expect.arrayContaining(['expires_at', 'last_used_at', 'deleted_at', 'created_at', 'updated_at']),
    )
    for (const [name, value] of dates) expect([name, value]).toEqual([name, expect.stringMatching(time)])
  })

  it(`${verifies('metorial:wire:id:format')} ids say their kind, need no encoding and sort by creation`, async () => {
    for (const [kind, prefix] of [
      ['token', 'mgtk'],
      ['group', 'mggr'],
      ['server', 'mgsr'],
    ] as const) {
      const ids: string[] = []
      for (let n = 0; n < 12; n += 1) {
        if (n % 4 === 0) world.running.clock.pass(1)
        ids.push((await world[kind]()).id)
      }
      for (const id of ids) {
        expect(id).toMatch(new RegExp(`^${prefix}_[0-9A-Za-z]{22}$`))
        expect(encodeURIComponent(id)).toBe(id)
      }
      expect([...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))).toEqual(ids)
    }
  })

  it('R23: a page of another origin gets no door, not even as a preflight', async () => {
    const { port, raw } = world.running
    const asks = ['access-control-request-method: POST', 'access-control-request-headers: authorization']
    for (const origin of ['http://evil.example', `http://127.0.0.1:${port}`]) {
      for (const key of [[], [`authorization: Bearer ${world.keys.admin}`]]) {
        const headers = [`host: 127.0.0.1:${port}`, `origin: ${origin}`, ...asks, ...key]
        const heard = await raw(wire('OPTIONS /magic-mcp-tokens HTTP/1.1', headers))
        expect(statuses(heard)).toEqual([origin.includes('evil') ? 403 : key.length > 0 ? 404 : 401])
        expect(heard.toLowerCase()).not.toContain('access-control-')
      }
    }
    const made = await world.admin(
      'POST /magic-mcp-tokens',
      { name: 'x' },
      { origin: `http://127.0.0.1:${port}` },
    )
    expect([...made.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
  })

  it(`${verifies('metorial:wire:rate-limit:retry-after')} no number of good calls is limited by default`, async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => world.reader('GET /magic-mcp-groups?limit=1')),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  })

  it(`${verifies('metorial:wire:rate-limit:retry-after')} over a limit the answer is 429 with 1 to 5 seconds of patience`, async () => {
    const stranger = world.as('mcpt_ExampleSecretDoNotUse00000000000000013drjit')
    const answers = []
    for (let n = 0; n < 120; n += 1) answers.push(await stranger('GET /magic-mcp-tokens'))
    const first = answers.findIndex(({ status }) => status === 429)
    expect(first).toBeGreaterThan(0)
    expect(answers[0]?.text).toBe(unauthorized)
    for (const { status, json, headers } of answers.slice(first)) {
      expect([status, json.status, json.code]).toEqual([429, 429, 'rate_limit_exceeded'])
      expect(headers.get('retry-after')).toMatch(/^[1-5]$/)
    }
    expect((await world.reader('GET /magic-mcp-tokens?limit=1')).status).toBe(200)
    const at = { path: '', requestId: '', now: '', sent: true, formed: true }
    const waits = [0, 0.5, 1, 3, 5, 60].map(
      (retry_after) => word(new AppError('rate_limited', 'x', { retry_after }), at).headers['retry-after'],
    )
    expect(waits).toEqual(['1', '1', '1', '3', '5', '5'])
  })
})
