import { beforeEach, describe, expect, it } from 'vitest'
import { bootstrapAdmin } from '../../src/core/bootstrap.ts'
import { makeSecret } from '../../src/domain/secret.ts'
import { check_secrets } from '../../tools/leaks/check_secrets.ts'
import { report_leak } from '../../tools/leaks/report_leak.ts'
import { create_management_key } from '../../tools/system/create_management_key.ts'
import { list_management_keys } from '../../tools/system/list_management_keys.ts'
import { redeem_link } from '../../tools/system/redeem_link.ts'
import { update_settings } from '../../tools/system/update_settings.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { set_token_enabled } from '../../tools/tokens/set_token_enabled.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import {
  contents,
  leak,
  makeToken,
  plantKey,
  plantProject,
  plantUser,
  setPolicy,
  stateTables,
  trailOf,
} from '../support/world.ts'

const reporter = { kind: 'reporter', id: 'github-secret-scanning' } as const

describe.each(databases)('leaked secrets on $name', (database) => {
  let instance: Instance
  beforeEach(async () => {
    instance = await openInstance(database)
    return () => instance.close()
  })

  const verdict = async (secret: string) =>
    (await instance.call('reader', validate_token, { token: secret })).verdict

  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: report_leak,
        roles: ['admin', 'operator'],
        good: { token_id: 'mgtk_none' },
        bad: [
          {},
          { token_id: 'mgtk_none', secret: 'x' },
          { secret: 7 },
          { secret: '' },
          { secret: 'x'.repeat(16_385) },
          { token_id: 'mgtk_none', action: 'delete' },
          { token_id: 'mgtk_none', where: 'x'.repeat(501) },
          { token_id: 'mgtk_none', where: 'two\nlines' },
          { token_id: 'mgtk_none', delivery: 'post' },
        ],
      },
      {
        operation: check_secrets,
        roles: ['admin', 'operator', 'reader'],
        good: { secrets: ['x'] },
        bad: [
          {},
          { secrets: [] },
          { secrets: 'x' },
          { secrets: [7] },
          { secrets: [''] },
          { secrets: Array.from({ length: 101 }, () => 'x') },
        ],
      },
    ],
  )

  it('a reported token is revoked unless a policy or the caller says otherwise, with one row in the trail and one line in the log', async () => {
    const { id, secret } = await makeToken(instance)
    const rows = await trailOf(instance, async () => {
      const done = await instance.call('operator', report_leak, {
        secret,
        where: `https://example.com/?t=${secret}`,
      })
      expect(done).toMatchObject({ result: 'revoked', token: { id, status: 'revoked' }, delivery: null })
    })
    expect(rows).toMatchObject([{ action: 'report_leak', target_id: id, outcome: 'ok' }])
    expect(JSON.parse(rows[0]?.details ?? '')).toEqual({
      action: 'revoke',
      by: 'secret',
      result: 'revoked',
      where: 'https://example.com/?t=[secret]',
    })
    expect(await verdict(secret)).toBe('revoked')
    const { token } = await instance.call('reader', get_token, { token_id: id })
    expect(token.leaked_at).toBe(token.revoked_at)
    const lines = instance.log.filter((line) => line.includes('reported as leaked'))
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ level: 'warn', result: 'revoked', id }])
    const kept = await contents(instance, ['audit', ...stateTables])
    expect(leak(Buffer.from(JSON.stringify([rows, instance.log]) + kept), secret)).toBe(-1)
  })

  it('reporting again changes nothing: what has ended stays ended, and a mark keeps its time', async () => {
    const { id, secret } = await makeToken(instance)
    await instance.call('operator', report_leak, { token_id: id, action: 'notify' })
    const marked = await instance.call('reader', get_token, { token_id: id })
    instance.clock.pass(1_000)
    expect((await instance.call('operator', report_leak, { secret, action: 'notify' })).result).toBe('marked')
    expect(await instance.call('reader', get_token, { token_id: id })).toEqual(marked)
    await instance.call('operator', report_leak, { secret })
    const before = await contents(instance, stateTables)
    for (const action of ['revoke', 'rotate', 'notify'] as const) {
      expect((await instance.call('operator', report_leak, { secret, action })).result).toBe('already_ended')
      expect((await instance.call('operator', report_leak, { token_id: id, action })).result).toBe(
        'already_ended',
      )
    }
    expect(await contents(instance, stateTables)).toBe(before)
  })

  it('notify leaves the token as good as it was and says since when it is known, until it is rotated', async () => {
    await instance.call('admin', update_settings, { leak_action: 'notify' })
    const { id, secret } = await makeToken(instance)
    expect((await instance.call('operator', report_leak, { secret })).result).toBe('marked')
    expect(await verdict(secret)).toBe('valid')
    expect((await instance.call('reader', get_token, { token_id: id })).token.leaked_at).not.toBeNull()
    await instance.call('operator', rotate_token, { token_id: id })
    expect((await instance.call('reader', get_token, { token_id: id })).token.leaked_at).toBeNull()
  })

  it('rotate ends the leaked secret at once and hands the new one over as rotate_token does', async () => {
    await setPolicy(instance, { leak_action: 'rotate' })
    const { id, secret } = await makeToken(instance)
    const done = await instance.call('operator', report_leak, { secret }, 'mcp')
    expect(done).toMatchObject({ result: 'rotated', token: { id, generation: 2, status: 'active' } })
    expect(done.delivery?.kind).toBe('link')
    expect(JSON.stringify(done)).not.toMatch(/mcpt_[0-9A-Za-z]{43}/)
    expect(await verdict(secret)).toBe('unknown')
    const { secret: fresh } = await instance.call({ kind: 'nobody' }, redeem_link, {
      code: done.delivery?.code ?? '',
    })
    expect(await verdict(fresh)).toBe('valid')
  })

  it('rotate replaces the secret of an expired token by one nobody has, so that prolonging it revives no leak', async () => {
    const { id, secret } = await makeToken(instance, { expires_in_days: 1 })
    instance.clock.pass(2 * 86_400_000)
    const done = await instance.call('operator', report_leak, { token_id: id, action: 'rotate' })
    expect(done).toMatchObject({ result: 'withheld', delivery: null, token: { generation: 2 } })
    expect(await verdict(secret)).toBe('unknown')
  })

  it('rotate ends the leaked secret also where the policy allows no new one, which nobody gets then', async () => {
    const { id, secret } = await makeToken(instance)
    await setPolicy(instance, { require_allowed_ips: true })
    expect(await refusal(instance.call('operator', rotate_token, { token_id: id }))).toBe('conflict')
    const done = await instance.call('operator', report_leak, { token_id: id, action: 'rotate' })
    expect(done).toMatchObject({ result: 'withheld', delivery: null, token: { generation: 2 } })
    expect(await verdict(secret)).toBe('unknown')
    expect(await refusal(instance.call('operator', rotate_token, { token_id: id }))).toBe('conflict')
  })

  it('a replaced secret that leaks in its grace ends alone', async () => {
    for (const action of ['revoke', 'rotate'] as const) {
      const { id, secret } = await makeToken(instance)
      const { delivery } = await instance.call('operator', rotate_token, { token_id: id, grace_seconds: 600 })
      expect(await verdict(secret)).toBe('valid')
      const done = await instance.call('operator', report_leak, { secret, action })
      expect(done).toMatchObject({ result: 'predecessor_ended', token: { id, predecessor: null } })
      expect([await verdict(secret), await verdict(delivery.secret ?? '')]).toEqual(['unknown', 'valid'])
      expect((await instance.call('operator', report_leak, { secret })).result).toBe('already_ended')
    }
  })

  it('a secret of nobody changes nothing, is told to be unknown, and is on record without itself', async () => {
    const secret = makeSecret('mcpt')
    const before = await contents(instance, stateTables)
    for (const unknown of [secret, 'hunter2', `${secret}x`, 'é'.repeat(40)]) {
      const rows = await trailOf(instance, async () => {
        const done = await instance.call('operator', report_leak, { secret: unknown })
        expect(done).toMatchObject({ result: 'unknown', token: null, key_id: null })
      })
      expect(rows).toMatchObject([{ action: 'report_leak', outcome: 'ok', target_id: null }])
      expect(JSON.stringify(rows)).not.toContain(unknown)
    }
    expect(await contents(instance, stateTables)).toBe(before)
    expect(await refusal(instance.call('operator', report_leak, { token_id: 'mgtk_none' }))).toBe('not_found')
  })

  it('R12: what is outside the scope of the caller is unknown to it, and stays as it is', async () => {
    const mine = await plantProject(instance)
    const other = await plantProject(instance)
    const key = await plantKey(instance, 'management', { role: 'operator', project_id: mine.project_id })
    const foreign = await plantKey(instance, 'access', { project_id: other.project_id })
    const foreignKey = await plantKey(instance, 'management', { project_id: other.project_id })
    const as = await instance.actor(key.secret)
    const holder = await instance.actor((await makeToken(instance)).secret)
    for (const caller of [as, holder]) {
      for (const { secret } of [foreign, foreignKey]) {
        const done = await instance.call(caller, report_leak, { secret })
        expect(done).toMatchObject({ result: 'unknown', token: null, key_id: null })
      }
    }
    expect(await refusal(instance.call(as, report_leak, { token_id: foreign.id }))).toBe('not_found')
    const { secrets } = await instance.call(as, check_secrets, {
      secrets: [foreign.secret, foreignKey.secret],
    })
    expect(secrets).toMatchObject([{ kind: null }, { kind: null }])
    expect(await verdict(foreign.secret)).toBe('valid')
    await instance.actor(foreignKey.secret)
  })

  it('a token reports itself by its id or its secret, and nothing but itself', async () => {
    const one = await makeToken(instance)
    const two = await makeToken(instance)
    const self = await instance.actor(one.secret)
    expect(await refusal(instance.call(self, report_leak, { token_id: two.id }))).toBe('forbidden')
    expect((await instance.call(self, report_leak, { secret: two.secret })).result).toBe('unknown')
    const done = await instance.call(self, report_leak, { token_id: one.id, action: 'rotate' })
    expect(done).toMatchObject({ result: 'rotated', token: { id: one.id } })
    const again = await instance.actor(done.delivery?.secret ?? '')
    expect((await instance.call(again, report_leak, { secret: done.delivery?.secret ?? '' })).result).toBe(
      'revoked',
    )
    expect(await verdict(two.secret)).toBe('valid')
  })

  it('R44: a replaced secret in its grace reports nothing, as it may do nothing else', async () => {
    const { id, secret } = await makeToken(instance)
    await instance.call('operator', rotate_token, { token_id: id, grace_seconds: 600 })
    const predecessor = await instance.actor(secret)
    for (const input of [{ token_id: id }, { secret }])
      expect(await refusal(instance.call(predecessor, report_leak, input))).toBe('unauthenticated')
  })

  it('a user key reports tokens of its owner and its project only, and never learns of management keys', async () => {
    const { project_id, user_id } = await plantProject(instance)
    const key = await plantKey(instance, 'user_key', { owner_id: user_id, project_id })
    const own = await plantKey(instance, 'access', { owner_id: user_id, project_id })
    const foreign = await plantKey(instance, 'access', { owner_id: await plantUser(instance) })
    const management = await plantKey(instance, 'management', { role: 'operator' })
    const as = await instance.actor(key.secret)
    for (const { secret } of [foreign, management])
      expect((await instance.call(as, report_leak, { secret })).result).toBe('unknown')
    expect((await instance.call(as, report_leak, { secret: own.secret })).result).toBe('revoked')
  })

  it('a management key is ended by an admin or by itself; an operator is refused, on record', async () => {
    const { call, actor } = instance
    const robot = await call('admin', create_management_key, { name: 'robot', role: 'operator' })
    const other = await call('admin', create_management_key, { name: 'other', role: 'operator' })
    const rows = await trailOf(instance, async () => {
      expect(await refusal(call('operator', report_leak, { secret: robot.secret }))).toBe('forbidden')
    })
    expect(rows).toMatchObject([{ action: 'report_leak', outcome: 'denied' }])
    const self = await actor(robot.secret)
    const done = await call(self, report_leak, { secret: robot.secret, action: 'rotate' })
    expect(done).toMatchObject({ result: 'revoked', token: null, key_id: robot.key.id, delivery: null })
    expect(await refusal(actor(robot.secret))).toBe('unauthenticated')
    expect((await call('admin', report_leak, { secret: other.secret })).result).toBe('revoked')
    expect((await call('admin', report_leak, { secret: other.secret })).result).toBe('already_ended')
  })

  it('the last admin key ends as well once it has leaked: the owner of the machine makes the next without it', async () => {
    const { call, adminKey, actor } = instance
    expect((await call(reporter, report_leak, { secret: adminKey })).result).toBe('revoked')
    expect(await refusal(actor(adminKey))).toBe('unauthenticated')
    expect((await call('admin', list_management_keys, {})).keys).toEqual([])
    const { secret } = await call('admin', create_management_key, { name: 'next', role: 'admin' })
    expect(await actor(secret)).toMatchObject({ role: 'admin' })
    const { store, keys, clock } = instance.core
    const again = bootstrapAdmin({ store, keys, dataDir: instance.place.dataDir, clock, given: adminKey })
    await expect(again).rejects.toThrow()
  })

  it('who tells of leaks may do that, by the secret and by nothing else', async () => {
    const { id, secret } = await makeToken(instance)
    for (const [operation, input] of [
      [get_token, { token_id: id }],
      [revoke_token, { token_id: id }],
      [rotate_token, { token_id: id }],
      [check_secrets, { secrets: [secret] }],
    ] as const)
      expect(await refusal(instance.call(reporter, operation as typeof get_token, input as never))).toBe(
        'forbidden',
      )
    await setPolicy(instance, { leak_action: 'rotate' })
    const rows = await trailOf(instance, async () => {
      const done = await instance.call(reporter, report_leak, { secret }, 'leaks')
      expect(done).toMatchObject({ result: 'withheld', delivery: null })
      expect(JSON.stringify(done)).not.toMatch(/mcpt_[0-9A-Za-z]{43}/)
    })
    expect(rows).toMatchObject([
      { actor_kind: 'reporter', actor_id: 'github-secret-scanning', via: 'leaks', target_id: id },
    ])
    expect(await verdict(secret)).toBe('unknown')
    expect((await instance.call('reader', get_token, { token_id: id })).token).toMatchObject({
      status: 'active',
      leaked_at: expect.any(String),
    })
    const { delivery } = await instance.call('operator', rotate_token, { token_id: id })
    expect(await verdict(delivery.secret ?? '')).toBe('valid')
  })

  it('checks secrets in their order without using them, and says whose and how good they are', async () => {
    const live = await makeToken(instance, { name: 'live', access: { limits: { max_uses: 1 } } })
    const off = await makeToken(instance, { name: 'off' })
    const gone = await makeToken(instance, { name: 'gone' })
    const old = await makeToken(instance, { name: 'old' })
    await instance.call('operator', set_token_enabled, { token_id: off.id, enabled: false })
    await instance.call('operator', revoke_token, { token_id: gone.id })
    await instance.call('operator', rotate_token, { token_id: old.id })
    const management = await plantKey(instance, 'management', { role: 'reader' })
    const all = [live, off, gone, old, management].map(({ secret }) => secret)
    const asked = { secrets: [...all, makeSecret('mcpt'), 'hunter2'] }
    const rows = await trailOf(instance, async () => {
      for (let times = 0; times < 3; times++) {
        const { secrets } = await instance.call('reader', check_secrets, asked)
        expect(secrets.map(({ name, verdict, live }) => [name, verdict, live])).toEqual([
          ['live', 'valid', true],
          ['off', 'disabled', true],
          ['gone', 'revoked', false],
          ['old', 'unknown', false],
          [expect.stringMatching(/^planted/), 'valid', true],
          [null, 'unknown', false],
          [null, 'unknown', false],
        ])
        for (const secret of all) expect(JSON.stringify(secrets)).not.toContain(secret)
      }
      await instance.core.uses.flush()
      await instance.core.tallies.flush()
    })
    expect(rows).toEqual([])
    expect((await instance.call('reader', get_token, { token_id: live.id })).token).toMatchObject({
      use_count: 0,
      last_used_at: null,
    })
    expect(await verdict(live.secret)).toBe('valid')
  })

  it('two reports of one secret at once end it once, and both are told so', async () => {
    const { secret } = await makeToken(instance)
    const done = await Promise.all([1, 2, 3].map(() => instance.call('operator', report_leak, { secret })))
    expect(done.map(({ result }) => result).sort()).toEqual(['already_ended', 'already_ended', 'revoked'])
  })
})
