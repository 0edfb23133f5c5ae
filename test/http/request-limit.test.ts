import { describe, expect, it } from 'vitest'
import { defaultLimits } from '../../src/http/limits.ts'
import { database } from '../support/databases.ts'
import { verifies } from '../support/verifies.ts'
import { type Answer, openServing, type Running } from './serving.ts'

/** So many requests at once by the admin key, and one by a key of its own. */
async function burst(running: Running, path: string, init: RequestInit = {}) {
  const made = await running.call('create_management_key', { name: 'busy', role: 'admin' })
  const headers = { authorization: `Bearer ${made.json.secret}`, 'content-type': 'application/json' }
  const answers = await Promise.all(
    Array.from({ length: 12 }, () => running.send(path, { ...init, headers })),
  )
  return answers.filter(({ status }) => status === 429)
}

describe('the limit of requests', () => {
  it(`${verifies('metorial:wire:rate-limit:retry-after')} holds for one credential where the operator set it, and tells how long to wait`, async () => {
    const running = await openServing(database('sqlite'), {
      limits: { ...defaultLimits, requestsPerSecond: 5 },
    })
    const routes: [string, RequestInit, (refused: Answer) => void][] = [
      [
        '/magic-mcp-tokens',
        {},
        ({ json }) =>
          expect(json).toMatchObject({ object: 'error', status: 429, code: 'rate_limit_exceeded' }),
      ],
      [
        '/v1/list_groups',
        { method: 'POST', body: '{}' },
        ({ json }) => expect(json.error).toBe('rate_limited'),
      ],
    ]
    for (const [path, init, check] of routes) {
      const refused = await burst(running, path, init)
      expect(refused.length).toBeGreaterThanOrEqual(2)
      for (const answer of refused) {
        check(answer)
        const wait = Number(answer.headers.get('retry-after'))
        expect([Number.isInteger(wait), wait >= 1, wait <= 5]).toEqual([true, true, true])
      }
    }
    expect((await running.call('list_groups', {})).status).toBe(200)
    await running.close()
  })

  it('is none by default', async () => {
    const running = await openServing(database('sqlite'))
    expect(await burst(running, '/magic-mcp-tokens')).toEqual([])
    await running.close()
  })
})
