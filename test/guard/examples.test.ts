import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { exchange, wire } from '../http/serving.ts'
import { databases } from '../support/databases.ts'
import { bearer, callOf, connected, type Example, post, startExample } from './example.ts'
import { openWorld, type World } from './world.ts'

interface Variant {
  file: string
  /** The guard words refusals itself; else the middleware of the SDK does. */
  own: boolean
}

const variants: Variant[] = [
  { file: 'protected-server/server.ts', own: true },
  { file: 'node.ts', own: true },
  { file: 'express.ts', own: true },
  { file: 'hono.ts', own: true },
  { file: 'sdk-bearer.ts', own: false },
]

const unauthorized = { jsonrpc: '2.0', error: { code: -32001, message: 'Unauthorized' }, id: null }
const forbidden = { jsonrpc: '2.0', error: { code: -32003, message: 'Forbidden' }, id: null }
const notFromHere = { jsonrpc: '2.0', error: { code: -32003, message: 'IP Not Allowed' }, id: null }

describe.each(databases)('examples on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  // The guard knows nothing of the store, so one example on each will do.
  const played = database.name === 'sqlite' ? variants : variants.slice(0, 1)

  describe.each(played)('$file', ({ file, own }) => {
    let example: Example
    const down = own ? 503 : 500
    const ask = (secret: string) => post(example.url, bearer(secret))
    const statusFor = async (secret: string) => (await ask(secret)).status
    const whoami = async (secret: string) => {
      let answer = await ask(secret)
      // As any caller would: a crowded machine may miss the two seconds of the guard.
      for (let tries = 1; answer.status === down && tries < 20; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 250 * Math.random()))
        answer = await ask(secret)
      }
      const { result } = (await answer.json()) as { result: { content: [{ text: string }] } }
      return JSON.parse(result.content[0].text)
    }
    beforeAll(async () => {
      const env = { TOKENWRIGHT_URL: world.road.url, TOKENWRIGHT_KEY: world.key }
      example = await startExample(file, env)
    })
    afterAll(() => example.stop())
    beforeEach(() => {
      world.road.condition = 'open'
      world.road.passed.length = 0
    })

    it('the official client lists and calls its tools, and a tool knows whose token it is', async () => {
      const made = await world.token({ name: 'CI nightly' })
      const client = await connected(example.url, made.secret)
      expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['get_forecast', 'whoami'])
      const forecast = await client.callTool({ name: 'get_forecast', arguments: { city: 'Oslo' } })
      expect(forecast.content).toEqual([{ type: 'text', text: 'Tomorrow in Oslo: sun.' }])
      const { token } = await world.op('get_token', { token_id: made.id })
      expect(await whoami(made.secret)).toEqual({
        token_id: made.id,
        name: 'CI nightly',
        kind: 'access',
        owner_id: null,
        owner_email: null,
        project_id: null,
        groups: [],
        servers: ['weather'],
        expires_at: token.expires_at.replace(/\.\d{3}Z$/, '.000Z'),
      })
      await client.close()
    })

    it('R33: a request without a token, or with one in any other form, is 401 and nobody is asked', async () => {
      const { secret } = await world.token()
      const { port, host } = new URL(example.url)
      const inQuery = `${example.url}?token=${secret}&access_token=${secret}&authorization=Bearer%20${secret}`
      const bare = await post(inQuery, { cookie: `token=${secret}`, 'x-api-key': secret })
      expect([bare.status, bare.headers.get('www-authenticate')?.slice(0, 6)]).toEqual([401, 'Bearer'])
      if (own) {
        expect(bare.headers.get('www-authenticate')).toBe('Bearer')
        expect(await bare.json()).toEqual(unauthorized)
      }
      const basic = Buffer.from(`x:${secret}`).toString('base64')
      const others = [`Basic ${basic}`, secret, `Token ${secret}`, 'Bearer', `Bearer, ${secret}`, 'Bearer é']
      for (const authorization of others) {
        const heard = await exchange(
          Number(port),
          wire('POST /mcp HTTP/1.1', [`host: ${host}`, `authorization: ${authorization}`], '{}'),
        )
        expect([authorization, heard.split('\r\n', 1)[0]]).toEqual([
          authorization,
          'HTTP/1.1 401 Unauthorized',
        ])
        expect(heard.toLowerCase()).toContain('\r\nwww-authenticate: bearer error="invalid_token"')
        expect(heard).not.toContain(secret)
      }
      expect(world.road.passed).toEqual([])
    })

    it('R21: two Authorization headers are 401, whichever of them is good, and nobody is asked', async () => {
      const { secret } = await world.token()
      const { port, host } = new URL(example.url)
      const good = `authorization: Bearer ${secret}`
      // The middleware of the SDK sees the first of two and never learns of the other.
      const pairs = [
        ['authorization: Bearer x', good],
        ...(own
          ? [
              [good, 'Authorization: Bearer x'],
              [good, good],
            ]
          : []),
      ]
      for (const pair of pairs) {
        const heard = await exchange(
          Number(port),
          wire('POST /mcp HTTP/1.1', [`host: ${host}`, 'content-type: application/json', ...pair], '{}'),
        )
        expect(heard.split('\r\n', 1)[0]).toBe('HTTP/1.1 401 Unauthorized')
      }
      if (own) expect(world.road.passed).toEqual([])
    })

    it('R30: every token that is no good gets one answer, and the tool is not run', async () => {
      const [revoked, disabled, expired] = [await world.token(), await world.token(), await world.token()]
      await world.op('revoke_token', { token_id: revoked.id })
      await world.op('set_token_enabled', { token_id: disabled.id, enabled: false })
      const soon = new Date(world.clock.now + 60_000).toISOString()
      await world.op('update_token', { token_id: expired.id, expires_at: soon })
      expect(await statusFor(expired.secret)).toBe(200)
      world.clock.pass(60_001)
      const later = await world.token({ not_before: new Date(world.clock.now + 60_000).toISOString() })
      const unknown = `${revoked.secret.slice(0, -1)}${revoked.secret.endsWith('a') ? 'b' : 'a'}`
      const bad = [revoked, disabled, expired, later].map(({ secret }) => secret)
      const answers = []
      for (const secret of [...bad, unknown, 'x', 'x'.repeat(512), world.adminKey, world.key]) {
        const answer = await ask(secret)
        const challenge = answer.headers.get('www-authenticate')
        answers.push(JSON.stringify([answer.status, challenge, await answer.text()]))
      }
      expect(new Set(answers).size).toBe(1)
      expect(answers[0]).toContain(
        own ? '[401,"Bearer error=\\"invalid_token\\""' : '[401,"Bearer error=\\"invalid_token\\",',
      )
    })

    it('R46: a revoked token is refused at the next request, in the middle of a conversation', async () => {
      const made = await world.token()
      const client = await connected(example.url, made.secret)
      await client.callTool({ name: 'whoami', arguments: {} })
      await world.op('revoke_token', { token_id: made.id })
      await expect(client.callTool({ name: 'whoami', arguments: {} })).rejects.toThrow()
      expect(await statusFor(made.secret)).toBe(401)
      await client.close()
    })

    it('a token for another server is 403, until it is given this one', async () => {
      const made = await world.token({ access: { servers: [world.servers.other] } })
      const answer = await ask(made.secret)
      expect(answer.status).toBe(403)
      if (own) expect(await answer.json()).toEqual(forbidden)
      expect(await statusFor((await world.token({ access: {} })).secret)).toBe(403)
      await world.op('update_token', { token_id: made.id, access: { servers: [world.servers.weather] } })
      expect(await statusFor(made.secret)).toBe(200)
    })

    it('a token bound to addresses is good from those only, whatever the request says of its own', async () => {
      const elsewhere = await world.token({ allowed_ips: ['203.0.113.0/24'] })
      const lies = {
        'x-forwarded-for': '203.0.113.1',
        forwarded: 'for=203.0.113.1',
        'x-real-ip': '203.0.113.1',
      }
      const answer = await post(example.url, { ...bearer(elsewhere.secret), ...lies })
      expect(answer.status).toBe(403)
      if (own) expect(await answer.json()).toEqual(notFromHere)
      const here = await world.token({ allowed_ips: ['127.0.0.1'] })
      // The middleware of the SDK does not say where a request is from.
      expect(await statusFor(here.secret)).toBe(own ? 200 : 403)
    })

    it('a token at its limit is told so, each request counting once, and is good again in the next window', async () => {
      const limits = { requests: 2, per_seconds: 60 }
      // Windows begin at whole minutes; this one has just begun.
      world.clock.now = Math.ceil(world.clock.now / 60_000) * 60_000
      const made = await world.token({ access: { servers: [world.servers.weather], limits } })
      const answers = [await ask(made.secret), await ask(made.secret), await ask(made.secret)]
      expect(answers.map(({ status }) => status)).toEqual([200, 200, own ? 429 : 400])
      if (own) {
        const told = answers.map(({ headers }) => headers.get('ratelimit-remaining'))
        expect(told).toEqual(['1', '0', '0'])
        const wait = Number(answers[2]?.headers.get('retry-after'))
        expect(wait).toBeGreaterThan(0)
        expect(wait).toBeLessThanOrEqual(60)
      }
      world.clock.pass(60_000)
      expect(await statusFor(made.secret)).toBe(200)
    })

    it('100 requests at once of two tokens each learn whose token theirs is', async () => {
      const two = [await world.token({ name: 'one' }), await world.token({ name: 'two' })]
      const seen = await Promise.all(
        Array.from({ length: 100 }, async (_, n) => {
          const made = two[n % 2]
          return (await whoami(made?.secret ?? '')).token_id === made?.id
        }),
      )
      expect(seen).toEqual(Array(100).fill(true))
    })

    it(`R18: while Tokenwright is down nobody gets in (${down}), and after that everybody who may`, async () => {
      const { secret } = await world.token()
      expect(await statusFor(secret)).toBe(200)
      await world.road.end()
      const answer = await ask(secret)
      expect(answer.status).toBe(down)
      expect(answer.headers.get('www-authenticate')).toBeNull()
      if (own) expect(answer.headers.get('retry-after')).toBe('5')
      expect(await answer.text()).not.toContain(world.road.url)
      await world.road.begin()
      expect(await statusFor(secret)).toBe(200)
      await vi.waitFor(() => expect(example.errors()).toContain('Tokenwright cannot be reached.'))
      for (const hidden of [secret, world.key]) expect(example.errors()).not.toContain(hidden.slice(5, 21))
    })

    it('R18: an answer that is none lets nobody in, and a redirect is not followed', async () => {
      const { secret } = await world.token()
      for (const condition of ['cut', 'redirecting', 'babbling', 'nodding', 'endless'] as const) {
        world.road.condition = condition
        expect([condition, await statusFor(secret)]).toEqual([condition, down])
      }
      expect(world.road.followed).toBe(0)
      world.road.condition = 'open'
      expect(await statusFor(secret)).toBe(200)
    })

    it('what goes to Tokenwright is the token and the question, with the key of the guard and nothing of the caller', async () => {
      const { secret } = await world.token()
      await post(example.url, {
        ...bearer(secret),
        cookie: 'a=b',
        'x-forwarded-for': '1.2.3.4',
        'x-mine': 'yes',
      })
      const [{ path, headers, body } = { path: '', headers: {}, body: '' }, ...more] = world.road.passed
      expect([path, more]).toEqual(['/oauth2/introspect', []])
      expect(headers.authorization).toBe(`Bearer ${world.key}`)
      expect(JSON.stringify(headers)).not.toMatch(/cookie|forwarded|x-mine|1\.2\.3\.4/)
      const asked = Object.fromEntries(new URLSearchParams(body))
      const tool = file === 'protected-server/server.ts' ? { tool: 'whoami' } : {}
      expect(asked).toEqual({ token: secret, server: 'weather', ip: own ? '127.0.0.1' : '::', ...tool })
    })
  })

  describe('protected-server/server.ts', () => {
    let example: Example
    const env = () => ({ TOKENWRIGHT_URL: world.road.url, TOKENWRIGHT_KEY: world.key })
    beforeAll(async () => {
      world.road.condition = 'open'
      example = await startExample('protected-server/server.ts', env())
    })
    afterAll(() => example.stop())

    it('R18: a Tokenwright that does not answer, or not to the end, is given two seconds', async () => {
      const { secret } = await world.token()
      for (const condition of ['silent', 'dripping'] as const) {
        world.road.condition = condition
        const before = performance.now()
        expect((await post(example.url, bearer(secret))).status).toBe(503)
        expect(performance.now() - before).toBeLessThan(4_000)
      }
      world.road.condition = 'open'
      expect((await post(example.url, bearer(secret))).status).toBe(200)
    })

    it('R18: a guard whose key is none lets nobody in and says 503, not 401', async () => {
      const { secret } = await world.token()
      const lost = await startExample('protected-server/server.ts', {
        ...env(),
        TOKENWRIGHT_KEY: 'mcpm_none',
      })
      expect((await post(lost.url, bearer(secret))).status).toBe(503)
      const said = 'Tokenwright refuses the key of this guard'
      await vi.waitFor(() => expect(lost.errors()).toContain(said))
      await lost.stop()
    })

    it('the tool rules of a token hold, however the call is sent', async () => {
      const tool_rules = { deny: ['weather/whoami'] }
      const { secret } = await world.token({ access: { servers: [world.servers.weather], tool_rules } })
      const forecast = callOf('get_forecast', { city: 'Oslo' })
      const whoami = callOf('whoami')
      const send = async (message: unknown, headers = {}) => {
        const answer = await post(example.url, { ...bearer(secret), ...headers }, message)
        return { status: answer.status, text: await answer.text() }
      }
      expect(await send(forecast)).toMatchObject({ status: 200, text: expect.stringContaining('sun') })
      expect(await send(whoami)).toMatchObject({ status: 403, text: JSON.stringify(forbidden) })
      const hidden: [unknown, Record<string, string>?][] = [
        [whoami, { 'content-type': 'text/plain; x=application/json' }],
        [whoami, { 'content-type': 'application/json; charset=utf-16le' }],
        [[forecast, { ...whoami, id: 2 }]],
        [[whoami]],
        [`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_forecast","name":"whoami"}}`],
        [`{"method":"tools/list","jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}`],
        [{ ...whoami, params: { name: ['whoami'] } }],
        [{ ...whoami, params: { name: 'whoami\0' } }],
        [{ ...whoami, params: { name: '\ud800' } }],
        [{ ...whoami, params: { name: 'x'.repeat(10_000) } }],
        [{ ...whoami, params: null }],
        ['nonsense'],
        [''],
      ]
      for (const [message, headers] of hidden) {
        const { status, text } = await send(message, headers)
        expect([message, headers, status >= 400 && status < 500]).toEqual([message, headers, true])
        expect(text).not.toContain('token_id')
      }
    })
  })
})

describe('an example', () => {
  it('does not start without the address of Tokenwright or its key', async () => {
    const start = (env: Record<string, string>) => startExample('protected-server/server.ts', env)
    await expect(start({ TOKENWRIGHT_KEY: 'mcpm_key' })).rejects.toThrow('url: give the address')
    await expect(start({ TOKENWRIGHT_URL: 'http://127.0.0.1:1' })).rejects.toThrow('key: is missing')
  })
})
