import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Actor } from '../../src/core/actor.ts'
import { add_groups } from '../../tools/tokens/add_groups.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { list_magic_tokens } from '../../tools/tokens/list_magic_tokens.ts'
import { remove_groups } from '../../tools/tokens/remove_groups.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { set_token_enabled } from '../../tools/tokens/set_token_enabled.ts'
import { update_token } from '../../tools/tokens/update_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import {
  contents,
  makeToken,
  plantKey,
  plantProject,
  setPolicy,
  stateTables,
  trailOf,
} from '../support/world.ts'

const hour = 3_600_000

describe.each(databases)('rotation on $name', (database) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  const verdict = async (secret: string) =>
    (await instance.call('reader', validate_token, { token: secret })).verdict
  const rotate = async (id: string, more: object = {}, as: Actor | 'operator' = 'operator') => {
    const { token, delivery } = await instance.call(as, rotate_token, { token_id: id, ...more })
    return { token, secret: delivery.secret ?? '' }
  }
  const later = (ms: number) => new Date(instance.clock.now + ms).toISOString()

  describe('grace', () => {
    it('R44: without grace the old secret is refused from the next request on; id, reach and expiry stay', async () => {
      const made = await makeToken(instance, { access: { all_servers: true }, allowed_ips: ['10.0.0.0/8'] })
      const { token, secret } = await rotate(made.id)
      expect(token).toEqual({
        ...made.token,
        generation: 2,
        prefix: secret.slice(0, 12),
        last4: secret.slice(-4),
        secret_redacted: `${secret.slice(0, 12)}…${secret.slice(-4)}`,
        rotated_at: token.rotated_at,
        updated_at: token.updated_at,
      })
      expect(await verdict(made.secret)).toBe('unknown')
      expect(await verdict(secret)).toBe('valid')
    })

    it('R44: during the grace exactly the new and the old secret are valid, then only the new one', async () => {
      const made = await makeToken(instance)
      const { token, secret } = await rotate(made.id, { grace_seconds: 60 })
      expect(token.predecessor).toEqual({ valid_until: later(60_000), last_used_at: null })
      expect([await verdict(made.secret), await verdict(secret)]).toEqual(['valid', 'valid'])
      instance.clock.pass(59_999)
      expect(await verdict(made.secret)).toBe('valid')
      instance.clock.pass(1)
      expect([await verdict(made.secret), await verdict(secret)]).toEqual(['unknown', 'valid'])
      expect((await instance.call('reader', get_token, { token_id: made.id })).token.predecessor).toBeNull()
    })

    it('R44: the last use of the predecessor is visible, and belongs to no later predecessor', async () => {
      const first = await makeToken(instance)
      const second = await rotate(first.id, { grace_seconds: 600 })
      const used = later(0)
      await verdict(first.secret)
      expect(
        (await instance.call('reader', get_token, { token_id: first.id })).token.predecessor?.last_used_at,
      ).toBe(used)
      await verdict(first.secret)
      await rotate(first.id, { grace_seconds: 600 })
      await instance.core.uses.flush()
      const { token } = await instance.call('reader', get_token, { token_id: first.id })
      expect(token.predecessor?.last_used_at).toBeNull()
      expect(await verdict(second.secret)).toBe('valid')
    })

    it('R44: there is one predecessor at most', async () => {
      const a = await makeToken(instance)
      const b = await rotate(a.id, { grace_seconds: 3_600 })
      const c = await rotate(a.id, { grace_seconds: 3_600 })
      expect([await verdict(a.secret), await verdict(b.secret), await verdict(c.secret)]).toEqual([
        'unknown',
        'valid',
        'valid',
      ])
      const d = await rotate(a.id)
      expect([await verdict(b.secret), await verdict(c.secret), await verdict(d.secret)]).toEqual([
        'unknown',
        'unknown',
        'valid',
      ])
    })

    it('R44: the grace ends with the token, at 24 hours at the latest', async () => {
      const made = await makeToken(instance, { expires_at: later(hour) })
      const { token, secret } = await rotate(made.id, { grace_seconds: 86_400 })
      expect(token.predecessor?.valid_until).toBe(made.token.expires_at)
      expect(await refusal(rotate(made.id, { grace_seconds: 86_401 }))).toBe('invalid_input')
      instance.clock.pass(hour)
      expect([await verdict(made.secret), await verdict(secret)]).toEqual(['unknown', 'expired'])
    })

    it('R44: shortening the token shortens the grace, and prolonging it later does not bring the predecessor back', async () => {
      const made = await makeToken(instance)
      await rotate(made.id, { grace_seconds: 86_400 })
      const until = later(hour)
      const { token } = await instance.call('operator', update_token, {
        token_id: made.id,
        expires_at: until,
      })
      expect(token.predecessor?.valid_until).toBe(until)
      instance.clock.pass(hour)
      await instance.call('operator', update_token, { token_id: made.id, expires_in_days: 5 })
      expect(await verdict(made.secret)).toBe('unknown')
    })

    it('R44: revoking and disabling end both secrets at once', async () => {
      const a = await makeToken(instance)
      const b = await rotate(a.id, { grace_seconds: 3_600 })
      await instance.call('operator', set_token_enabled, { token_id: a.id, enabled: false })
      expect([await verdict(a.secret), await verdict(b.secret)]).toEqual(['disabled', 'disabled'])
      await instance.call('operator', set_token_enabled, { token_id: a.id, enabled: true })
      expect([await verdict(a.secret), await verdict(b.secret)]).toEqual(['valid', 'valid'])
      await instance.call('operator', revoke_token, { token_id: a.id })
      expect([await verdict(a.secret), await verdict(b.secret)]).toEqual(['revoked', 'revoked'])
    })

    it('R44: a predecessor reads its own token and nothing else; every other operation is unauthenticated', async () => {
      const made = await makeToken(instance)
      const other = await makeToken(instance)
      await rotate(made.id, { grace_seconds: 3_600 })
      const actor = await instance.actor(made.secret)
      expect(actor).toMatchObject({ kind: 'access', id: made.id, predecessor: true })
      expect((await instance.call(actor, get_token, { token_id: made.id })).token.id).toBe(made.id)
      const before = await contents(instance, stateTables)
      const token_id = made.id
      const calls = [
        instance.call(actor, get_token, { token_id: other.id }),
        instance.call(actor, get_token, { token_id: 'made' }),
        instance.call(actor, create_token, { name: 'x' }),
        instance.call(actor, create_token, { name: 'x', idempotency_key: 'k'.repeat(20) }),
        instance.call(actor, list_magic_tokens, {}),
        instance.call(actor, update_token, { token_id, name: 'x' }),
        instance.call(actor, rotate_token, { token_id }),
        instance.call(actor, rotate_token, { token_id: other.id }),
        instance.call(actor, rotate_token, { token_id, idempotency_key: 'k'.repeat(20) }),
        instance.call(actor, revoke_token, { token_id }),
        instance.call(actor, set_token_enabled, { token_id, enabled: false }),
        instance.call(actor, validate_token, { token: made.secret }),
        instance.call(actor, validate_token, { token_id }),
        instance.call(actor, add_groups, { token_id, group_ids: [] }),
        instance.call(actor, remove_groups, { token_id, group_ids: [] }),
      ]
      expect(new Set(await Promise.all(calls.map(refusal)))).toEqual(new Set(['unauthenticated']))
      expect(await contents(instance, stateTables)).toBe(before)
    })

    it('R44: the predecessor of a user key has no more rights than any predecessor', async () => {
      const { user_id, project_id } = await plantProject(instance)
      const key = await plantKey(instance, 'user_key', { owner_id: user_id, project_id, all_servers: 1 })
      const sibling = await makeToken(instance, { owner_id: user_id, project_id })
      await rotate(key.id, { grace_seconds: 3_600 })
      const actor = await instance.actor(key.secret)
      expect((await instance.call(actor, get_token, { token_id: key.id })).token.kind).toBe('user_key')
      expect(await refusal(instance.call(actor, get_token, { token_id: sibling.id }))).toBe('unauthenticated')
      expect(await refusal(instance.call(actor, list_magic_tokens, {}))).toBe('unauthenticated')
      expect(await refusal(instance.call(actor, rotate_token, { token_id: sibling.id }))).toBe(
        'unauthenticated',
      )
      expect(await refusal(instance.call(actor, create_token, { name: 'x' }))).toBe('unauthenticated')
    })

    it('R44: the use of an ended secret is recorded, and does not touch the current one', async () => {
      const made = await makeToken(instance)
      const { secret } = await rotate(made.id)
      await instance.core.tallies.flush()
      expect([await verdict(made.secret), await verdict(made.secret)]).toEqual(['unknown', 'unknown'])
      await expect
        .poll(async () => {
          const rows = await trailOf(instance, () => instance.core.tallies.flush())
          return rows.map((row) => [row.action, row.target_id, row.outcome])
        })
        .toContainEqual(['ended_secret_used', made.id, 'denied'])
      expect(await verdict(secret)).toBe('valid')
    })

    it('R41: a secret nobody ever issued leaves no row', async () => {
      await instance.core.tallies.flush()
      const { secret } = await plantKey(instance, 'management')
      expect(await verdict(`${secret.slice(0, -1)}x`)).toBe('unknown')
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(await trailOf(instance, () => instance.core.tallies.flush())).toEqual([])
    })
  })

  describe('by itself', () => {
    it('a token rotates itself, and no other', async () => {
      const made = await makeToken(instance)
      const victim = await makeToken(instance)
      const actor = await instance.actor(made.secret)
      const { token, secret } = await rotate(made.id, {}, actor)
      expect(token.generation).toBe(2)
      expect([await verdict(made.secret), await verdict(secret)]).toEqual(['unknown', 'valid'])
      expect(await refusal(rotate(victim.id, {}, await instance.actor(secret)))).toBe('forbidden')
      expect(await verdict(victim.secret)).toBe('valid')
    })

    it('R44: a self-rotation compares the generation it came in with', async () => {
      const made = await makeToken(instance)
      const stale = await instance.actor(made.secret)
      const { secret } = await rotate(made.id)
      expect(await refusal(rotate(made.id, {}, stale))).toBe('conflict')
      expect(await verdict(secret)).toBe('valid')
      expect(await refusal(instance.actor(made.secret).then(() => undefined))).toBe('unauthenticated')
    })

    it('an address-bound token is let in from its addresses only', async () => {
      const made = await makeToken(instance, { allowed_ips: ['10.0.0.1'] })
      expect(await refusal(instance.actor(made.secret, '10.0.0.2').then(() => undefined))).toBe(
        'ip_not_allowed',
      )
      expect(await refusal(instance.actor(made.secret).then(() => undefined))).toBe('ip_not_allowed')
      expect(await instance.actor(made.secret, '::ffff:10.0.0.1')).toMatchObject({ id: made.id })
    })
  })

  describe('state and policy', () => {
    it('a disabled token stays disabled, and its new secret works once it is enabled', async () => {
      const made = await makeToken(instance)
      await instance.call('operator', set_token_enabled, { token_id: made.id, enabled: false })
      const { token, secret } = await rotate(made.id)
      expect(token.status).toBe('disabled')
      expect(await verdict(secret)).toBe('disabled')
      await instance.call('operator', set_token_enabled, { token_id: made.id, enabled: true })
      expect([await verdict(made.secret), await verdict(secret)]).toEqual(['unknown', 'valid'])
    })

    it('revoked and expired tokens are not rotated: conflict, with the next step', async () => {
      const revoked = await makeToken(instance)
      await instance.call('operator', revoke_token, { token_id: revoked.id })
      expect(await refusalError(rotate(revoked.id))).toMatchObject({ code: 'conflict', reason: 'revoked' })
      const expired = await makeToken(instance, { expires_at: later(1_000) })
      instance.clock.pass(1_000)
      const error = await refusalError(rotate(expired.id))
      expect(error).toMatchObject({ code: 'conflict', reason: 'expired' })
      expect(error.message).toContain('update_token')
      expect([await verdict(revoked.secret), await verdict(expired.secret)]).toEqual(['revoked', 'expired'])
    })

    it('R15: max_lifetime_days binds rotation as well', async () => {
      const long = await makeToken(instance, { expires_in_days: 90 })
      const permanent = await makeToken(instance, { expires_at: null })
      const short = await makeToken(instance, { expires_in_days: 5 })
      await setPolicy(instance, { max_lifetime_days: 30 })
      expect(await refusalError(rotate(long.id))).toMatchObject({
        code: 'conflict',
        reason: 'max_lifetime_days',
      })
      expect(await refusal(rotate(permanent.id))).toBe('conflict')
      expect(await verdict((await rotate(short.id)).secret)).toBe('valid')
      await setPolicy(instance, { max_lifetime_days: null })
      expect(await verdict(long.secret)).toBe('valid')
    })

    it('R15: a key with limits of its own is not handed the secret of a wider token', async () => {
      const wider = await makeToken(instance, { expires_at: null })
      const inside = await makeToken(instance, { allowed_ips: ['10.1.0.0/16'], expires_in_days: 5 })
      const limited = await plantKey(instance, 'management', {
        allowed_ips: '["10.0.0.0/8"]',
        expires_at: later(10 * 24 * hour),
      })
      const actor = await instance.actor(limited.secret, '10.0.0.1')
      expect(await refusalError(rotate(wider.id, {}, actor))).toMatchObject({
        code: 'forbidden',
        reason: 'beyond_own_limits',
      })
      expect(await verdict(wider.secret)).toBe('valid')
      expect((await rotate(inside.id, {}, actor)).token.generation).toBe(2)
    })

    it('R44: of rotations whose reads overlap one wins, the others are conflicts, and its secret is the valid one', async () => {
      const made = await makeToken(instance)
      const tries = await Promise.allSettled(Array.from({ length: 20 }, () => rotate(made.id)))
      const won = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      const lost = tries.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []))
      expect(won.length).toBeGreaterThan(0)
      expect(won.length + lost.length).toBe(20)
      expect(new Set(lost)).toEqual(new Set(['conflict']))
      const { token } = await instance.call('reader', get_token, { token_id: made.id })
      expect(token.generation).toBe(1 + won.length)
      const states = await Promise.all(won.map((one) => verdict(one.secret)))
      expect(states.filter((state) => state === 'valid')).toHaveLength(1)
      expect(await verdict(won.find((one) => one.token.generation === token.generation)?.secret ?? '')).toBe(
        'valid',
      )
    })
  })
})
