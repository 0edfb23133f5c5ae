import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { create_project } from '../../tools/projects/create_project.ts'
import { create_management_key } from '../../tools/system/create_management_key.ts'
import { get_settings } from '../../tools/system/get_settings.ts'
import { list_management_keys } from '../../tools/system/list_management_keys.ts'
import { redeem_link } from '../../tools/system/redeem_link.ts'
import { revoke_management_key } from '../../tools/system/revoke_management_key.ts'
import { update_settings } from '../../tools/system/update_settings.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { list_magic_tokens } from '../../tools/tokens/list_magic_tokens.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { contents, leak, plantKey, plantProject, stateTables, trailOf } from '../support/world.ts'

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

describe.each(databases)('management keys on $name', (database) => {
  let instance: Instance
  beforeEach(async () => {
    instance = await openInstance(database)
    return () => instance.close()
  })

  it('makes a key that works in its role, shows its secret once, and keeps it out of lists and the trail', async () => {
    const { call, actor, log } = instance
    let secret = ''
    const rows = await trailOf(instance, async () => {
      const done = await call('admin', create_management_key, {
        name: 'pipeline',
        role: 'reader',
        allowed_ips: ['10.0.0.0/8'],
      })
      secret = done.secret
      expect(secret).toMatch(/^mcpm_[0-9A-Za-z]{43}$/)
      expect(done.key).toMatchObject({
        name: 'pipeline',
        role: 'reader',
        expires_at: null,
        status: 'active',
        source: 'operation',
      })
      expect(done.key.allowed_ips).toEqual(['10.0.0.0/8'])
    })
    expect(rows).toMatchObject([
      { action: 'create_management_key', outcome: 'ok', target_id: expect.stringMatching(/^mkey_/) },
    ])
    const holder = await actor(secret, '10.1.2.3')
    expect(await refusal(actor(secret, '192.0.2.1'))).toBe('ip_not_allowed')
    const { keys } = await call(holder, list_management_keys, {})
    expect(keys.map((key) => [key.name, key.role])).toEqual([
      ['pipeline', 'reader'],
      ['admin (first start)', 'admin'],
    ])
    expect(await refusal(call(holder, create_token, { name: 't' }))).toBe('forbidden')
    expect((await call('reader', validate_token, { token: secret })).verdict).toBe('unknown')
    expect(
      leak(
        Buffer.from(JSON.stringify([keys, rows, log]) + (await contents(instance, ['tokens', 'audit']))),
        secret,
      ),
    ).toBe(-1)
  })

  it('R47: the same call with the same idempotency key makes one key and gets the identical answer', async () => {
    const { call } = instance
    const asked = { name: 'k', role: 'operator', idempotency_key: 'a-key-of-enough-length' } as const
    const [one, two] = await Promise.all([
      call('admin', create_management_key, asked),
      call('admin', create_management_key, asked),
    ])
    expect(two).toEqual(one)
    expect((await call('admin', list_management_keys, {})).keys).toHaveLength(2)
    expect(await refusal(call('admin', create_management_key, { ...asked, role: 'admin' }))).toBe('conflict')
  })

  it('lists keys in pages, and revoked ones only when asked', async () => {
    const { call } = instance
    const made = await call('admin', create_management_key, { name: 'short life', role: 'validator' })
    await call('admin', revoke_management_key, { key_id: made.key.id })
    expect((await call('reader', list_management_keys, {})).keys).toHaveLength(1)
    const first = await call('reader', list_management_keys, { include_revoked: true, limit: 1 })
    expect(first.keys).toMatchObject([{ id: made.key.id, status: 'revoked' }])
    const next = await call('reader', list_management_keys, {
      include_revoked: true,
      limit: 1,
      cursor: first.next_cursor ?? '',
    })
    expect([next.keys.map((key) => key.source), next.next_cursor]).toEqual([['bootstrap'], null])
  })

  it('a revoked key is refused from the next request on, for ever, and its digest is remembered', async () => {
    const { call, actor, core } = instance
    const { key, secret } = await call('admin', create_management_key, { name: 'k', role: 'operator' })
    const { token } = await call(await actor(secret), create_token, { name: 'made by it' })
    const rows = await trailOf(instance, async () => {
      const done = await call('admin', revoke_management_key, { key_id: key.id })
      expect(done).toMatchObject({ changed: true, key: { status: 'revoked' } })
    })
    expect(rows).toMatchObject([{ action: 'revoke_management_key', target_id: key.id, outcome: 'ok' }])
    expect(await refusal(actor(secret))).toBe('unauthenticated')
    expect(await call('admin', revoke_management_key, { key_id: key.id })).toMatchObject({ changed: false })
    const ended = await core.store.read
      .selectFrom('revocations')
      .selectAll()
      .where('token_id', '=', key.id)
      .execute()
    expect(ended).toHaveLength(1)
    const { tokens } = await call('reader', list_magic_tokens, {})
    expect(tokens).toMatchObject([{ id: token.id, status: 'active' }])
  })

  it('R15: the last admin key that works cannot be revoked, not even beside keys that do not work for the instance', async () => {
    const { call, clock, actor, adminKey, core } = instance
    const { project } = await call('admin', create_project, { name: 'p' })
    const [first] = (await call('reader', list_management_keys, {})).keys
    const key_id = first?.id ?? ''
    await call('admin', create_management_key, { name: 'bound', role: 'admin', project_id: project.id })
    await call('admin', create_management_key, { name: 'no admin', role: 'operator' })
    await call('admin', create_management_key, { name: 'ends', role: 'admin', expires_in_days: 1 })
    await plantKey(instance, 'management', { role: 'admin', enabled: 0 })
    clock.pass(2 * day)
    for (const as of ['admin', await actor(adminKey)] as const) {
      await core.uses.flush()
      const before = await contents(instance, stateTables)
      const { code, reason } = await refusalError(call(as, revoke_management_key, { key_id }))
      expect([code, reason]).toEqual(['conflict', 'last_admin'])
      expect(await contents(instance, stateTables)).toBe(before)
    }
    const other = await call('admin', create_management_key, { name: 'second', role: 'admin' })
    await call('admin', revoke_management_key, { key_id })
    expect(await refusal(actor(adminKey))).toBe('unauthenticated')
    expect(await refusal(call('admin', revoke_management_key, { key_id: other.key.id }))).toBe('conflict')
  })

  it('R15: of two admins that revoke each other at once one remains', async () => {
    const { call } = instance
    const [first] = (await call('reader', list_management_keys, {})).keys
    const second = await call('admin', create_management_key, { name: 'second', role: 'admin' })
    const done = await Promise.allSettled(
      [first?.id ?? '', second.key.id].map((key_id) => call('admin', revoke_management_key, { key_id })),
    )
    expect(done.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected'])
    expect((await call('reader', list_management_keys, {})).keys).toHaveLength(1)
  })

  it('R15: no key grants more than it holds, and the victims stay as they were', async () => {
    const { call, actor, clock, core } = instance
    const mine = await plantProject(instance)
    const theirs = await plantProject(instance)
    const soon = new Date(clock.now + day).toISOString()
    const plant = async (columns: object, ip?: string) => {
      const { secret } = await plantKey(instance, 'management', { role: 'admin', ...columns })
      return actor(secret, ip)
    }
    const foreign = await plantKey(instance, 'management', { role: 'admin', project_id: theirs.project_id })
    const [whole] = (await call('admin', list_management_keys, { order: 'asc' })).keys
    const bound = await plant({ project_id: mine.project_id })
    const narrow = await plant({ allowed_ips: '["10.0.0.0/8"]' }, '10.0.0.1')
    const mortal = await plant({ expires_at: soon })
    const operator = await plant({ role: 'operator' })
    const self = { name: 'k', role: 'admin' } as const
    await core.uses.flush()
    const before = await contents(instance, stateTables)
    const attempts: [string, () => Promise<unknown>][] = [
      ['forbidden', () => call(operator, create_management_key, { name: 'k', role: 'validator' })],
      ['forbidden', () => call(operator, revoke_management_key, { key_id: whole?.id ?? '' })],
      ['forbidden', () => call(operator, update_settings, { max_lifetime_days: null })],
      ['forbidden', () => call(bound, create_management_key, { ...self, project_id: theirs.project_id })],
      ['not_found', () => call(bound, revoke_management_key, { key_id: whole?.id ?? '' })],
      ['not_found', () => call(bound, revoke_management_key, { key_id: foreign.id })],
      ['forbidden', () => call(bound, update_settings, { max_lifetime_days: null })],
      ['forbidden', () => call(narrow, create_management_key, { ...self, allowed_ips: ['8.0.0.0/5'] })],
      [
        'forbidden',
        () => call(narrow, create_management_key, { ...self, allowed_ips: ['10.0.0.0/8', '192.0.2.1'] }),
      ],
      ['forbidden', () => call(mortal, create_management_key, { ...self, expires_at: null })],
      ['forbidden', () => call(mortal, create_management_key, { ...self, expires_in_days: 2 })],
      [
        'forbidden',
        () => call(mortal, create_management_key, { ...self, expires_at: '2090-01-01T00:00:00Z' }),
      ],
      ['not_found', () => call('admin', create_management_key, { ...self, project_id: 'proj_none' })],
      ['not_found', () => call('admin', revoke_management_key, { key_id: mine.user_id })],
    ]
    for (const [n, [code, attempt]] of attempts.entries())
      expect([n, await refusal(attempt())]).toEqual([n, code])
    expect(await contents(instance, stateTables)).toBe(before)

    expect((await call(bound, list_management_keys, {})).keys.map((key) => key.project_id)).toEqual([
      mine.project_id,
    ])
    expect((await call(bound, create_management_key, self)).key.project_id).toBe(mine.project_id)
    expect((await call(narrow, create_management_key, self)).key.allowed_ips).toEqual(['10.0.0.0/8'])
    const open = await call(narrow, create_management_key, { ...self, allowed_ips: null })
    expect(open.key.allowed_ips).toEqual(['10.0.0.0/8'])
    expect((await call(mortal, create_management_key, self)).key.expires_at).toBe(soon)
  })
})
