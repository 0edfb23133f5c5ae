import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { invoke } from '../../src/core/invoke.ts'
import { signIn } from '../../src/core/sign-in.ts'
import { verify_audit } from '../../tools/audit/verify_audit.ts'
import { export_config } from '../../tools/configs/export_config.ts'
import { delete_project } from '../../tools/projects/delete_project.ts'
import { create_backup } from '../../tools/system/create_backup.ts'
import { create_management_key } from '../../tools/system/create_management_key.ts'
import { redeem_link } from '../../tools/system/redeem_link.ts'
import { reset_system } from '../../tools/system/reset_system.ts'
import { restore_backup } from '../../tools/system/restore_backup.ts'
import { revoke_management_key } from '../../tools/system/revoke_management_key.ts'
import { update_settings } from '../../tools/system/update_settings.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { create_user } from '../../tools/users/create_user.ts'
import { delete_user } from '../../tools/users/delete_user.ts'
import { get_user } from '../../tools/users/get_user.ts'
import { reset_password } from '../../tools/users/reset_password.ts'
import { databases } from '../support/databases.ts'
import { backedUp, furnish, openSibling, upstreamSecret } from '../support/furnished.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { verifies } from '../support/verifies.ts'
import { contents, leak, makeToken, plantKey, plantProject, stateTables, trailOf } from '../support/world.ts'

type Document = Awaited<ReturnType<typeof backupOf>>

async function backupOf({ call }: Instance) {
  return (await call('admin', create_backup, {})).backup
}

const verdict = async ({ core }: Instance, secret: string) =>
  (await core.verifier.verify(secret, { ip: '10.0.0.1' }, { management: true })).verdict

describe.each(databases)('backup, restore and reset on $name', (database) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(database)
    await furnish(instance)
  })
  afterAll(() => instance.close())

  const names = ['../x', '/etc/passwd', 'a/b', 'a\\b', '.', '..', '%2e%2e', 'a\0b', 'x'.repeat(65), '']
  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: create_backup,
        roles: ['admin'],
        good: {},
        bad: [{ output_file: 5 }, ...names.map((output_file) => ({ output_file }))],
      },
      {
        operation: restore_backup,
        roles: ['admin'],
        good: { input_file: 'none.json' },
        bad: [
          {},
          { input_file: 'a', data: {} },
          { data: null },
          { data: [] },
          { data: 'x' },
          { data: {} },
          { data: { backup_version: 1 } },
          ...names.map((input_file) => ({ input_file })),
        ],
      },
      {
        operation: reset_system,
        roles: ['admin'],
        good: { confirm: true },
        bad: [{}, { confirm: false }, { confirm: 'true' }, { confirm: 1 }, { confirm: null }],
      },
    ],
  )

  it('R19: they are no tools of models', () => {
    for (const { faces } of [create_backup, restore_backup, reset_system])
      expect(faces).toEqual(['rest', 'cli'])
  })

  it('R15: an admin key bound to a project may do none of it, and nothing changes', async () => {
    const { call, actor } = instance
    const { project_id } = await plantProject(instance)
    const bound = await actor((await plantKey(instance, 'management', { role: 'admin', project_id })).secret)
    const data = await backupOf(instance)
    const before = await backedUp(instance)
    expect(await refusal(call(bound, create_backup, {}))).toBe('forbidden')
    expect(await refusal(call(bound, restore_backup, { data }))).toBe('forbidden')
    expect(await refusal(call(bound, reset_system, { confirm: true }))).toBe('forbidden')
    expect(await backedUp(instance)).toEqual(before)
  })

  it(`${verifies('enkrypt:system:backup:inline')} a backup is answered, and with output_file also in that file, the same and private`, async () => {
    const { call, place } = instance
    const rows = await trailOf(instance, async () => {
      const { backup, file } = await call('admin', create_backup, { output_file: 'mine.json' })
      expect(backup).toMatchObject({ backup_version: 1, created_at: expect.stringMatching(/^\d{4}-.*Z$/) })
      expect(file).toBe('mine.json')
      const path = join(place.dataDir, 'exports', 'mine.json')
      expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(backup)
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect(readdirSync(join(place.dataDir, 'exports'))).toEqual(['mine.json'])
    })
    expect(rows).toMatchObject([{ action: 'create_backup', outcome: 'ok', target_id: 'mine.json' }])
    expect(JSON.parse(rows[0]?.details ?? '')).toMatchObject({ file: 'mine.json', rows: { environments: 1 } })
    expect((await call('admin', create_backup, {})).file).toBeNull()
  })
})

describe.each(databases)('what a backup on $name holds', (database) => {
  it('R2, R5, R37, R56: every row of the instance, and no secret, no key, no link, no kept answer, no value in the clear', async () => {
    const instance = await openInstance(database)
    const made = await furnish(instance)
    const data = await backupOf(instance)
    const text = Buffer.from(JSON.stringify(data))
    const master = readFileSync(join(instance.place.dataDir, 'secret.key'), 'utf8').trim()
    const secrets = Object.values(made).flatMap((one) =>
      typeof one === 'object' && 'secret' in one ? [one.secret] : [],
    )
    expect(secrets.length).toBeGreaterThan(8)
    for (const never of [...secrets, made.predecessor, made.code, upstreamSecret, master, instance.adminKey])
      expect(leak(text, never)).toBe(-1)
    const { tables } = data as unknown as { tables: Record<string, { rows: unknown[] }> }
    expect(Object.keys(tables).sort()).toEqual([
      'configs',
      'environments',
      'group_servers',
      'groups',
      'project_members',
      'projects',
      'servers',
      'token_groups',
      'token_limits',
      'token_servers',
      'token_uses',
      'tokens',
      'users',
    ])
    for (const [name, { rows }] of Object.entries(tables))
      expect([name, rows.length > 0]).toEqual([name, true])
    await instance.close()
  })
})

describe.each(databases)('a backup made on $name', (from) => {
  let origin: Instance
  let made: Awaited<ReturnType<typeof furnish>>
  let data: Document
  let rows: string[]
  beforeAll(async () => {
    origin = await openInstance(from)
    made = await furnish(origin)
    rows = await backedUp(origin)
    data = await backupOf(origin)
  })
  afterAll(() => origin.close())

  it.each(databases)(
    `${verifies('enkrypt:system:restore:other-instance')} R56: comes back on $name under the same master key, row for row, secrets, states and sealed values included`,
    async (to) => {
      const sibling = await openSibling(to, origin)
      const before = (await sibling.call('admin', create_backup, {})).backup as unknown as {
        tables: { tokens: { rows: string[][] } }
      }
      const own = before.tables.tokens.rows.map(([id]) => id ?? '')
      const done = await sibling.call('admin', restore_backup, { data })
      expect(done).toMatchObject({
        restored: {
          users: 3,
          projects: 1,
          configs: 2,
          servers: 4,
          groups: 1,
          tokens: 8,
          user_keys: 2,
          management_keys: 2,
        },
        revoked_since: 0,
      })
      // It has no revocations of its own, and says so (R57).
      expect(done.note).toMatch(/another instance.*only what the backup itself knows/)
      expect(await backedUp(sibling, own)).toEqual(rows)
      expect(await verdict(sibling, made.plain.secret)).toBe('valid')
      expect(await verdict(sibling, made.limited.secret)).toBe('valid')
      expect(await verdict(sibling, made.user_key.secret)).toBe('valid')
      expect(await verdict(sibling, made.manager.secret)).toBe('valid')
      expect(await verdict(sibling, origin.adminKey)).toBe('valid')
      expect(await verdict(sibling, sibling.adminKey)).toBe('valid')
      expect(await verdict(sibling, made.disabled_user_key.secret)).toBe('disabled')
      expect(await verdict(sibling, made.revoked.secret)).toBe('revoked')
      const exported = await sibling.call('admin', export_config, {
        config_id: made.config_id,
        include_secrets: true,
      })
      expect(JSON.stringify(exported)).toContain(upstreamSecret)
      expect((await sibling.call('reader', verify_audit, {})).ok).toBe(true)
      await sibling.close()
    },
  )

  it.each(databases)(
    `${verifies('enkrypt:system:restore:other-instance')} R57, R3: is refused on $name under another master key, with the reason, and nothing changes`,
    async (to) => {
      const stranger = await openInstance(to)
      const before = await contents(stranger, stateTables)
      const refused = await refusalError(stranger.call('admin', restore_backup, { data }))
      expect([refused.code, refused.reason]).toEqual(['conflict', 'other_master'])
      expect(refused.message).toMatch(/secret\.key.*TOKENWRIGHT_SECRET/)
      expect(await contents(stranger, stateTables)).toBe(before)
      await stranger.close()
    },
  )

  it('R56: with any one byte changed it is refused, and nothing changes', async () => {
    const { call, place } = origin
    await call('admin', create_backup, { output_file: 'whole.json' })
    const path = (name: string) => join(place.dataDir, 'exports', name)
    const bytes = readFileSync(path('whole.json'))
    const before = await backedUp(origin)
    const steps = 150
    for (let n = 0; n < steps; n++) {
      const at = Math.floor((bytes.length * n) / steps)
      const edited = Buffer.from(bytes)
      edited[at] = (edited[at] ?? 0) ^ 1
      writeFileSync(path('edited.json'), edited)
      const code = await refusal(call('admin', restore_backup, { input_file: 'edited.json' }))
      // A changed fingerprint is another master key.
      expect([at, code === 'conflict' ? 'invalid_input' : code]).toEqual([at, 'invalid_input'])
    }
    for (const cut of [0, 1, Math.floor(bytes.length / 2), bytes.length - 3]) {
      writeFileSync(path('edited.json'), bytes.subarray(0, cut))
      expect(await refusal(call('admin', restore_backup, { input_file: 'edited.json' }))).toBe(
        'invalid_input',
      )
    }
    expect(await backedUp(origin)).toEqual(before)
    await call('admin', restore_backup, { input_file: 'whole.json' })
  })

  it(`${verifies('enkrypt:system:restore:refused')} a missing file is not found; another version, more or fewer members, rows moved or taken out are bad input with the reason backup, and nothing changes`, async () => {
    const { call } = origin
    const before = await backedUp(origin)
    expect(await refusal(call('admin', restore_backup, { input_file: 'none.json' }))).toBe('not_found')
    const copy = () => structuredClone(data) as unknown as Record<string, never> & typeof whole
    const whole = data as unknown as {
      tables: Record<string, { columns: string[]; rows: unknown[][] }>
      audit_head: { seq: number }
    }
    const edits: ((copy: typeof whole & Record<string, unknown>) => void)[] = [
      (one) => Object.assign(one, { backup_version: 2 }),
      (one) => Object.assign(one, { backup_version: '1' }),
      (one) => Object.assign(one, { more: 1 }),
      (one) => Object.assign(one, { checksum: '0'.repeat(64) }),
      (one) => Object.assign(one, { created_at: '2026-01-01T00:00:00.000Z' }),
      (one) => void delete one['checksum'],
      (one) => Object.assign(one.audit_head, { seq: one.audit_head.seq + 1 }),
      (one) => void delete one.tables['tokens'],
      (one) => Object.assign(one.tables, { audit: { columns: [], rows: [] } }),
      (one) => void one.tables['tokens']?.columns.reverse(),
      (one) => void one.tables['tokens']?.rows.pop(),
      (one) => void one.tables['tokens']?.rows.reverse(),
      (one) => void one.tables['users']?.rows.push([...(one.tables['users']?.rows[0] ?? [])]),
      (one) => void one.tables['users']?.rows[0]?.pop(),
      (one) => Object.assign(one.tables['users'] ?? {}, { rows: {} }),
      (one) => Object.assign(one.tables['users'] ?? {}, { rows: [null] }),
    ]
    for (const [n, edit] of edits.entries()) {
      const edited = copy()
      edit(edited)
      const refused = await refusalError(call('admin', restore_backup, { data: edited }))
      expect([n, refused.code, refused.reason]).toEqual([n, 'invalid_input', 'backup'])
    }
    expect(await backedUp(origin)).toEqual(before)
  })
})

describe.each(databases)('after a restore on $name', (database) => {
  let instance: Instance
  let made: Awaited<ReturnType<typeof furnish>>
  beforeEach(async () => {
    instance = await openInstance(database)
    made = await furnish(instance)
    return () => instance.close()
  })

  it(`${verifies('enkrypt:system:restore:ok', 'enkrypt:system:restore:dead-stay-dead', 'enkrypt:system:restore:caller-survives')} R57: what was there is back, what was made since is gone, and what was ended since stays dead`, async () => {
    const { call, actor, adminKey } = instance
    const admin = await actor(adminKey)
    const living = await makeToken(instance)
    const rotated = await makeToken(instance)
    const graced = await makeToken(instance)
    const revoked = await makeToken(instance)
    const { project_id, user_id } = await plantProject(instance)
    const ofProject = await makeToken(instance, { project_id, owner_id: user_id })
    const key = await call('admin', create_management_key, { name: 'ended', role: 'operator' })
    const rows = await backedUp(instance)
    const data = await backupOf(instance)

    await call(admin, revoke_token, { token_id: revoked.id })
    const turned = await call(admin, rotate_token, { token_id: rotated.id })
    await call(admin, rotate_token, { token_id: graced.id, grace_seconds: 3_600 })
    await call(admin, delete_project, { project_id })
    await call(admin, revoke_management_key, { key_id: key.key.id })
    await call(admin, update_settings, { default_lifetime_days: 7 })
    const later = await makeToken(instance, { name: 'made later' })
    const ended = await contents(instance, ['revocations'])

    const trail = await trailOf(instance, async () => {
      const done = await call(admin, restore_backup, { data })
      expect(done.revoked_since).toBe(5)
      expect(done.note).toMatch(/stay dead/)
    })
    expect(trail).toMatchObject([
      { action: 'restore_backup', outcome: 'ok', actor_id: 'id' in admin && admin.id },
    ])
    expect(JSON.parse(trail[0]?.details ?? '')).toMatchObject({
      revoked_since: 5,
      commands: { [made.program]: ['npx', '-y', 'pkg'] },
    })
    const changed = [revoked, rotated, graced, ofProject, key.key, made.turned].map(({ id }) => id)
    const but = [...changed, 'id' in admin ? String(admin.id) : '']
    expect(await backedUp(instance, but)).toEqual(rows.filter((row) => !but.some((id) => row.includes(id))))
    for (const { secret } of [revoked, rotated, graced, ofProject, key])
      expect(await verdict(instance, secret)).toBe('revoked')
    expect(await verdict(instance, turned.delivery.secret ?? '')).toBe('unknown')
    expect(await verdict(instance, later.secret)).toBe('unknown')
    expect(await verdict(instance, made.revoked.secret)).toBe('revoked')
    for (const { secret } of [living, made.plain, made.turned, made.user_key, made.manager, made.owned])
      expect(await verdict(instance, secret)).toBe('valid')
    expect(await verdict(instance, made.disabled.secret)).toBe('disabled')
    // Its digest was ended when it was rotated, so its grace does not come back.
    expect(await verdict(instance, made.predecessor)).toBe('unknown')
    expect(await actor(adminKey)).toMatchObject({ id: 'id' in admin && admin.id, role: 'admin' })

    expect(await contents(instance, ['revocations'])).toBe(ended)
    expect(await contents(instance, ['links', 'idempotency'])).toBe('["links",[],"idempotency",[]]')
    expect(await refusal(call({ kind: 'nobody' }, redeem_link, { code: made.code }))).toBe('not_found')
    const { token } = await call(admin, create_token, { name: 'after' })
    expect(Date.parse(token.expires_at ?? '') - instance.clock.now).toBeLessThan(8 * 86_400_000)
    expect((await call(admin, verify_audit, {})).ok).toBe(true)
  })

  it(`${verifies('enkrypt:system:restore:dead-stay-dead')} R57: a password that was replaced since, or whose user was deleted, signs nobody in; one that was not does, after a reset too`, async () => {
    const { call, core } = instance
    const signsIn = (email: string, password: string) =>
      signIn(core, { email, password, via: 'v1', ip: null })
    const make = async (email: string) =>
      (await call('admin', create_user, { email, password: 'the first password' })).user.id
    const kept = await make('kept@example.com')
    const replaced = await make('replaced@example.com')
    const deleted = await make('deleted@example.com')
    const data = await backupOf(instance)
    await call('admin', reset_password, { user_id: replaced, new_password: 'the second password' })
    await call('admin', delete_user, { user_id: deleted })
    await call('admin', reset_system, { confirm: true })
    const trail = await trailOf(instance, () => call('admin', restore_backup, { data }))
    expect(JSON.parse(trail[0]?.details ?? '')).toMatchObject({ passwords_ended: 2 })
    const has = async (user_id: string) => (await call('admin', get_user, { user_id })).user.has_password
    expect(await Promise.all([kept, replaced, deleted].map(has))).toEqual([true, false, false])
    expect(await signsIn('kept@example.com', 'the first password')).toMatchObject({ id: kept })
    for (const email of ['replaced@example.com', 'deleted@example.com'])
      for (const password of ['the first password', 'the second password'])
        expect(await refusal(signsIn(email, password))).toBe('unauthenticated')
    await call('admin', reset_password, { user_id: replaced, new_password: 'the third password' })
    expect(await signsIn('replaced@example.com', 'the third password')).toMatchObject({ id: replaced })
  })

  it(`${verifies('enkrypt:system:reset:effect', 'enkrypt:system:reset:snapshot', 'enkrypt:system:restore:dead-stay-dead')} R57: a reset leaves nothing but the caller, trail and policy, its snapshot brings all back, and what was revoked explicitly stays dead`, async () => {
    const { call, actor, adminKey, place } = instance
    const admin = await actor(adminKey)
    const own = 'id' in admin ? String(admin.id) : ''
    const other = await call(admin, create_management_key, { name: 'other', role: 'admin' })
    const early = await backupOf(instance)
    await call(admin, revoke_token, { token_id: made.limited.id })
    const rows = await backedUp(instance)
    const staying = ['revocations', 'settings', 'token_limits']
    const ended = await contents(instance, staying)
    let file = ''
    const trail = await trailOf(instance, async () => {
      file = (await call(admin, reset_system, { confirm: true })).snapshot_file
    })
    expect(trail).toMatchObject([{ action: 'reset_system', outcome: 'ok', target_id: file }])
    expect(file).toMatch(/^reset-\d{17}\.json$/)
    expect(statSync(join(place.dataDir, 'exports', file)).mode & 0o777).toBe(0o600)
    const left = await backedUp(instance, [own])
    expect(left.filter((row) => !row.startsWith('token_limits '))).toEqual([])
    expect(await contents(instance, staying)).toBe(ended)
    for (const { secret } of [made.plain, made.user_key, made.manager, other])
      expect(await verdict(instance, secret)).toBe('unknown')
    expect(await verdict(instance, adminKey)).toBe('valid')
    expect((await call(admin, verify_audit, {})).ok).toBe(true)
    await instance.core.uses.flush()
    expect(instance.log.filter((line) => line.includes('"level":50'))).toEqual([])

    expect((await call(admin, restore_backup, { data: early })).revoked_since).toBe(1)
    expect(await verdict(instance, made.limited.secret)).toBe('revoked')
    expect(await verdict(instance, made.plain.secret)).toBe('valid')
    await call(admin, restore_backup, { input_file: file })
    const but = [own, made.turned.id]
    expect(await backedUp(instance, but)).toEqual(rows.filter((row) => !but.some((id) => row.includes(id))))
    for (const { secret } of [made.plain, made.user_key, made.manager, other])
      expect(await verdict(instance, secret)).toBe('valid')
    expect((await call(admin, verify_audit, {})).ok).toBe(true)
  })

  it(`${verifies('enkrypt:system:restore:refused')} R57: a fault in the middle of a restore changes nothing`, async () => {
    const { call, core } = instance
    const second = await makeToken(instance, { access: { servers: [made.loose.id] } })
    const data = await backupOf(instance)
    await core.store.write((db) => db.deleteFrom('token_servers').where('token_id', '=', second.id).execute())
    // The last table that is put in refuses its second row.
    await core.store.write((db) =>
      db.schema.createIndex('fault').on('token_servers').column('server_id').unique().execute(),
    )
    const before = await contents(instance, stateTables)
    const trail = await trailOf(instance, async () => {
      expect(await refusal(call('admin', restore_backup, { data }))).toBe('conflict')
    })
    expect(trail).toEqual([])
    expect(await contents(instance, stateTables)).toBe(before)
    await core.store.write((db) => db.schema.dropIndex('fault').execute())
    await call('admin', restore_backup, { data })
    expect(await verdict(instance, second.secret)).toBe('valid')
    expect((await call('admin', verify_audit, {})).ok).toBe(true)
  })

  it('R15: from the command line, which has no key, every admin key that works stays as it is', async () => {
    const { call, clock } = instance
    const data = await backupOf(instance)
    const works = await call('admin', create_management_key, { name: 'works', role: 'admin' })
    const ends = await call('admin', create_management_key, { name: 'e', role: 'admin', expires_in_days: 1 })
    const weaker = await call('admin', create_management_key, { name: 'w', role: 'operator' })
    clock.pass(2 * 86_400_000)
    await call('admin', restore_backup, { data }, 'cli')
    expect(await verdict(instance, works.secret)).toBe('valid')
    await call('admin', reset_system, { confirm: true }, 'cli')
    for (const secret of [works.secret, instance.adminKey])
      expect(await verdict(instance, secret)).toBe('valid')
    for (const { secret } of [ends, weaker]) expect(await verdict(instance, secret)).toBe('unknown')
  })

  it('a change while the snapshot of a reset is written is a conflict, and nothing is lost', async () => {
    const { core } = instance
    const store = { ...core.store }
    store.snapshot = async (work) => {
      const seen = await core.store.snapshot(work)
      await makeToken(instance, { name: 'meanwhile' })
      return seen
    }
    const actor = { kind: 'local', id: 'tester', role: 'admin' } as const
    const caller = { actor, via: 'v1', ip: null, client: null, request_id: 'req_x' } as const
    const reset = await refusalError(invoke({ ...core, store }, caller, reset_system, { confirm: true }))
    expect([reset.code, reset.reason]).toEqual(['conflict', 'race'])
    expect(await verdict(instance, made.plain.secret)).toBe('valid')
  })

  it('R46: another process on the store sees a reset and a restore with its next validation', async () => {
    const other = await openInstance(database, { ...instance.place, remove: async () => undefined })
    const data = await backupOf(instance)
    for (let round = 0; round < 3; round++) {
      expect(await verdict(other, made.plain.secret)).toBe('valid')
      expect(await verdict(instance, made.plain.secret)).toBe('valid')
      await instance.call('admin', reset_system, { confirm: true })
      expect(await verdict(other, made.plain.secret)).toBe('unknown')
      expect(await verdict(instance, made.plain.secret)).toBe('unknown')
      await instance.call('admin', restore_backup, { data })
    }
    expect(await verdict(other, made.plain.secret)).toBe('valid')
    await other.close()
  })
})
