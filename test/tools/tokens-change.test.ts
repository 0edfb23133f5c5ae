import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { add_groups } from '../../tools/tokens/add_groups.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { remove_groups } from '../../tools/tokens/remove_groups.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { set_token_enabled } from '../../tools/tokens/set_token_enabled.ts'
import { update_token } from '../../tools/tokens/update_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import {
  contents,
  makeToken,
  plantGroup,
  plantServer,
  setPolicy,
  stateTables,
  trailOf,
} from '../support/world.ts'

const day = 86_400_000

describe.each(databases)('changing tokens on $name', (database) => {
  let instance: Instance
  let group: string
  let server: string
  beforeAll(async () => {
    instance = await openInstance(database)
    server = (await plantServer(instance)).id
    group = await plantGroup(instance, [server])
  })
  afterAll(() => instance.close())

  const at = (ms: number) => new Date(instance.clock.now + ms).toISOString()
  const update = (token_id: string, changes: object) =>
    instance.call('operator', update_token, { token_id, ...changes })

  it('create: without an expiry a token lives 30 days, without access it reaches nothing', async () => {
    const { token } = await makeToken(instance)
    expect(token).toMatchObject({
      kind: 'access',
      status: 'active',
      enabled: true,
      generation: 1,
      allowed_ips: null,
      not_before: null,
      use_count: 0,
      predecessor: null,
      created_by: 'tester',
      access: { all_servers: false, servers: [], groups: [], tool_rules: null, limits: null },
      metadata: {},
    })
    expect(token.expires_at).toBe(new Date(Date.parse(token.created_at) + 30 * day).toISOString())
  })

  it('create: every member is stored as it was given', async () => {
    const tool_rules = { allow: ['a/*'], deny: ['b'] }
    const limits = { requests: 100, per_seconds: 60, max_uses: 5_000 }
    const access = { servers: [server], groups: [group], tool_rules, limits }
    const { token } = await makeToken(instance, {
      name: 'n',
      description: 'd',
      metadata: { a: [1] },
      access,
      allowed_ips: ['10.0.0.0/8', '2001:db8::1'],
      expires_at: '2090-01-02T03:04:05+02:00',
      not_before: '2089-01-02T03:04:05.678Z',
    })
    expect(token).toMatchObject({
      name: 'n',
      description: 'd',
      metadata: { a: [1] },
      allowed_ips: ['10.0.0.0/8', '2001:db8::1'],
      expires_at: '2090-01-02T01:04:05.000Z',
      not_before: '2089-01-02T03:04:05.678Z',
    })
    expect(token.access).toMatchObject({
      all_servers: false,
      servers: [{ id: server }],
      groups: [{ id: group }],
      tool_rules,
      limits,
    })
    expect((await instance.call('reader', get_token, { token_id: token.id })).token).toEqual({
      ...token,
      leaked_at: null,
      usage: { window_count: 0, window_ends_at: expect.any(String), uses: 0 },
      generations: [],
    })
  })

  it('R15: max_lifetime_days binds create and update in every face; nothing asked for is shortened without a word', async () => {
    const { id } = await makeToken(instance, { expires_in_days: 5 })
    await setPolicy(instance, { max_lifetime_days: 10, default_lifetime_days: 30 })
    for (const lifetime of [{ expires_at: null }, { expires_in_days: 11 }, { expires_at: at(11 * day) }]) {
      for (const via of ['v1', 'mcp', 'stdio', 'cli', 'metorial', 'enkrypt', 'gassapi', 'mctx'] as const) {
        const error = await refusalError(
          instance.call('admin', create_token, { name: 'x', ...lifetime }, via),
        )
        expect([via, error.code, error.message.includes('max_lifetime_days')]).toEqual([
          via,
          'invalid_input',
          true,
        ])
      }
      expect(await refusal(update(id, lifetime))).toBe('invalid_input')
    }
    const { token } = await makeToken(instance)
    expect(token.expires_at).toBe(new Date(Date.parse(token.created_at) + 10 * day).toISOString())
    expect((await update(id, { expires_in_days: 10 })).token.expires_at).toBe(at(10 * day))
    await setPolicy(instance, { max_lifetime_days: null })
    expect((await makeToken(instance, { expires_at: null })).token.expires_at).toBeNull()
    expect((await makeToken(instance, { expires_in_days: 36_500 })).token.expires_at).not.toBeNull()
  })

  it('update: members that are absent stay, those that are present replace', async () => {
    const { id, token } = await makeToken(instance, {
      description: 'd',
      metadata: { a: 1 },
      allowed_ips: ['10.0.0.1'],
      access: { servers: [server], groups: [group] },
    })
    expect((await update(id, { name: 'new' })).token).toEqual({ ...token, name: 'new', updated_at: at(0) })
    const changed = (
      await update(id, { description: '', metadata: { b: 2 }, allowed_ips: null, access: { servers: [] } })
    ).token
    expect(changed).toMatchObject({
      description: '',
      metadata: { b: 2 },
      allowed_ips: null,
      access: { servers: [], groups: [{ id: group }] },
    })
    expect((await update(id, { access: { all_servers: true } })).token.access).toMatchObject({
      all_servers: true,
      servers: [],
      groups: [],
    })
    expect((await update(id, { access: { all_servers: false } })).token.access).toMatchObject({
      all_servers: false,
      servers: [],
      groups: [],
    })
    expect((await update(id, { not_before: at(day) })).token.not_before).toBe(at(day))
    expect((await update(id, { not_before: null, expires_at: null })).token).toMatchObject({
      not_before: null,
      expires_at: null,
    })
    expect((await update(id, { access: { tool_rules: { deny: ['x'] } } })).token.access.tool_rules).toEqual({
      deny: ['x'],
    })
    expect((await update(id, { access: { tool_rules: null } })).token.access.tool_rules).toBeNull()
  })

  it('update: changed is false when nothing differs, and then updated_at stays', async () => {
    const { id, token } = await makeToken(instance, {
      allowed_ips: ['10.0.0.1'],
      access: { servers: [server] },
    })
    instance.clock.pass(1_000)
    const same = await update(id, {
      name: token.name,
      allowed_ips: ['10.0.0.1'],
      access: { servers: [server] },
      expires_at: token.expires_at,
    })
    expect(same).toEqual({ token, changed: false })
    expect((await update(id, { access: { servers: [] } })).changed).toBe(true)
  })

  it('update: the expiry may not fall before the start of validity', async () => {
    const { id } = await makeToken(instance, { not_before: at(5 * day) })
    expect(await refusal(update(id, { expires_in_days: 4 }))).toBe('invalid_input')
    expect(await refusal(update(id, { not_before: at(31 * day) }))).toBe('invalid_input')
    expect((await update(id, { expires_in_days: 4, not_before: null })).changed).toBe(true)
  })

  it('a revoked token: every change is a conflict with reason revoked, and nothing un-revokes it', async () => {
    const { id, secret } = await makeToken(instance)
    const first = await instance.call('operator', revoke_token, { token_id: id })
    expect(first).toMatchObject({ changed: true, token: { status: 'revoked', revoked_at: at(0) } })
    const before = await contents(instance, stateTables)
    const changes = [
      ...[
        { name: 'x' },
        { description: 'x' },
        { metadata: {} },
        { expires_in_days: 5 },
        { expires_at: null },
        { allowed_ips: null },
        { access: { all_servers: true } },
        { not_before: null },
        {},
      ].map((one) => update(id, one)),
      instance.call('admin', set_token_enabled, { token_id: id, enabled: true }),
      instance.call('admin', set_token_enabled, { token_id: id, enabled: false }),
      instance.call('admin', rotate_token, { token_id: id }),
      instance.call('admin', add_groups, { token_id: id, group_ids: [group] }),
      instance.call('admin', remove_groups, { token_id: id, group_ids: [group] }),
    ]
    for (const error of await Promise.all(changes.map(refusalError)))
      expect(error).toMatchObject({ code: 'conflict', reason: 'revoked' })
    expect((await instance.call('operator', revoke_token, { token_id: id })).changed).toBe(false)
    expect(await contents(instance, stateTables)).toBe(before)
    expect((await instance.core.verifier.verify(secret, {})).verdict).toBe('revoked')
  })

  it('an expired token: name, description, metadata and expiry may change, everything else is a conflict with reason expired', async () => {
    const { id, secret } = await makeToken(instance, { expires_at: at(1_000) })
    instance.clock.pass(1_000)
    const changes = [
      ...[
        { allowed_ips: ['10.0.0.1'] },
        { access: { all_servers: true } },
        { access: {} },
        { not_before: null },
        { access: { all_servers: true }, expires_in_days: 5 },
      ].map((one) => update(id, one)),
      instance.call('operator', set_token_enabled, { token_id: id, enabled: false }),
      instance.call('operator', rotate_token, { token_id: id }),
      instance.call('operator', add_groups, { token_id: id, group_ids: [group] }),
      instance.call('operator', remove_groups, { token_id: id, group_ids: [group] }),
    ]
    for (const error of await Promise.all(changes.map(refusalError)))
      expect(error).toMatchObject({ code: 'conflict', reason: 'expired' })
    const texts = await update(id, { name: 'n', description: 'd', metadata: { a: 1 } })
    expect(texts).toMatchObject({ changed: true, token: { status: 'expired', name: 'n' } })
    expect((await update(id, { expires_in_days: 5 })).token.status).toBe('active')
    expect((await instance.core.verifier.verify(secret, {})).verdict).toBe('valid')
  })

  it('an expired token can be revoked', async () => {
    const { id } = await makeToken(instance, { expires_at: at(1_000) })
    instance.clock.pass(1_000)
    expect(await instance.call('operator', revoke_token, { token_id: id })).toMatchObject({
      changed: true,
      token: { status: 'revoked' },
    })
  })

  it('enabling, disabling, adding and removing groups say whether anything changed', async () => {
    const { id } = await makeToken(instance)
    const enabled = (on: boolean) =>
      instance.call('operator', set_token_enabled, { token_id: id, enabled: on })
    expect(await enabled(true)).toMatchObject({ changed: false, token: { status: 'active' } })
    expect(await enabled(false)).toMatchObject({
      changed: true,
      token: { status: 'disabled', enabled: false },
    })
    expect(await enabled(false)).toMatchObject({ changed: false })
    expect(await enabled(true)).toMatchObject({ changed: true, token: { status: 'active' } })
    const groups = { token_id: id, group_ids: [group, group] }
    expect(await instance.call('operator', add_groups, groups)).toMatchObject({
      changed: true,
      token: { access: { groups: [{ id: group }] } },
    })
    expect(await instance.call('operator', add_groups, groups)).toMatchObject({ changed: false })
    expect(await instance.call('operator', remove_groups, groups)).toMatchObject({
      changed: true,
      token: { access: { groups: [] } },
    })
    expect(await instance.call('operator', remove_groups, groups)).toMatchObject({ changed: false })
  })

  it('deleted groups and servers cannot be given: gone', async () => {
    const dead = await plantGroup(instance, [])
    const deadServer = (await plantServer(instance)).id
    await instance.core.store.write(async (db) => {
      await db
        .updateTable('groups')
        .set({ deleted_at: at(0) })
        .where('id', '=', dead)
        .execute()
      await db
        .updateTable('servers')
        .set({ deleted_at: at(0) })
        .where('id', '=', deadServer)
        .execute()
    })
    const { id } = await makeToken(instance)
    expect(
      await refusal(instance.call('operator', add_groups, { token_id: id, group_ids: [group, dead] })),
    ).toBe('gone')
    expect(await refusal(update(id, { access: { servers: [server, deadServer] } }))).toBe('gone')
    expect((await instance.call('reader', get_token, { token_id: id })).token.access).toMatchObject({
      groups: [],
      servers: [],
    })
  })

  it('R40: the row of a change says what was changed, by whom, through what and when', async () => {
    const { id } = await makeToken(instance)
    const [row] = await trailOf(instance, () => update(id, { allowed_ips: ['10.0.0.1'], expires_in_days: 3 }))
    expect(row).toMatchObject({
      at: at(0),
      action: 'update_token',
      target_id: id,
      outcome: 'ok',
      actor_kind: 'local',
      actor_id: 'tester',
      role: 'operator',
      via: 'v1',
      ip: null,
      request_id: 'req_test',
    })
    expect(JSON.parse(row?.details ?? '')).toMatchObject({
      allowed_ips: ['10.0.0.1'],
      expires_at: at(3 * day),
    })
  })
})
