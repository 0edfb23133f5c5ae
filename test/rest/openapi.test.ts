import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AppError, errorCodes } from '../../src/core/errors.ts'
import { dialectsOf } from '../../src/rest/dialects.ts'
import { operations, toolsets } from '../../tools/index.ts'
import { sampleInput } from '../http/sample.ts'
import { openServing, type Running } from '../http/serving.ts'
import { database } from '../support/databases.ts'
import { checker, type Documented, operationsOf, resolve } from './document.ts'
import { sendAs } from './support.ts'

const dialects = dialectsOf(() => '')
/** Where HTTP Basic is as good as a bearer credential. */
const oauth = ['POST /oauth2/introspect', 'POST /oauth2/revoke']
const native = operations.filter(({ faces }) => faces === undefined || faces.includes('rest'))
const publicRoutes = [
  'GET /health',
  'GET /ready',
  'OPTIONS /public/generate-mcp-token',
  'OPTIONS /public/generate-mcp-token.php',
  'POST /public/generate-mcp-token',
  'POST /public/generate-mcp-token.php',
  ...native
    .filter(({ permission, credential }) => permission === 'public' || credential !== undefined)
    .map(({ name }) => `POST /v1/${name}`),
]
/** Successes without a body, by method, status or path. */
const empty = ['OPTIONS', '202', '204']
const bare = ['/oauth2/revoke 200', '/auth/verify 200', '/auth/verify/{server} 200']
const lineOf = ({ method, path }: { method: string; path: string }) =>
  `${method} ${path.replace(/:(\w+)/g, '{$1}')}`

describe('/openapi.json', () => {
  let running: Running
  // biome-ignore lint/suspicious/noExplicitAny: the document is what the test is about
  let document: any
  let documented: Documented[]
  beforeAll(async () => {
    running = await openServing(database('sqlite'))
    document = (await running.send('/openapi.json')).json
    documented = operationsOf(document)
  })
  afterAll(() => running.close())

  it('is valid OpenAPI 3.1 whose references lead somewhere', async () => {
    expect(document.openapi).toBe('3.1.0')
    expect(await new Validator().validate(structuredClone(document))).toEqual({ valid: true })
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, $ref]) => ({ $ref }))
    expect(refs.filter((ref) => resolve(document, ref) === undefined)).toEqual([])
  })

  it('lists every operation of /v1 and every route of every dialect, and names none that does not exist', () => {
    const lines = [
      ...native.map(({ name }) => `POST /v1/${name}`),
      ...dialects.flatMap(({ routes, described = [] }) => [...routes, ...described].map(lineOf)),
      ...['GET /health', 'GET /ready', 'GET /metrics', 'POST /mcp', 'GET /mcp', 'DELETE /mcp'],
      ...oauth,
      ...['GET /auth/verify', 'GET /auth/verify/{server}'],
    ]
    expect(documented.map(lineOf).sort()).toEqual(lines.sort())
  })

  it('tells each operation by a name of its own, under one tag for each dialect and each set', () => {
    const names = documented.map(({ operation }) => operation.operationId)
    expect(new Set(names).size).toBe(names.length)
    const tags = document.tags.map(({ name }: { name: string }) => name)
    expect(tags).toEqual([
      ...Object.keys(toolsets),
      ...dialects.map(({ title }) => title),
      ...['MCP', 'Process', 'OAuth', 'Forward-auth'],
    ])
    expect(document['x-tagGroups'].flatMap(({ tags: some }: { tags: string[] }) => some)).toEqual(tags)
    for (const { operation } of documented) {
      expect(tags).toContain(operation.tags[0])
      expect(operation.summary).not.toBe('')
    }
  })

  it('no path stands in it twice under other names of its parameters', () => {
    const bare = Object.keys(document.paths).map((path) => path.replace(/\{\w+\}/g, '{}'))
    expect(new Set(bare).size).toBe(bare.length)
  })

  it('asks for a bearer credential everywhere but on the public routes', () => {
    expect(document.components.securitySchemes.bearer).toEqual({ type: 'http', scheme: 'bearer' })
    const open = documented.filter(({ operation }) => operation.security.length === 0)
    expect(open.map(lineOf).sort()).toEqual(publicRoutes.sort())
    const guarded = documented.filter(({ operation }) => operation.security.length > 0)
    for (const one of guarded) {
      const basic = oauth.includes(lineOf(one)) ? [{ basic: [] }] : []
      expect(one.operation.security).toEqual([{ bearer: [] }, ...basic])
    }
  })

  it('has a schema for every success and every refusal, and for every body and every parameter of a path', () => {
    for (const one of documented) {
      const { path, operation } = one
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const parameters = (operation.parameters ?? []).filter((each: { in?: string }) => each.in === 'path')
      expect([path, parameters.map(({ name }: { name: string }) => name)]).toEqual([path, named])
      for (const [status, told] of Object.entries(operation.responses)) {
        const response = resolve(document, told)
        expect(response?.description).toMatch(/./)
        if (empty.includes(one.method) || empty.includes(status) || bare.includes(`${path} ${status}`))
          continue
        const [content] = Object.values(response.content ?? {}) as { schema?: object }[]
        expect([lineOf(one), status, resolve(document, content?.schema)]).toEqual([
          lineOf(one),
          status,
          expect.objectContaining({ type: expect.any(String) }),
        ])
      }
    }
  })

  it('only the operations on many tokens take two steps; whatever else destroys is done by the one call it always was', () => {
    const takes = ({ operation: { requestBody } }: Documented) => {
      const [content] = Object.values(resolve(document, requestBody)?.content ?? {}) as { schema?: object }[]
      return 'dry_run' in (resolve(document, content?.schema)?.properties ?? {})
    }
    const expected = native.filter(({ confirms }) => confirms).map(({ name }) => `POST /v1/${name}`)
    expect(documented.filter(takes).map(lineOf).sort()).toEqual(expected.sort())
    expect(expected).toHaveLength(2)
    const single = [
      'POST /v1/revoke_token',
      'DELETE /magic-mcp-tokens/{token_id}',
      'DELETE /api/tokens/{token_id}',
    ]
    expect(documented.map(lineOf)).toEqual(expect.arrayContaining(single))
  })

  it('R47: operations that can be retried take the header Idempotency-Key, the others do not', () => {
    const takes = ({ operation }: Documented) =>
      operation.parameters?.some(
        ({ $ref = '' }: { $ref?: string }) => $ref === '#/components/parameters/IdempotencyKey',
      ) === true
    const expected = [
      ...native.filter(({ retryable }) => retryable).map(({ name }) => `POST /v1/${name}`),
      ...dialects.flatMap(({ routes, described = [] }) => [
        ...routes.filter((one) => one.operation.retryable).map(lineOf),
        ...described.filter((one) => one.retryable).map(lineOf),
      ]),
    ]
    expect(documented.filter(takes).map(lineOf).sort()).toEqual(expected.sort())
    expect(expected.length).toBeGreaterThan(3)
  })

  it('names the address people reach the server at, and answers a repeat by its tag', async () => {
    expect(document.servers).toEqual([{ url: running.url }])
    const { headers } = await running.send('/openapi.json')
    const again = await running.send('/openapi.json', {
      headers: { 'if-none-match': headers.get('etag') ?? '' },
    })
    expect([again.status, again.text]).toEqual([304, ''])
    expect((await running.send('/openapi.json', { headers: { 'if-none-match': '"other"' } })).status).toBe(
      200,
    )
  })

  it('stays small enough to be read: 3 KB for each operation at the most', () => {
    expect(JSON.stringify(document).length / documented.length).toBeLessThan(3_000)
  })

  it('R32: holds no secret, no path of this machine and nothing of the store', async () => {
    const { text } = await running.send('/openapi.json')
    expect(text).not.toMatch(/node_modules|sqlite|postgres|\/tmp\/|password_hash|secret_hash/i)
    expect(text).not.toContain(running.adminKey)
  })

  describe('what the server answers is what the document says', () => {
    const fill = (path: string) => path.replace(/\{\w+\}/g, 'no-such-thing')
    let check: ReturnType<typeof checker>
    let weakKey: string
    let token: string
    beforeAll(async () => {
      check = checker(document)
      const made = await running.call('create_management_key', { name: 'weak', role: 'validator' })
      weakKey = made.json.secret
      token = (await running.call('create_token', { name: 'a', delivery: 'inline' })).json.delivery.secret
    })

    const ask = async ({ method, path }: Documented, key: string | null, body?: unknown) => {
      const { status, json } = await running.send(fill(path), {
        method,
        headers: {
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      return { status, json }
    }
    const api = () => documented.filter(({ path }) => path !== '/metrics')

    it('without a credential, and with one that may do nothing there', async () => {
      for (const one of api()) {
        // Or the limit on failed attempts would be the only answer.
        running.clock.pass(60_000)
        for (const key of [null, 'unknown', token, weakKey]) {
          const body = one.method === 'GET' ? undefined : {}
          const { status, json } = await ask(one, key, body)
          expect([lineOf(one), status, check(one, status, json)]).toEqual([lineOf(one), status, null])
        }
      }
    }, 120_000)

    it('to an admin whose body is broken, too large, too deep or of another type', async () => {
      const json = { 'content-type': 'application/json' }
      const bodies: [body: string, headers: Record<string, string>][] = [
        ['{"broken', json],
        ['[1]', json],
        ['"x"', json],
        ['x'.repeat(300_000), json],
        [`${'['.repeat(100)}${']'.repeat(100)}`, json],
        ['a=b', { 'content-type': 'application/x-www-form-urlencoded' }],
        ['{}', { ...json, 'content-encoding': 'gzip' }],
      ]
      const send = sendAs(running, running.adminKey)
      for (const one of api().filter(({ operation }) => operation.requestBody !== undefined)) {
        for (const [body, headers] of bodies) {
          const { status, json } = await send(`${one.method} ${fill(one.path)}`, body, headers)
          expect([lineOf(one), status, check(one, status, json)]).toEqual([lineOf(one), status, null])
        }
      }
    }, 120_000)

    it('to an admin who sends nothing, or what names nothing that exists', async () => {
      for (const one of api()) {
        const operation = native.find(({ name }) => one.path === `/v1/${name}`)
        const bodies: unknown[] =
          one.method === 'GET' ? [undefined] : [{}, { name: 'x' }, { name: 1, unknown: [] }]
        if (operation !== undefined) bodies.push(sampleInput(operation))
        for (const body of bodies) {
          const { status, json } = await ask(one, running.adminKey, body)
          expect([lineOf(one), status, check(one, status, json)]).toEqual([lineOf(one), status, null])
        }
      }
    }, 120_000)
  })
})

describe('the refusals of a family', () => {
  const at = { path: '/x', requestId: 'req_1', now: '2026-01-01T00:00:00.000Z', sent: true, formed: true }
  it.each(dialects)('$title words every refusal in the one shape that it documents', ({ word, refusal }) => {
    for (const code of errorCodes) {
      for (const reason of [undefined, 'json', 'method', 'media_type', 'revoked', 'race', 'complex', 'url']) {
        const facts = { entity: 'token', id: 'mgtk_none', ...(reason === undefined ? {} : { reason }) }
        const { body } = word(new AppError(code, 'A sentence.', facts), at)
        expect([code, reason, refusal.safeParse(body).error]).toEqual([code, reason, undefined])
        expect(Object.keys(refusal.parse(body) as object).sort()).toEqual(Object.keys(body).sort())
      }
    }
  })
})
