import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../support/databases.ts'
import { type Guarded, openGuarded } from './guarded.ts'

const call = (name: string, args: object = { text: 'hi' }) => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: args },
})
const ask = (method: string, params: object = {}) => ({ jsonrpc: '2.0', id: 1, method, params })
const forbidden = { jsonrpc: '2.0', error: { code: -32003, message: 'Forbidden' }, id: null }
const alpha = '/servers/alpha/mcp'
const all = '/gateway/mcp'

describe.each(databases)('rules of a token at the gateway, on $name', (database) => {
  let guarded: Guarded
  beforeAll(async () => {
    guarded = await openGuarded(database)
  })
  afterAll(() => guarded.close())

  const ruled = async (tool_rules: object) => (await guarded.token({ all_servers: true, tool_rules })).secret
  async function names(path: string, secret: string, method: string): Promise<string[]> {
    const { json } = await guarded.rpc(path, secret, ask(method))
    const [[, items]] = Object.entries(json.result) as [
      [string, { name: string; uri?: string; uriTemplate?: string }[]],
    ]
    return items.map(({ name, uri, uriTemplate }) => uri ?? uriTemplate ?? name)
  }

  it('an allow lets through what it names and nothing else; deny wins; lists show the same', async () => {
    const secret = await ruled({
      allow: ['alpha/*', 'beta/echo'],
      deny: ['delete*', 'alpha/upper', '*/demo://closed/*'],
    })
    const open = ['echo', 'progress', 'ask', 'slow']
    expect(await names(alpha, secret, 'tools/list')).toEqual(open)
    expect(await names('/servers/beta/mcp', secret, 'tools/list')).toEqual(['echo'])
    expect(await names(all, secret, 'tools/list')).toEqual([
      ...open.map((name) => `alpha__${name}`),
      'beta__echo',
    ])
    expect(await names(alpha, secret, 'prompts/list')).toEqual(['greet'])
    expect(await names(alpha, secret, 'resources/list')).toEqual(['demo://open/1'])
    expect(await names(alpha, secret, 'resources/templates/list')).toEqual(['demo://open/{id}'])
    expect(await names('/servers/beta/mcp', secret, 'resources/list')).toEqual([])
    expect(await names(all, secret, 'resources/list')).toEqual(['mcp+alpha+demo://open/1'])
    expect(await names(all, secret, 'prompts/list')).toEqual(['alpha__greet'])
  })

  it('what is refused is 403 Forbidden and never reaches the server', async () => {
    const secret = await ruled({ allow: ['alpha/echo', 'alpha/greet'] })
    const asked = [guarded.alpha.asked.length, guarded.beta.asked.length]
    const refused: [path: string, message: object][] = [
      [alpha, call('upper')],
      [alpha, call('delete_all')],
      [alpha, ask('prompts/get', { name: 'delete_prompt' })],
      [alpha, ask('resources/read', { uri: 'demo://open/1' })],
      [alpha, ask('resources/subscribe', { uri: 'demo://open/1' })],
      [
        alpha,
        ask('completion/complete', { ref: { type: 'ref/prompt', name: 'delete_prompt' }, argument: {} }),
      ],
      ['/servers/beta/mcp', call('echo')],
      [all, call('alpha__upper')],
      [all, call('beta__echo')],
      [all, ask('resources/read', { uri: 'mcp+alpha+demo://open/1' })],
    ]
    for (const [path, message] of refused) {
      const { status, json } = await guarded.rpc(path, secret, message)
      expect([message, status, json]).toEqual([message, 403, forbidden])
    }
    expect([guarded.alpha.asked.length, guarded.beta.asked.length]).toEqual(asked)
    expect((await guarded.rpc(alpha, secret, call('echo'))).status).toBe(200)
    expect((await guarded.rpc(all, secret, ask('prompts/get', { name: 'alpha__greet' }))).status).toBe(200)
  })

  it('a name no rule can judge is an error of the parameters, a method nobody knows does not slip past rules', async () => {
    const secret = await ruled({ allow: ['alpha/echo'] })
    const free = await ruled({ deny: ['nothing'] })
    const asked = guarded.alpha.asked.length
    for (const params of [{}, { name: 7 }, { name: ['echo'] }, { name: null }]) {
      const { status, json } = await guarded.rpc(alpha, secret, { ...call('echo'), params })
      expect([params, status, json.error.code]).toEqual([params, 200, -32602])
    }
    for (const one of [secret, free])
      expect((await guarded.rpc(alpha, one, ask('tools/secret', { name: 'echo' }))).json.error.code).toBe(
        -32601,
      )
    for (const name of ['echo', '__echo', 'alpha__', 'alpha'])
      expect((await guarded.rpc(all, secret, call(name))).status).not.toBe(500)
    expect(guarded.alpha.asked.length).toBe(asked)
    const heard = guarded.alpha.headers.length
    const { secret: unruled } = await guarded.token({ all_servers: true })
    const own = await guarded.rpc(alpha, unruled, ask('vendor/extra', {}))
    expect([own.status, own.json.error.code]).toEqual([200, -32601])
    expect(guarded.alpha.headers.length).toBeGreaterThan(heard + 1)
    const before = guarded.alpha.headers.length
    expect((await guarded.rpc(all, unruled, ask('vendor/extra', {}))).json.error.code).toBe(-32601)
    expect(guarded.alpha.headers.length).toBe(before)
  })

  it('the tool a rule judged is the one the server is asked for, whatever the body says twice', async () => {
    const secret = await ruled({ allow: ['alpha/echo'] })
    const asked = guarded.alpha.asked.length
    const body =
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"delete_all","arguments":{}}}'
    const answer = await guarded.send(alpha, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body,
    })
    expect(answer.status).toBe(403)
    expect(guarded.alpha.asked.length).toBe(asked)
  })

  it('new rules act on the next request of an open session', async () => {
    const { id, secret } = await guarded.token({ all_servers: true })
    const client = await guarded.connect(alpha, secret)
    expect((await client.listTools()).tools).toHaveLength(6)
    await guarded.call('update_token', { token_id: id, access: { tool_rules: { allow: ['alpha/upper'] } } })
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['upper'])
    await expect(client.callTool({ name: 'echo', arguments: {} })).rejects.toThrow(/Forbidden/)
    expect((await client.callTool({ name: 'upper', arguments: { text: 'a' } })).content).toEqual([
      { type: 'text', text: 'A' },
    ])
  })

  it('limits count each request once: 429 with Retry-After and RateLimit headers, and initialize is no use', async () => {
    const { secret } = await guarded.token({ all_servers: true, limits: { requests: 3, per_seconds: 3_600 } })
    const client = await guarded.connect(alpha, secret)
    for (const remaining of ['2', '1', '0']) {
      const { status, headers } = await guarded.rpc(alpha, secret, call('echo'))
      expect([status, headers.get('ratelimit-limit'), headers.get('ratelimit-remaining')]).toEqual([
        200,
        '3',
        remaining,
      ])
    }
    const asked = guarded.alpha.asked.length
    const over = await guarded.rpc(all, secret, call('alpha__echo'))
    expect([over.status, over.json.error]).toEqual([429, { code: -32029, message: 'Too Many Requests' }])
    expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(over.headers.get('ratelimit-remaining')).toBe('0')
    await expect(client.callTool({ name: 'echo', arguments: {} })).rejects.toThrow(/Too Many/)
    expect(guarded.alpha.asked.length).toBe(asked)
    const twice = await guarded.token({ all_servers: true, limits: { max_uses: 2 } })
    expect((await guarded.rpc(alpha, twice.secret, call('echo'))).status).toBe(200)
    expect((await guarded.rpc(all, twice.secret, call('alpha__echo'))).status).toBe(200)
    const spent = await guarded.rpc(alpha, twice.secret, call('echo'))
    expect([spent.status, spent.headers.get('retry-after')]).toEqual([429, null])
  })

  it('refused calls are in the trail, counted, with the verdict and never with the secret', async () => {
    const { id, secret } = await guarded.token({ servers: [guarded.servers['beta']] })
    for (let times = 0; times < 3; times += 1) await guarded.rpc(alpha, secret, call('echo'))
    const validated = await guarded.call('validate_token', { token: secret, server: 'alpha' })
    expect(validated.json.verdict).toBe('server_not_in_scope')
    const used = (await guarded.call('get_token', { token_id: id })).json.token
    expect(used.use_count).toBe(0)
    expect((await guarded.rpc('/servers/beta/mcp', secret, call('echo'))).status).toBe(200)
    await expect
      .poll(async () => (await guarded.call('get_token', { token_id: id })).json.token.last_used_at)
      .not.toBeNull()
    expect(guarded.log.join('\n')).not.toContain(secret.slice(5, 21))
  })
})
