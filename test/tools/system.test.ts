import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { create_management_key } from '../../tools/system/create_management_key.ts'
import { get_settings } from '../../tools/system/get_settings.ts'
import { list_management_keys } from '../../tools/system/list_management_keys.ts'
import { redeem_link } from '../../tools/system/redeem_link.ts'
import { revoke_management_key } from '../../tools/system/revoke_management_key.ts'
import { update_settings } from '../../tools/system/update_settings.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { contents, leak, plantKey, plantProject, trailOf } from '../support/world.ts'

const readers = ['admin', 'operator', 'reader'] as const
const writers = ['admin'] as const
const nobody = { kind: 'nobody' } as const
const minute = 60_000
const day = 24 * 60 * minute

describe.each(databases)('system operations on $name', (database) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  refusesOthersAndBadInput(
    () => instance,
    [
      { operation: get_settings, roles: readers, good: {}, bad: [{ name: 'token_prefix' }] },
      {
        operation: update_settings,
        roles: writers,
        good: {},
        bad: [
          { max_lifetime_days: 0 },
          { default_lifetime_days: null },
          { delivery_kinds: [] },
          { delivery_kinds: ['mail'] },
          { token_prefix: 'UPPER' },
          { token_prefix: 'once' },
          { key_prefix: 'once' },
          { token_prefix: 'mcpm' },
          { token_prefix: 'same', key_prefix: 'same' },
          { public_url: 'javascript:alert(1)' },
          { public_url: 'https://user:pass@example.com' },
          { public_url: 'https://example.com/?a=b' },
          { allow_commands: true },
        ],
      },
      { operation: list_management_keys, roles: readers, good: {}, bad: [{ limit: 101 }, { role: 'admin' }] },
      {
        operation: create_management_key,
        roles: writers,
        good: { name: 'k', role: 'reader' },
        bad: [
          { name: 'k' },
          { name: 'k', role: 'root' },
          { name: 'k', role: ['admin'] },
          { name: 'k', role: 'reader', kind: 'access' },
          { name: 'k', role: 'reader', permissions: ['system:write'] },
          { name: 'k', role: 'reader', allowed_ips: [] },
          { name: 'k', role: 'reader', expires_at: '2001-01-01T00:00:00Z' },
          { name: 'k', role: 'reader', expires_in_days: 1, expires_at: '2090-01-01T00:00:00Z' },
          { name: 'k', role: 'reader', delivery: 'file' },
        ],
      },
      { operation: revoke_management_key, roles: writers, good: { key_id: 'x' }, bad: [{}, { key_id: '' }] },
    ],
  )

  it('R19: no system operation is offered to models', () => {
    const all = [
      get_settings,
      update_settings,
      list_management_keys,
      create_management_key,
      revoke_management_key,
      redeem_link,
    ]
    expect(all.map((operation) => operation.faces)).toEqual(all.map(() => ['rest', 'cli']))
  })
})

describe.each(databases)('one-time links on $name', (database) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  const link = async () => {
    const { token, delivery } = await instance.call('operator', create_token, {
      name: 'by link',
      delivery: 'link',
    })
    return { token_id: token.id, code: delivery.code ?? '' }
  }

  it('R7: a code hands over the secret once, to whoever holds it, with a row that names the token and neither secret', async () => {
    const { call, core, log } = instance
    const { token_id, code } = await link()
    let secret = ''
    const rows = await trailOf(instance, async () => {
      const done = await call(nobody, redeem_link, { code }, 'web', '203.0.113.7')
      secret = done.secret
      expect(done).toMatchObject({
        token_id,
        name: 'by link',
        redeemed_at: expect.stringMatching(/^\d{4}-.*Z$/),
      })
    })
    expect(rows).toMatchObject([
      { action: 'redeem_link', target_id: token_id, outcome: 'ok', ip: '203.0.113.7', via: 'web' },
    ])
    expect((await call('reader', validate_token, { token: secret })).verdict).toBe('valid')
    const kept = Buffer.from(
      JSON.stringify([rows, log]) + (await contents(instance, ['audit', 'links', 'tokens'])),
    )
    for (const never of [secret, code]) expect(leak(kept, never)).toBe(-1)
    const { sealed } = await core.store.read
      .selectFrom('links')
      .select('sealed')
      .where('token_id', '=', token_id)
      .executeTakeFirstOrThrow()
    expect(sealed).toBeNull()
  })

  it('R7: a second attempt is refused, says when the first was, and is recorded as denied', async () => {
    const { call, clock } = instance
    const { token_id, code } = await link()
    const first = await call(nobody, redeem_link, { code })
    clock.pass(minute)
    const rows = await trailOf(instance, async () => {
      const again = await refusalError(call(nobody, redeem_link, { code }, 'web', '203.0.113.9'))
      expect([again.code, again.reason]).toEqual(['gone', 'redeemed'])
      expect(again.message).toContain(first.redeemed_at)
      expect(again.message).not.toContain(first.secret)
    })
    expect(rows).toMatchObject([
      { action: 'redeem_link', target_id: token_id, outcome: 'denied', ip: '203.0.113.9' },
    ])
    expect(rows).toHaveLength(1)
  })

  it('R7: 20 attempts at once give the secret exactly once', async () => {
    const { call } = instance
    const { code } = await link()
    const rows = await trailOf(instance, async () => {
      const attempts = Array.from({ length: 20 }, () => call(nobody, redeem_link, { code }))
      const done = await Promise.allSettled(attempts)
      expect(done.filter((one) => one.status === 'fulfilled')).toHaveLength(1)
      const refused = done.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []))
      expect(refused).toEqual(Array(19).fill('gone'))
    })
    expect(rows.filter((row) => row.outcome === 'ok')).toHaveLength(1)
    expect(rows.filter((row) => row.outcome === 'denied')).toHaveLength(19)
  })

  it('R7: a link ends after 10 minutes', async () => {
    const { call, clock } = instance
    const [early, late] = [await link(), await link()]
    clock.pass(10 * minute - 1)
    expect((await call(nobody, redeem_link, { code: early.code })).token_id).toBe(early.token_id)
    clock.pass(1)
    const refused = await refusalError(call(nobody, redeem_link, { code: late.code }))
    expect([refused.code, refused.reason]).toEqual(['gone', 'ended'])
  })

  it('a link ends when its token is rotated or revoked', async () => {
    const { call } = instance
    const [rotated, revoked] = [await link(), await link()]
    await call('operator', rotate_token, { token_id: rotated.token_id })
    await call('operator', revoke_token, { token_id: revoked.token_id })
    for (const { code } of [rotated, revoked])
      expect(await refusal(call(nobody, redeem_link, { code }))).toBe('gone')
  })

  it('an unknown code is not found and leaves no row, so that guessing fills nothing', async () => {
    const { call } = instance
    const { code } = await link()
    const rows = await trailOf(instance, async () => {
      for (const guess of ['x', `${code}x`, code.toUpperCase(), instance.adminKey]) {
        expect(await refusal(call(nobody, redeem_link, { code: guess }))).toBe('not_found')
      }
    })
    expect(rows).toEqual([])
    for (const bad of [{}, { code: '' }, { code: 5 }, { code: 'x'.repeat(513) }, { code, token_id: 'x' }]) {
      expect(await refusal(call(nobody, redeem_link, bad as { code: string }))).toBe('invalid_input')
    }
    expect((await call(nobody, redeem_link, { code })).secret).toMatch(/^mcpt_/)
  })

  it('a credential that reaches nothing else may redeem as anybody may', async () => {
    const { call, actor } = instance
    const { code } = await link()
    const other = await plantKey(instance, 'access')
    expect((await call(await actor(other.secret), redeem_link, { code })).secret).toMatch(/^mcpt_/)
  })
})

describe.each(databases)('settings on $name', (database) => {
  let instance: Instance
  beforeEach(async () => {
    instance = await openInstance(database)
    return () => instance.close()
  })

  it('shows the defaults, changes what is named, and records the values before and after', async () => {
    const { call } = instance
    const { settings } = await call('reader', get_settings, {})
    expect(settings).toMatchObject({
      default_lifetime_days: 30,
      max_lifetime_days: null,
      token_prefix: 'mcpt',
    })
    const rows = await trailOf(instance, async () => {
      const done = await call('admin', update_settings, { default_lifetime_days: 7, token_prefix: 'mcpt' })
      expect(done).toEqual({ settings: { ...settings, default_lifetime_days: 7 }, changed: true })
    })
    expect(rows).toMatchObject([{ action: 'update_settings', target_id: 'settings', outcome: 'ok' }])
    expect(JSON.parse(rows[0]?.details ?? '')).toEqual({
      before: { default_lifetime_days: 30 },
      after: { default_lifetime_days: 7 },
    })
    expect((await call('admin', update_settings, { default_lifetime_days: 7 })).changed).toBe(false)
    expect((await call('reader', get_settings, {})).settings.default_lifetime_days).toBe(7)
  })

  it('R19: what is set binds the next call of every face', async () => {
    const { call, clock } = instance
    await call('admin', update_settings, {
      max_lifetime_days: 10,
      token_prefix: 'acme',
      key_prefix: 'acmk',
      delivery_kinds: ['link'],
    })
    const lives = (at: string | null) => Math.round((Date.parse(at ?? '') - clock.now) / day)
    const { token, delivery } = await call('operator', create_token, { name: 't' }, 'v1')
    expect([lives(token.expires_at), delivery.secret?.slice(0, 5)]).toEqual([10, 'acme_'])
    expect(await refusal(call('operator', create_token, { name: 't', expires_at: null }))).toBe(
      'invalid_input',
    )
    expect(await refusal(call('operator', create_token, { name: 't', expires_in_days: 11 }))).toBe(
      'invalid_input',
    )
    expect(await refusal(call('operator', create_token, { name: 't', delivery: 'inline' }, 'mcp'))).toBe(
      'forbidden',
    )
    const made = await call('admin', create_management_key, { name: 'k', role: 'reader' })
    expect([lives(made.key.expires_at), made.secret.slice(0, 5)]).toEqual([10, 'acmk_'])
    expect(
      await refusal(call('admin', create_management_key, { name: 'k', role: 'reader', expires_at: null })),
    ).toBe('invalid_input')
  })

  it('R15: an admin key bound to a project reads the settings and changes none', async () => {
    const { call, actor } = instance
    const { project_id } = await plantProject(instance)
    const bound = await actor((await plantKey(instance, 'management', { role: 'admin', project_id })).secret)
    expect((await call(bound, get_settings, {})).settings.token_prefix).toBe('mcpt')
    expect(await refusal(call(bound, update_settings, { max_lifetime_days: 1 }))).toBe('forbidden')
    expect(await refusal(call(bound, update_settings, {}))).toBe('forbidden')
  })
})
