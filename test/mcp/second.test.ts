import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { create_token } from '../../tools/tokens/create_token.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { holdLock, type McpServer, startMcp } from './server.ts'

const revision = '2026-07-28'
const asksForms = { elicitation: { form: {} } }

let server: McpServer
beforeEach(async () => {
  server = await startMcp()
})
afterEach(() => server.close())

let calls = 0

interface Sent {
  abilities?: object
  headers?: Record<string, string>
  meta?: object
}

/** Sends a request of the second era as a client does. */
async function send(secret: string, method: string, params: Record<string, unknown> = {}, more: Sent = {}) {
  const { abilities = {}, headers = {}, meta = {} } = more
  calls += 1
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': revision,
    'io.modelcontextprotocol/clientCapabilities': abilities,
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
    ...meta,
  }
  const name = params['name'] ?? params['uri']
  const answer = await server.send(
    secret,
    { jsonrpc: '2.0', id: calls, method, params: { ...params, _meta } },
    {
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': revision,
      'mcp-method': method,
      ...(name === undefined ? {} : { 'mcp-name': String(name) }),
      ...headers,
    },
  )
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, text, body: JSON.parse(text) }
}

const call = (
  secret: string,
  name: string,
  args: object,
  more: Record<string, unknown> = {},
  sent: Sent = {},
) => send(secret, 'tools/call', { name, arguments: args, ...more }, sent)

const made = (name: string) => server.instance.call('operator', create_token, { name })

describe('the second era of MCP over HTTP', () => {
  it('R10: a list is private and not kept, and no session is opened', async () => {
    const key = await server.key('operator')
    const listed = await send(key, 'tools/list')
    expect(listed.body.result).toMatchObject({ resultType: 'complete', ttlMs: 0, cacheScope: 'private' })
    expect(listed.headers.get('cache-control')).toBe('no-store')
    expect(listed.headers.get('mcp-session-id')).toBeNull()
    for (const method of ['GET', 'DELETE']) {
      const refused = await server.send(key, '', { 'mcp-protocol-version': revision }, method)
      expect(refused.status).toBe(405)
    }
  })

  it.each([
    [{ 'mcp-method': 'tools/call' }, 400, -32020],
    [{ 'mcp-protocol-version': '2027-01-01' }, 400, -32020],
    [{ 'mcp-protocol-version': 'v9' }, 400, -32020],
  ])('headers that say %j where the body says something else are refused', async (headers, status, code) => {
    const refused = await send(await server.key('operator'), 'tools/list', {}, { headers })
    expect([refused.status, refused.body.error?.code]).toEqual([status, code])
  })

  it('a name in the header that is not the one in the body is refused before the tool hears of it', async () => {
    const key = await server.key('operator')
    const headers = { 'mcp-name': 'list_groups' }
    const refused = await call(key, 'create_token', { name: 'smuggled' }, {}, { headers })
    expect([refused.status, refused.body.error.code]).toEqual([400, -32020])
    const listed = await call(key, 'list_magic_tokens', {})
    expect(listed.text).not.toContain('smuggled')
  })

  it('a name may stand in the header as base64, and says the same', async () => {
    const key = await server.key('operator')
    const name = (text: string) => ({
      headers: { 'mcp-name': `=?base64?${Buffer.from(text).toString('base64')}?=` },
    })
    const good = await call(key, 'list_groups', {}, {}, name('list_groups'))
    expect([good.status, good.body.result.structuredContent]).toMatchObject([200, { groups: [] }])
    const refused = await call(key, 'list_groups', {}, {}, name('create_token'))
    expect([refused.status, refused.body.error.code]).toEqual([400, -32020])
  })

  it.each(['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'no/such'])(
    '%s is no method of this era: 404, and the id comes back',
    async (method) => {
      const unknown = await send(await server.key('operator'), method)
      expect([unknown.status, unknown.body.error.code, unknown.body.id]).toEqual([404, -32601, calls])
    },
  )

  it.each([
    ['a claim of a revision nobody knows', { 'io.modelcontextprotocol/protocolVersion': '2031-01-01' }],
    ['an envelope without abilities', { 'io.modelcontextprotocol/clientCapabilities': undefined }],
    ['an envelope whose abilities are a list', { 'io.modelcontextprotocol/clientCapabilities': [] }],
    ['an envelope whose client is a number', { 'io.modelcontextprotocol/clientInfo': 7 }],
  ])('%s is refused with 400', async (_, meta) => {
    const refused = await send(await server.key('operator'), 'tools/list', {}, { meta })
    expect(refused.status).toBe(400)
    expect(refused.body.error.code).toBeLessThan(0)
    expect(refused.text).not.toMatch(/at .*\.ts|node_modules|\/work/)
  })

  it('R44: a predecessor reads its own token and gets 401 for everything else', async () => {
    const { call: operate } = server.instance
    const mine = await operate('operator', create_token, { name: 'graced' })
    const old = mine.delivery.secret ?? ''
    await operate('operator', rotate_token, { token_id: mine.token.id, grace_seconds: 600 })
    expect((await call(old, 'get_token', { token_id: mine.token.id })).status).toBe(200)
    for (const [name, args] of [
      ['rotate_token', { token_id: mine.token.id }],
      ['list_magic_tokens', {}],
    ] as const) {
      const refused = await call(old, name, args)
      expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
        401,
        'Bearer error="invalid_token"',
      ])
    }
  })

  it('R17: 300 calls at once each get their own answer', async () => {
    const key = await server.key('operator')
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, n) =>
        call(key, 'list_magic_tokens', { query: `nobody ${n}`, limit: 1 }),
      ),
    )
    const ids = answers.map(({ body }) => body.id)
    expect(new Set(ids).size).toBe(300)
    expect(answers.every(({ status }) => status === 200)).toBe(true)
  })

  it('a server that closes lets a call in flight end first', async () => {
    const key = await server.key('operator')
    const lock = holdLock(server.instance)
    const running = call(key, 'create_token', { name: 'in time' })
    await new Promise((resolve) => setTimeout(resolve, 150))
    setTimeout(lock.release, 300)
    await server.closeMcp()
    expect((await running).body.result.structuredContent.token.name).toBe('in time')
  })
})

describe('a call that is given back with a question', () => {
  const yes = { confirm: { action: 'accept', content: { confirm: true } } }

  /** Asks to revoke and answers what comes back: a question and a sealed state. */
  async function asked(key: string, token_id: string) {
    const { body } = await call(key, 'revoke_token', { token_id }, {}, { abilities: asksForms })
    expect(body.result).toMatchObject({ resultType: 'input_required' })
    const { inputRequests, requestState } = body.result
    const [question] = Object.keys(inputRequests)
    const accepts = { [question as string]: { action: 'accept', content: contentOf(inputRequests) } }
    return { requestState, inputResponses: accepts, inputRequests }
  }

  /** Says yes to whatever the form asks. */
  function contentOf(inputRequests: Record<string, { params: { requestedSchema: { properties: object } } }>) {
    const [first] = Object.values(inputRequests)
    const properties = Object.entries(first?.params.requestedSchema.properties ?? {})
    return Object.fromEntries(
      properties.map(([name, schema]) => [name, (schema as { enum?: string[] }).enum?.[0] ?? true]),
    )
  }

  const isLive = async (token_id: string) =>
    (await server.instance.call('operator', get_token, { token_id })).token.status === 'active'

  it('is carried out when it comes again with the answer and the state', async () => {
    const key = await server.key('operator')
    const { token } = await made('ends')
    const { requestState, inputResponses } = await asked(key, token.id)
    expect(await isLive(token.id)).toBe(true)
    const again = { requestState, inputResponses }
    const done = await call(key, 'revoke_token', { token_id: token.id }, again, { abilities: asksForms })
    expect(done.body.result).toMatchObject({ resultType: 'complete', structuredContent: { changed: true } })
    expect(await isLive(token.id)).toBe(false)
  })

  it('the state is of no use to another caller, for other arguments, another tool, changed by a bit, or cut', async () => {
    const key = await server.key('operator')
    const [{ token }, other] = [await made('kept'), await made('other')]
    const { requestState, inputResponses } = await asked(key, token.id)
    const again = { requestState, inputResponses }
    const admin = await server.key('admin')
    const spoilt = [...requestState].with(10, requestState[10] === 'A' ? 'B' : 'A').join('')
    const tries = [
      call(admin, 'revoke_token', { token_id: token.id }, again, { abilities: asksForms }),
      call(key, 'revoke_token', { token_id: other.token.id }, again, { abilities: asksForms }),
      call(key, 'rotate_token', { token_id: token.id }, again, { abilities: asksForms }),
      call(
        key,
        'revoke_token',
        { token_id: token.id },
        { ...again, requestState: spoilt },
        { abilities: asksForms },
      ),
      call(
        key,
        'revoke_token',
        { token_id: token.id },
        { ...again, requestState: requestState.slice(0, 20) },
      ),
      call(key, 'revoke_token', { token_id: token.id }, { ...again, requestState: '' }),
    ]
    for (const refused of await Promise.all(tries)) expect(refused.body.error?.code).toBe(-32602)
    expect([await isLive(token.id), await isLive(other.token.id)]).toEqual([true, true])
  })

  it('an answer to what was never asked counts for nothing', async () => {
    const key = await server.key('operator')
    const { token } = await made('unasked')
    const first = await asked(key, token.id)
    const { inputResponses } = first
    const forged = await call(
      key,
      'revoke_token',
      { token_id: token.id },
      { inputResponses },
      { abilities: asksForms },
    )
    expect(forged.body.result.resultType).toBe('input_required')
    for (const junk of [null, 7, [], { confirm: 'yes' }, yes]) {
      const answer = await call(
        key,
        'revoke_token',
        { token_id: token.id },
        { inputResponses: junk, requestState: first.requestState },
        { abilities: asksForms },
      )
      const said = answer.body.error?.code ?? answer.body.result.resultType
      expect([-32602, 'input_required', 'complete']).toContain(said)
      if (said === 'complete') expect(junk).toBe(yes)
      if (said === 'complete') return
      expect(await isLive(token.id)).toBe(true)
    }
  })

  it('R20: an answer counts only as a member of its own, and so does a yes in it', async () => {
    const key = await server.key('operator')
    const { token } = await made('inherited')
    const { requestState, inputResponses } = await asked(key, token.id)
    const [question = ''] = Object.keys(inputResponses)
    const accepted = { action: 'accept', content: { confirm: true } }
    expect(inputResponses[question]).toEqual(accepted)
    // Written as JSON by a client, __proto__ is a member like any other until somebody copies it.
    const inherited = (value: object) => JSON.parse(`{"__proto__":${JSON.stringify(value)}}`)
    for (const answers of [
      inherited({ [question]: accepted }),
      { [question]: { ...accepted, content: inherited(accepted.content) } },
      { [question]: inherited(accepted) },
    ]) {
      const again = { requestState, inputResponses: answers }
      await call(key, 'revoke_token', { token_id: token.id }, again, { abilities: asksForms })
      expect(await isLive(token.id)).toBe(true)
    }
  })

  it('a yes to what is not true any more is asked for again', async () => {
    const key = await server.key('operator')
    const { token } = await made('moves')
    const { requestState, inputResponses } = await asked(key, token.id)
    await server.instance.call('operator', rotate_token, { token_id: token.id })
    const again = { requestState, inputResponses }
    const answer = await call(key, 'revoke_token', { token_id: token.id }, again, { abilities: asksForms })
    const carriedOut = answer.body.result?.resultType === 'complete' && answer.body.result.isError !== true
    expect(carriedOut).toBe(false)
    expect(await isLive(token.id)).toBe(true)
  })

  it('is too old after ten minutes', async () => {
    const key = await server.key('operator')
    const { token } = await made('late')
    const { requestState, inputResponses } = await asked(key, token.id)
    server.instance.clock.pass(10 * 60_000 + 1)
    const again = { requestState, inputResponses }
    const late = await call(key, 'revoke_token', { token_id: token.id }, again, { abilities: asksForms })
    expect(late.body.error?.code).toBe(-32602)
    expect(await isLive(token.id)).toBe(true)
  })
})
