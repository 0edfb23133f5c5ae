import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Lookups } from '../../db/lookup.ts'
import { makeCounting } from '../../src/core/counting.ts'
import { makeVerifier, type Verifier } from '../../src/core/verify.ts'
import { makeSecret } from '../../src/domain/secret.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance } from '../support/instance.ts'
import { makeToken, plantKey, plantProject, plantServer, plantUser } from '../support/world.ts'

/** The look-ups as they are, and the names of those that were asked. */
function watched(lookups: Lookups): { lookups: Lookups; asked: string[] } {
  const asked: string[] = []
  const watch = (name: string, find: Lookups[keyof Lookups]) => (args: readonly unknown[]) => {
    asked.push(name)
    return find(args)
  }
  const all = Object.entries(lookups).map(([name, find]) => [name, watch(name, find)])
  return { lookups: Object.fromEntries(all), asked }
}

describe.each(databases)('verifying on $name', (database) => {
  let instance: Instance
  let verifier: Verifier
  let asked: string[]
  beforeAll(async () => {
    instance = await openInstance(database)
    const { keys, uses, clock, store } = instance.core
    const { lookups, asked: names } = watched(instance.core.lookups)
    asked = names
    verifier = makeVerifier(lookups, keys.pepper, uses, makeCounting(store, lookups), clock)
  })
  afterAll(() => instance.close())

  it('R30: every well-shaped secret that is no good costs the same look-ups, with and without a server, in and out of scope', async () => {
    const past = new Date(instance.clock.now - 60_000).toISOString()
    const future = new Date(instance.clock.now + 3_600_000).toISOString()
    const { project_id } = await plantProject(instance)
    const other = await plantProject(instance)
    const { slug } = await plantServer(instance)
    const plant = async (columns: object) => (await plantKey(instance, 'access', columns)).secret
    const bad = {
      unknown: makeSecret('mcpt'),
      revoked: await plant({ project_id, revoked_at: past }),
      disabled: await plant({ project_id, enabled: 0 }),
      later: await plant({ project_id, not_before: future }),
      expired: await plant({ project_id, expires_at: past }),
      orphaned: await plant({ project_id, owner_id: await plantUser(instance, { enabled: 0 }) }),
      foreign: await plant({ project_id: other.project_id }),
      key: (await plantKey(instance, 'management', { project_id })).secret,
    }
    for (const [what, secret] of Object.entries(bad)) {
      for (const [request, cost] of [
        [{}, ['bySecret', 'byPrevious']],
        [{ server: slug }, ['bySecret', 'byPrevious', 'reached']],
        [{ server: 'none', tool: 'x', ip: '192.0.2.1' }, ['bySecret', 'byPrevious', 'reached']],
      ] as const) {
        asked.length = 0
        const { verdict } = await verifier.verify(secret, request, { within: { project_id }, count: true })
        expect([what, verdict === 'valid', [...asked].sort()]).toEqual([what, false, [...cost].sort()])
      }
    }
  })

  it('R1: what is malformed costs none', async () => {
    for (const secret of ['', 'x', 'mcpt_short', `${makeSecret('mcpt').slice(0, -1)}!`]) {
      asked.length = 0
      expect([(await verifier.verify(secret, { server: 'x' })).verdict, asked]).toEqual(['unknown', []])
    }
  })

  it('R15: a token outside of what is asked within is unknown, and neither used nor counted', async () => {
    const [own, other] = [await plantProject(instance), await plantProject(instance)]
    const access = { limits: { max_uses: 1 } }
    const { id, secret } = await makeToken(instance, { project_id: other.project_id, access })
    const within = { project_id: own.project_id }
    const found = await verifier.verify(secret, {}, { within, count: true })
    expect([found.verdict, found.token, found.limit]).toEqual(['unknown', undefined, undefined])
    const inside = await verifier.verify(
      secret,
      {},
      { within: { project_id: other.project_id }, count: true },
    )
    expect([inside.verdict, inside.token?.id, inside.limit?.remaining]).toEqual(['valid', id, 0])
    expect((await verifier.verify(secret, {}, { within: { token_id: 'mgtk_other' } })).verdict).toBe(
      'unknown',
    )
    expect((await verifier.verify(secret, {}, { within: { owner_id: 'usr_other' } })).verdict).toBe('unknown')
  })
})
