import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { authorizer, GuardError, type GuardOptions, identityOf, nodeGuard } from '../../src/guard/index.ts'
import { databases } from '../support/databases.ts'
import { type Condition, listening } from './road.ts'
import { openWorld, type World } from './world.ts'

const bearer = (secret: string) => ({ headers: { authorization: `Bearer ${secret}` } })

describe.each(databases)('guards on $name', (database) => {
  let world: World
  /** What the guard could not find out, as it reports it. */
  let faults: Error[] = []
  let options: GuardOptions
  const opened: { close(): Promise<void> }[] = []

  beforeAll(async () => {
    world = await openWorld(database)
    const onError = (error: Error) => faults.push(error)
    options = { url: world.road.url, key: world.key, server: 'weather', onError }
  })
  afterAll(() => world.close())
  beforeEach(() => {
    faults = []
    world.road.condition = 'open'
    world.road.delay = 0
    world.road.passed.length = 0
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()))
  })

  async function protectedBy(
    more: Partial<Parameters<typeof nodeGuard>[0]> = {},
    handler: (request: IncomingMessage, response: ServerResponse) => unknown = (request, response) =>
      response.end(identityOf(request).token_id),
  ) {
    const server = await listening(nodeGuard({ ...options, ...more })(handler))
    opened.push(server)
    return server.url
  }

  describe('asking', () => {
    it('a refusal says what is missing in {error, detail}, and is kept by nobody', async () => {
      const url = await protectedBy()
      const elsewhere = await world.token({ access: { servers: [world.servers.other] } })
      const bound = await world.token({ allowed_ips: ['203.0.113.0/24'] })
      const seen = async (init: RequestInit) => {
        const answer = await fetch(url, init)
        const headers = ['content-type', 'cache-control', 'x-content-type-options'].map((name) =>
          answer.headers.get(name),
        )
        expect(headers).toEqual(['application/json', 'no-store', 'nosniff'])
        return [answer.status, answer.headers.get('www-authenticate'), await answer.json()]
      }
      const unauthenticated = {
        error: 'unauthenticated',
        detail: 'Send a good token as "Authorization: Bearer <token>".',
      }
      expect(await seen({})).toEqual([401, 'Bearer', unauthenticated])
      expect(await seen(bearer('x'))).toEqual([401, 'Bearer error="invalid_token"', unauthenticated])
      expect(await seen(bearer(elsewhere.secret))).toEqual([
        403,
        null,
        { error: 'forbidden', detail: 'The token is good, but not for this server.' },
      ])
      expect(await seen(bearer(bound.secret))).toEqual([
        403,
        null,
        { error: 'ip_not_allowed', detail: 'The token is good, but not from this address.' },
      ])
      await world.road.end()
      expect(await seen(bearer(bound.secret))).toEqual([
        503,
        null,
        { error: 'unavailable', detail: 'The token cannot be checked now. Try again later.' },
      ])
      await world.road.begin()
    })

    it('the question goes over connections that are kept, below the path of the address, and bodies are left to the server', async () => {
      const { secret } = await world.token()
      const url = await protectedBy({ url: `${world.road.url}/` }, async (request, response) => {
        let body = ''
        for await (const chunk of request) body += chunk
        response.end(body)
      })
      const before = world.road.connections
      for (let n = 0; n < 20; n++) {
        const answer = await fetch(url, { method: 'POST', body: `body ${n}`, ...bearer(secret) })
        expect(await answer.text()).toBe(`body ${n}`)
      }
      expect(world.road.connections - before).toBeLessThanOrEqual(2)
      const below = authorizer({ ...options, url: `${world.road.url}/behind/a/path/` })
      expect(await below(secret)).toMatchObject({ allowed: false, status: 503 })
      expect(world.road.passed.at(-1)?.path).toBe('/behind/a/path/oauth2/introspect')
    })

    it('R18: whatever keeps Tokenwright from answering is 503 and told to onError, by its kind and without a secret', async () => {
      const { secret } = await world.token()
      const ask = authorizer({ ...options, timeoutMs: 300 })
      const seen: Partial<Record<Condition, unknown>> = {}
      const conditions: Condition[] = [
        'silent',
        'dripping',
        'cut',
        'redirecting',
        'babbling',
        'nodding',
        'endless',
      ]
      for (const condition of conditions) {
        world.road.condition = condition
        const started = performance.now()
        const decision = await ask(secret)
        expect(performance.now() - started).toBeLessThan(2_000)
        expect(decision).toMatchObject({ allowed: false, status: 503, error: 'unavailable' })
        const [fault, ...more] = faults.splice(0)
        expect(more).toEqual([])
        expect(fault).toBeInstanceOf(GuardError)
        for (const hidden of [secret, world.key]) expect(fault?.message).not.toContain(hidden.slice(5, 21))
        seen[condition] = (fault as GuardError).reason
      }
      expect(seen).toEqual({
        silent: 'timeout',
        dripping: 'timeout',
        cut: 'unreachable',
        redirecting: 'unexpected',
        babbling: 'unexpected',
        nodding: 'unexpected',
        endless: 'unexpected',
      })
      expect(world.road.followed).toBe(0)
      world.road.condition = 'open'
      expect(await ask(secret)).toMatchObject({ allowed: true })
    })

    it('R18: a key that is none, is an access token, or may no longer ask, is 503 and not the fault of the caller', async () => {
      const { secret } = await world.token()
      const { secret: key, key: made } = await world.op('create_management_key', {
        name: 'old',
        role: 'validator',
      })
      const ask = authorizer({ ...options, key })
      expect(await ask(secret)).toMatchObject({ allowed: true })
      await world.op('revoke_management_key', { key_id: made.id })
      const wrong = [
        ask,
        authorizer({ ...options, key: 'mcpm_none' }),
        authorizer({ ...options, key: secret }),
      ]
      for (const one of wrong) expect(await one(secret)).toMatchObject({ allowed: false, status: 503 })
      expect(faults.map((fault) => (fault as GuardError).reason)).toEqual(Array(3).fill('key_refused'))
    })

    it('a callback of the author that fails refuses the request', async () => {
      const { secret } = await world.token()
      const fail = () => {
        throw new Error('mine')
      }
      for (const more of [{ address: fail }, { tool: fail }, { tool: async () => fail() }]) {
        expect((await fetch(await protectedBy(more), bearer(secret))).status).toBe(503)
      }
      expect(faults.map(({ message }) => message)).toEqual(['mine', 'mine', 'mine'])
      const ask = authorizer({ ...options, url: 'http://127.0.0.1:1', onError: fail })
      expect(await ask(secret)).toMatchObject({ allowed: false, status: 503 })
    })

    it('without onError each kind of fault is a warning of the process, once', async () => {
      const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
      const ask = authorizer({ ...options, onError: undefined })
      world.road.condition = 'cut'
      for (let n = 0; n < 3; n++) await ask('x')
      world.road.condition = 'babbling'
      for (let n = 0; n < 3; n++) await ask('x')
      const warned = warn.mock.calls.map(([message]) => message)
      warn.mockRestore()
      expect(warned).toEqual(['Tokenwright cannot be reached.', 'The answer of Tokenwright is no JSON.'])
    })

    it('a caller who leaves while Tokenwright is asked is not served', async () => {
      const { secret } = await world.token()
      let served = 0
      const url = await protectedBy({}, (_, response) => {
        served += 1
        response.end()
      })
      world.road.delay = 200
      const leaving = fetch(url, { signal: AbortSignal.timeout(100), ...bearer(secret) })
      await expect(leaving).rejects.toThrow()
      await vi.waitFor(() => expect(world.road.passed.length).toBe(1))
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(served).toBe(0)
      expect((await fetch(url, bearer(secret))).status).toBe(200)
      expect(served).toBe(1)
    })

    it('what is no token, or has no form of one, is refused without asking', async () => {
      const ask = authorizer(options)
      for (const token of [
        '',
        'a b',
        'x\n',
        'é',
        'x'.repeat(513),
        `${world.key} `,
        undefined as never,
        {} as never,
      ]) {
        expect(await ask(token)).toMatchObject({ allowed: false, status: 401 })
      }
      expect(world.road.passed).toEqual([])
    })
  })

  describe('addresses', () => {
    it('R28: the address asked about is that of the peer, or what the author says it is; one that is none is on no list', async () => {
      const { secret } = await world.token({ allowed_ips: ['203.0.113.0/24', '2001:db8::/32'] })
      const free = await world.token()
      const behindProxy = await protectedBy({
        address: ({ headers }) => headers['x-real-ip']?.toString(),
      })
      const status = async (ip: string | undefined, token = secret) => {
        const headers = { ...bearer(token).headers, ...(ip === undefined ? {} : { 'x-real-ip': ip }) }
        return (await fetch(behindProxy, { headers })).status
      }
      for (const ip of ['203.0.113.7', '::ffff:203.0.113.7', '2001:db8::1'])
        expect(await status(ip)).toBe(200)
      const none = [undefined, '', '::', '0.0.0.0', '127.0.0.1', '203.0.113.7:80', '203.0.113.007', 'unknown']
      for (const ip of [...none, '2001:db8::1%eth0', '[2001:db8::1]', '203.0.113.0/24', 'x'.repeat(1_000)]) {
        expect([ip, await status(ip)]).toEqual([ip, 403])
        expect([ip, await status(ip, free.secret)]).toEqual([ip, 200])
      }
      expect(faults).toEqual([])
    })
  })

  describe('identity', () => {
    it('it is told whose token it is: owner, project, groups, servers, end', async () => {
      const { user } = await world.op('create_user', {
        email: 'ada@example.com',
        name: 'Ada',
        password: 'correct horse battery',
      })
      const { project } = await world.op('create_project', { name: 'apollo' })
      await world.op('add_project_member', { project_id: project.id, user_id: user.id })
      const { group } = await world.op('create_group', { name: 'Night shift' })
      await world.op('add_group_servers', { group_id: group.id, server_ids: [world.servers.weather] })
      const made = await world.token({ owner_id: user.id, access: { groups: [group.id] }, expires_at: null })
      const decision = await authorizer(options)(made.secret)
      expect(decision).toEqual({
        allowed: true,
        headers: {},
        identity: {
          token_id: made.id,
          name: 'made',
          kind: 'access',
          owner_id: user.id,
          owner_email: 'ada@example.com',
          project_id: null,
          groups: [group.slug],
          servers: ['weather'],
          expires_at: null,
        },
      })
    })

    it('a request no guard let in has none, whatever is written on it', async () => {
      const answer = await fetch(
        (
          await (async () => {
            const server = await listening((request, response) => {
              Object.assign(request, {
                auth: { clientId: 'mgtk_x', extra: { token_id: 'mgtk_x' } },
                token: {},
              })
              try {
                response.end(identityOf(request).token_id)
              } catch (error) {
                response.writeHead(500).end(String(error))
              }
            })
            opened.push(server)
            return server
          })()
        ).url,
      )
      expect([answer.status, await answer.text()]).toEqual([500, 'Error: No guard let this request in.'])
      expect(() => identityOf(undefined)).toThrow('No guard')
      expect(() => identityOf({ clientId: 'x' })).toThrow('No guard')
    })
  })
})
