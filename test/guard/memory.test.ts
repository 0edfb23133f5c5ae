import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { authorizer, type GuardOptions, nodeGuard } from '../../src/guard/index.ts'
import { databases } from '../support/databases.ts'
import { listening } from './road.ts'
import { openWorld, type World } from './world.ts'

describe.each(databases)('the memory of a guard on $name', (database) => {
  let world: World
  let options: GuardOptions
  beforeAll(async () => {
    world = await openWorld(database)
    options = { url: world.road.url, key: world.key, server: 'weather', onError: () => undefined }
  })
  afterAll(() => world.close())
  beforeEach(() => {
    world.road.delay = 0
    world.road.passed.length = 0
  })

  it('R46: it is off unless asked for: every request is a question, and a revoked token is refused by the next', async () => {
    const made = await world.token()
    const ask = authorizer(options)
    for (let n = 0; n < 5; n++) expect(await ask(made.secret)).toMatchObject({ allowed: true })
    expect(world.road.passed.length).toBe(5)
    await world.op('revoke_token', { token_id: made.id })
    expect(await ask(made.secret)).toMatchObject({ allowed: false, status: 401 })
  })

  it('R46: with it a yes is remembered for at most that long, counted from the question', async () => {
    const made = await world.token()
    const handler = (_: IncomingMessage, response: ServerResponse) => response.end()
    const { url, close } = await listening(nodeGuard({ ...options, cacheMs: 1_000 })(handler))
    const status = async () =>
      (await fetch(url, { headers: { authorization: `Bearer ${made.secret}` } })).status
    // The road is slow, and the second begins before it.
    world.road.delay = 300
    const asked = performance.now()
    expect(await status()).toBe(200)
    await world.op('revoke_token', { token_id: made.id })
    const first = performance.now()
    for (let n = 0; n < 10; n++) expect([200, 401]).toContain(await status())
    if (performance.now() - asked < 1_000) expect(world.road.passed.length).toBe(1)
    while ((await status()) === 200) {
      expect(performance.now() - first).toBeLessThan(1_000)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(await status()).toBe(401)
    await close()
  })

  it('R46: an answer that took longer than that is not remembered at all', async () => {
    const { secret } = await world.token()
    const ask = authorizer({ ...options, cacheMs: 200 })
    world.road.delay = 250
    for (let n = 0; n < 2; n++) expect(await ask(secret)).toMatchObject({ allowed: true })
    expect(world.road.passed.length).toBe(2)
  })

  it('each request of a token with limits counts, so nothing is remembered of one', async () => {
    const access = { servers: [world.servers.weather], limits: { max_uses: 2 } }
    const { secret } = await world.token({ access })
    const ask = authorizer({ ...options, cacheMs: 1_000 })
    const seen = []
    for (let n = 0; n < 3; n++) seen.push((await ask(secret)).headers['ratelimit-remaining'])
    expect(seen).toEqual(['1', '0', '0'])
    expect(await ask(secret)).toMatchObject({ allowed: false, status: 429, error: 'rate_limited' })
  })

  it('what is remembered of one token, tool or address says nothing of another', async () => {
    const one = await world.token({ name: 'one', allowed_ips: ['192.0.2.1', '192.0.2.2'] })
    const two = await world.token({ name: 'two' })
    const ask = authorizer({ ...options, cacheMs: 1_000 })
    const asked = async (secret: string, more?: { ip?: string; tool?: string }) => {
      const before = world.road.passed.length
      const decision = await ask(secret, more)
      const name = decision.allowed ? decision.identity.name : decision.status
      return [name, world.road.passed.length - before]
    }
    expect(await asked(one.secret, { ip: '192.0.2.1' })).toEqual(['one', 1])
    expect(await asked(one.secret, { ip: '192.0.2.1' })).toEqual(['one', 0])
    expect(await asked(one.secret, { ip: '192.0.2.2' })).toEqual(['one', 1])
    expect(await asked(one.secret, { ip: '192.0.2.1', tool: 'a' })).toEqual(['one', 1])
    expect(await asked(one.secret, { ip: '192.0.2.3' })).toEqual([403, 2])
    expect(await asked(one.secret)).toEqual([403, 2])
    expect(await asked(two.secret)).toEqual(['two', 1])
    expect(await asked(two.secret)).toEqual(['two', 0])
  })

  it('a no is never remembered, so what is made good works at once', async () => {
    const made = await world.token({ access: { servers: [world.servers.other] } })
    const ask = authorizer({ ...options, cacheMs: 1_000 })
    expect(await ask(made.secret)).toMatchObject({ status: 403 })
    await world.op('update_token', { token_id: made.id, access: { servers: [world.servers.weather] } })
    expect(await ask(made.secret)).toMatchObject({ allowed: true })
  })

  it('nothing is remembered beyond the end of its token', async () => {
    world.clock.now = Date.now()
    const expires_at = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 300).toISOString()
    const made = await world.token({ expires_at })
    const ask = authorizer({ ...options, cacheMs: 1_000 })
    expect(await ask(made.secret)).toMatchObject({ allowed: true })
    world.clock.now = Date.parse(expires_at) + 1
    await new Promise((resolve) => setTimeout(resolve, Date.parse(expires_at) - Date.now()))
    expect(await ask(made.secret)).toMatchObject({ allowed: false, status: 401 })
  })

  if (database.name === 'sqlite')
    it('it holds 1,000 answers, the oldest out', async () => {
      const { secret } = await world.token()
      const ask = authorizer({ ...options, cacheMs: 1_000 })
      const at = (n: number) => ({ ip: `10.0.${n >> 8}.${n & 255}` })
      // Time stands still, so that only the number of answers counts.
      const now = vi.spyOn(performance, 'now').mockReturnValue(performance.now())
      try {
        for (let n = 0; n < 1_000; n++) await ask(secret, at(n))
        await ask(secret, at(0))
        expect(world.road.passed.length).toBe(1_000)
        await ask(secret, at(1_000))
        await ask(secret, at(1))
        expect(world.road.passed.length).toBe(1_001)
        await ask(secret, at(0))
        expect(world.road.passed.length).toBe(1_002)
      } finally {
        now.mockRestore()
      }
    })

  it('two handlers that are told of one remembered token cannot change it for each other', async () => {
    const { secret } = await world.token({ name: 'shared' })
    const ask = authorizer({ ...options, cacheMs: 1_000 })
    const [one, two] = [await ask(secret), await ask(secret)]
    if (!one.allowed || !two.allowed) throw new Error('it is good')
    expect(() => Object.assign(one.identity, { token_id: 'mine' })).toThrow(TypeError)
    expect(() => (one.identity.servers as string[]).push('other')).toThrow(TypeError)
    one.identity.expires_at?.setFullYear(1970)
    expect(two.identity.expires_at?.getTime()).toBeGreaterThan(Date.now())
  })
})
