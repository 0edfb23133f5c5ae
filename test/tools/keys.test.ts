import { beforeEach, describe, expect, it } from 'vitest'
import { create_project } from '../../tools/projects/create_project.ts'
import { create_management_key } from '../../tools/system/create_management_key.ts'
import { list_management_keys } from '../../tools/system/list_management_keys.ts'
import { revoke_management_key } from '../../tools/system/revoke_management_key.ts'
import { update_settings } from '../../tools/system/update_settings.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { list_magic_tokens } from '../../tools/tokens/list_magic_tokens.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { contents, leak, plantKey, plantProject, stateTables, trailOf } from '../support/world.ts'

const minute = 60_000
const day = 24 * 60 * minute

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
