import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as audit from '../../db/audit.ts'
import { disableDormant } from '../../src/core/dormant.ts'
import { update_project } from '../../tools/projects/update_project.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { set_token_enabled } from '../../tools/tokens/set_token_enabled.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance } from '../support/instance.ts'
import { makeToken, plantKey, plantProject, setPolicy, times, trailOf } from '../support/world.ts'

const day = 86_400_000
/** Behind this much more than the days, every process has told its uses. */
const told = 5 * 60_000 + 1_000

describe.each(databases)('dormant tokens on $name', (database) => {
  let instance: Instance
  beforeEach(async () => {
    instance = await openInstance(database)
  })
  afterEach(() => instance.close())

  const long = { expires_in_days: 3_000 }
  const status = async (id: string) =>
    (await instance.call('reader', get_token, { token_id: id })).token.status
  const use = async ({ secret }: { secret: string }, { core }: Instance = instance) => {
    expect((await core.verifier.verify(secret, {})).verdict).toBe('valid')
  }
  /** As the maintenance of a process does each minute. */
  const maintain = async ({ core }: Instance = instance) => {
    await core.uses.flush()
    await disableDormant(core)
  }

  it('R19: are switched off after their days, one row of the trail each, which names the system; keys that manage are not', async () => {
    const made = [await makeToken(instance, long), await makeToken(instance, long)]
    const key = await plantKey(instance, 'management', { role: 'reader' })
    const owned = await plantProject(instance)
    const userKey = await plantKey(instance, 'user_key', {
      owner_id: owned.user_id,
      project_id: owned.project_id,
      created_at: new Date(instance.clock.now).toISOString(),
    })
    await setPolicy(instance, { dormant_days: 30 })
    instance.clock.pass(30 * day)
    expect(await trailOf(instance, maintain)).toEqual([])
    instance.clock.pass(told)
    const rows = await trailOf(instance, maintain)
    const disabled = [...made.map(({ id }) => id), userKey.id]
    expect(rows.map(({ target_id }) => target_id).sort()).toEqual(disabled.sort())
    for (const row of rows)
      expect(row).toMatchObject({
        action: 'disable_dormant_token',
        outcome: 'ok',
        actor_kind: 'local',
        actor_id: 'maintenance',
        request_id: '',
      })
    expect(JSON.parse(rows[0]?.details ?? '')).toMatchObject({ dormant_days: 30, last_used_at: null })
    expect(await Promise.all(disabled.map(status))).toEqual(['disabled', 'disabled', 'disabled'])
    const { verdict } = await instance.core.verifier.verify(key.secret, {}, { management: true })
    expect(verdict).toBe('valid')
    expect(await trailOf(instance, maintain)).toEqual([])
    const { core } = instance
    expect((await audit.verifyChain(core.store.read, core.keys.audit)).first_bad_seq).toBeNull()
  })

  it('stay on while they are used, rotated or not valid yet; whoever is switched on again has all the days before it', async () => {
    const [used, rotated, again, future] = [
      await makeToken(instance, long),
      await makeToken(instance, long),
      await makeToken(instance, long),
      await makeToken(instance, {
        ...long,
        not_before: new Date(instance.clock.now + 60 * day).toISOString(),
      }),
    ]
    await setPolicy(instance, { dormant_days: 30 })
    instance.clock.pass(20 * day)
    await use(used)
    await instance.call('operator', rotate_token, { token_id: rotated.id })
    instance.clock.pass(11 * day)
    await maintain()
    const all = [used, rotated, again, future].map(({ id }) => id)
    expect(await Promise.all(all.map(status))).toEqual(['active', 'active', 'disabled', 'active'])
    await instance.call('operator', set_token_enabled, { token_id: again.id, enabled: true })
    instance.clock.pass(29 * day)
    await maintain()
    expect(await Promise.all(all.map(status))).toEqual(['disabled', 'disabled', 'active', 'active'])
    instance.clock.pass(2 * day)
    await maintain()
    expect(await Promise.all(all.map(status))).toEqual(['disabled', 'disabled', 'disabled', 'active'])
    instance.clock.pass(30 * day)
    await maintain()
    expect(await status(future.id)).toBe('disabled')
  })

  it('are none whose use this process knows of, stored or not', async () => {
    const token = await makeToken(instance, long)
    await use(token)
    await instance.core.uses.flush()
    await setPolicy(instance, { dormant_days: 1 })
    instance.clock.pass(2 * day)
    // Not the first use of its secret, so that it waits in memory.
    await use(token)
    await disableDormant(instance.core)
    expect(await status(token.id)).toBe('active')
    instance.clock.pass(day)
    await maintain()
    expect(await status(token.id)).toBe('active')
    instance.clock.pass(told)
    await maintain()
    expect(await status(token.id)).toBe('disabled')
  })

  it('are none that another process let in within the days and told of a minute later', async () => {
    const other = await openInstance(database, instance.place)
    try {
      const token = await makeToken(instance, long)
      await use(token)
      await instance.core.uses.flush()
      await setPolicy(instance, { dormant_days: 1 })
      other.clock.pass(day - 1_000)
      instance.clock.pass(day - 1_000)
      await use(token, other)
      instance.clock.pass(60_000)
      await maintain()
      expect(await status(token.id)).toBe('active')
      await other.core.uses.flush()
      instance.clock.pass(told)
      await maintain()
      expect(await status(token.id)).toBe('active')
    } finally {
      await other.close()
    }
  })

  it('R46: two processes that look at once switch each off once', async () => {
    const other = await openInstance(database, instance.place)
    try {
      const rows = Array.from({ length: 230 }, () => ({ ...times() }))
      for (const columns of rows) await plantKey(instance, 'access', columns)
      await setPolicy(instance, { dormant_days: 1 })
      for (const { clock } of [instance, other]) clock.pass(2 * day)
      const trail = await trailOf(instance, () => Promise.all([maintain(), maintain(other)]))
      expect(trail).toHaveLength(230)
      expect(new Set(trail.map(({ target_id }) => target_id)).size).toBe(230)
    } finally {
      await other.close()
    }
  })

  it('of a project go by its own days where these are fewer, and never by more', async () => {
    const [strict, lenient] = [await plantProject(instance), await plantProject(instance)]
    const policy = (project_id: string, dormant_days: number) =>
      instance.call('admin', update_project, { project_id, policy: { dormant_days } })
    await policy(strict.project_id, 10)
    await policy(lenient.project_id, 100)
    const ids: string[] = []
    for (const project_id of [strict.project_id, lenient.project_id, undefined])
      ids.push((await makeToken(instance, { ...long, project_id })).id)
    const found = async () => Promise.all(ids.map(status))
    instance.clock.pass(11 * day)
    await maintain()
    expect(await found()).toEqual(['disabled', 'active', 'active'])
    await setPolicy(instance, { dormant_days: 20 })
    instance.clock.pass(10 * day)
    await maintain()
    expect(await found()).toEqual(['disabled', 'disabled', 'disabled'])
  })

  it('that are expired or revoked stay as they are', async () => {
    const expired = await makeToken(instance, { expires_in_days: 1 })
    const revoked = await plantKey(instance, 'access', { revoked_at: new Date().toISOString() })
    await setPolicy(instance, { dormant_days: 1 })
    instance.clock.pass(3 * day)
    expect(await trailOf(instance, maintain)).toEqual([])
    expect([await status(expired.id), await status(revoked.id)]).toEqual(['expired', 'revoked'])
  })
})
