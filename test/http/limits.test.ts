import Database from 'better-sqlite3'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../support/databases.ts'
import { openServing, type Running } from './serving.ts'

/** Keeps what is counted from being written until the answer is called. */
async function lockCounts(location: string): Promise<() => Promise<void>> {
  if (location.startsWith('postgres')) {
    const client = new pg.Client({ connectionString: location })
    await client.connect()
    await client.query('begin')
    await client.query('lock table token_limits in exclusive mode')
    return () => client.end()
  }
  const handle = new Database(location)
  handle.exec('begin immediate')
  return async () => void handle.close()
}

describe.each(databases)('a token with limits over HTTP on $name', (database) => {
  let running: Running
  beforeAll(async () => {
    running = await openServing(database)
  })
  afterAll(() => running.close())

  const make = async (limits: object): Promise<{ id: string; secret: string }> => {
    const { json } = await running.call('create_token', { name: 'limited', access: { limits } })
    return { id: json.token.id, secret: json.delivery.secret }
  }
  const usage = async (token_id: string) => (await running.call('get_token', { token_id })).json.token.usage
  const toMinute = () => {
    running.clock.now = (Math.floor(running.clock.now / 60_000) + 1) * 60_000
  }
  const forwarded = (secret: string) =>
    running.send('/auth/verify', { headers: { authorization: `Bearer ${secret}` } })
  const told = ({ headers }: { headers: Headers }) =>
    ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset', 'retry-after'].map((name) =>
      headers.get(name),
    )

  it('validate_token answers 200 at the limit as well, with the verdict and where the token stands', async () => {
    toMinute()
    const { id, secret } = await make({ requests: 2, per_seconds: 60 })
    const seen = []
    for (let n = 0; n < 3; n++) seen.push(await running.call('validate_token', { token: secret }))
    expect(seen.map(({ status, json }) => [status, json.valid, json.verdict, json.limit])).toEqual([
      [200, true, 'valid', { limit: 2, remaining: 1, reset: 60, retry_after: null }],
      [200, true, 'valid', { limit: 2, remaining: 0, reset: 60, retry_after: null }],
      [200, false, 'limit_reached', { limit: 2, remaining: 0, reset: 60, retry_after: 60 }],
    ])
    expect((await usage(id)).uses).toBe(2)
  })

  it('forward-auth answers 429 with Retry-After at the limit, and tells it in headers from the first request on', async () => {
    toMinute()
    const { secret } = await make({ requests: 2, per_seconds: 60 })
    const seen = [await forwarded(secret), await forwarded(secret)]
    running.clock.pass(18_000)
    seen.push(await forwarded(secret))
    running.clock.pass(42_000)
    seen.push(await forwarded(secret))
    expect(seen.map((answer) => [answer.status, ...told(answer)])).toEqual([
      [200, '2', '1', '60', null],
      [200, '2', '0', '60', null],
      [429, '2', '0', '42', '42'],
      [200, '2', '1', '60', null],
    ])
  })

  it('where all uses are used up no time is named at which to come again', async () => {
    const { secret } = await make({ max_uses: 1 })
    const seen = [await forwarded(secret), await forwarded(secret)]
    expect(seen.map((answer) => [answer.status, ...told(answer)])).toEqual([
      [200, '1', '0', null, null],
      [429, '1', '0', null, null],
    ])
  })

  it('one validation counts once, whatever is asked and however many are asked at once', async () => {
    const { id, secret } = await make({ max_uses: 1_000 })
    const ask = (more: object) => running.call('validate_token', { token: secret, ...more })
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => ask(n % 2 ? { ip: '192.0.2.1' } : {})),
    )
    expect(new Set(answers.map(({ json }) => json.limit.remaining)).size).toBe(40)
    await ask({ server: 'none' })
    await running.call('get_token', { token_id: id }, secret)
    await running.call('get_token', { token_id: id }, secret)
    expect((await usage(id)).uses).toBe(40)
  })

  it('a token without limits has none of it in its answers', async () => {
    const { json } = await running.call('create_token', { name: 'free' })
    const answer = await running.call('validate_token', { token: json.delivery.secret })
    expect(Object.keys(answer.json)).not.toContain('limit')
    expect(told(await forwarded(json.delivery.secret))).toEqual([null, null, null, null])
  })

  it('R18: while a use cannot be counted it is let through nowhere: 503 with Retry-After, and counted once it can', async () => {
    const { id, secret } = await make({ max_uses: 1_000 })
    expect((await running.call('validate_token', { token: secret })).json.valid).toBe(true)
    const unlock = await lockCounts(running.place.location)
    const [validated, asked] = await Promise.all([
      running.call('validate_token', { token: secret }),
      forwarded(secret),
    ])
    expect([validated.status, validated.json.error, validated.headers.get('retry-after')]).toEqual([
      503,
      'unavailable',
      '5',
    ])
    expect([asked.status, asked.headers.get('retry-after')]).toEqual([503, '5'])
    await unlock()
    expect((await running.call('validate_token', { token: secret })).json.valid).toBe(true)
    expect((await usage(id)).uses).toBe(2)
  }, 30_000)
})
