import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GuardVariables, honoGuard, identityOf } from '../../src/guard/index.ts'
import { databases } from '../support/databases.ts'
import { openWorld, type World } from './world.ts'

// Beside Node there is no socket to look at: only what the Fetch API tells of a request.
describe.each(databases)('Hono without Node, on $name', (database) => {
  let world: World
  let app: Hono<{ Variables: GuardVariables }>
  beforeAll(async () => {
    world = await openWorld(database)
    app = new Hono<{ Variables: GuardVariables }>()
    app.use(honoGuard({ url: world.road.url, key: world.key, server: 'weather' }))
    app.get('/', (c) => c.json([c.get('token').token_id, c.get('auth').clientId, identityOf(c).token_id]))
    app.get('/raw', () => new Response('raw'))
  })
  afterAll(() => world.close())

  it('the identity is in the context, typed, under all three names', async () => {
    const { id, secret } = await world.token()
    const answer = await app.request('/', { headers: { authorization: `Bearer ${secret}` } })
    expect(await answer.json()).toEqual([id, id, id])
  })

  it('R21: two Authorization headers, which come as one text, are 401', async () => {
    const { secret } = await world.token()
    for (const pair of [
      [secret, 'x'],
      ['x', secret],
      [secret, secret],
    ]) {
      const headers = new Headers()
      for (const one of pair) headers.append('authorization', `Bearer ${one}`)
      expect((await app.request('/', { headers })).status).toBe(401)
    }
  })

  it('R28: an address nobody knows is on no list', async () => {
    const { secret } = await world.token({ allowed_ips: ['127.0.0.1', '::1'] })
    const headers = { authorization: `Bearer ${secret}`, 'x-forwarded-for': '127.0.0.1' }
    expect((await app.request('/', { headers })).status).toBe(403)
  })

  it('an answer of any kind carries what is left of a limit', async () => {
    const limits = { max_uses: 2 }
    const { secret } = await world.token({ access: { servers: [world.servers.weather], limits } })
    const seen = []
    for (const path of ['/', '/raw', '/']) {
      const { status, headers } = await app.request(path, { headers: { authorization: `Bearer ${secret}` } })
      seen.push([
        status,
        headers.get('ratelimit-limit'),
        headers.get('ratelimit-remaining'),
        headers.get('retry-after'),
      ])
    }
    // What is used up for ever names no time to come back.
    expect(seen).toEqual([
      [200, '2', '1', null],
      [200, '2', '0', null],
      [429, '2', '0', null],
    ])
  })
})
