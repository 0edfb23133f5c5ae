import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addressGroup } from '../../src/domain/ip-range.ts'
import { makeFailureLimit } from '../../src/http/failures.ts'
import { database } from '../support/databases.ts'
import { liveHeap } from '../support/heap.ts'
import { openServing, type Running } from './serving.ts'

describe('failed authentications', () => {
  let running: Running
  beforeAll(async () => {
    running = await openServing(database('sqlite'), { trustedProxies: ['127.0.0.1'] })
  })
  afterAll(() => running.close())

  const fail = (from: string) => running.call('list_groups', {}, 'wrong', { 'x-forwarded-for': from })

  it('R29: after 100 a minute from one address they are 429 with Retry-After; a good credential is let in', async () => {
    for (let i = 0; i < 100; i++) expect((await fail('198.51.100.9')).status).toBe(401)
    const refused = await fail('198.51.100.9')
    expect([refused.status, refused.headers.get('retry-after'), refused.json.error]).toEqual([
      429,
      '60',
      'rate_limited',
    ])
    const genuine = await running.call('list_groups', {}, running.adminKey, {
      'x-forwarded-for': '198.51.100.9',
    })
    expect(genuine.status).toBe(200)
    expect((await fail('198.51.100.10')).status).toBe(401)
    expect((await fail('2001:db8::1')).status).toBe(401)
  })

  it('R29: an IPv6 caller is known by its /64', () => {
    expect(addressGroup('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2')
    expect(addressGroup('2001:db8:1:2::9')).toBe('2001:db8:1:2')
    expect(addressGroup('2001:db8::1')).toBe('2001:db8:0:0')
    expect(addressGroup('::1')).toBe('0:0:0:0')
    expect(addressGroup('192.0.2.1')).toBe('192.0.2.1')
  })

  it('R29: 100,000 made-up addresses cost at most 20 MiB', async () => {
    const limit = makeFailureLimit(100)
    const before = liveHeap()
    for (let i = 0; i < 100_000; i++) await limit.count(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
    expect(liveHeap() - before).toBeLessThan(20 * 1024 * 1024)
  })
})
