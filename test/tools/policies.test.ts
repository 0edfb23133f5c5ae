import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Via } from '../../src/core/context.ts'
import type { Policy, ProjectPolicy } from '../../src/domain/settings.ts'
import { create_project } from '../../tools/projects/create_project.ts'
import { get_project } from '../../tools/projects/get_project.ts'
import { update_project } from '../../tools/projects/update_project.ts'
import { create_backup } from '../../tools/system/create_backup.ts'
import { create_management_key } from '../../tools/system/create_management_key.ts'
import { restore_backup } from '../../tools/system/restore_backup.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { update_token } from '../../tools/tokens/update_token.ts'
import { generate_user_key } from '../../tools/users/generate_user_key.ts'
import { databases } from '../support/databases.ts'
import { openSibling } from '../support/furnished.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import {
  contents,
  makeToken,
  plantProject,
  plantUser,
  setPolicy,
  stateTables,
  trailOf,
} from '../support/world.ts'

const day = 86_400_000
const vias: Via[] = ['v1', 'mcp', 'stdio', 'cli', 'metorial', 'enkrypt', 'gassapi', 'mctx']
const none: Policy = {
  max_lifetime_days: null,
  require_expiry: false,
  require_allowed_ips: false,
  max_live_tokens_per_owner: null,
  delivery_kinds: ['link', 'inline', 'file'],
  dormant_days: null,
}

describe.each(databases)('policies on $name', (database) => {
  let instance: Instance
  let project_id: string
  let owner_id: string
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  beforeEach(async () => {
    const project = await plantProject(instance)
    project_id = project.project_id
    owner_id = project.user_id
  })
  afterAll(() => instance.close())
  afterEach(async () => {
    await setPolicy(instance, none)
    await setProject(null)
  })

  const setProject = (policy: ProjectPolicy | null) =>
    instance.call('admin', update_project, { project_id, policy })
  const create = (more: object, via: Via = 'v1') =>
    instance.call('admin', create_token, { name: 'x', ...more }, via)
  const update = (token_id: string, more: object, via: Via = 'v1') =>
    instance.call('admin', update_token, { token_id, ...more }, via)
  const rotate = (token_id: string, via: Via = 'v1') =>
    instance.call('admin', rotate_token, { token_id }, via)
  /** Code and reason of a refusal that changes nothing. */
  const refuses = async (call: () => Promise<unknown>) => {
    await instance.core.uses.flush()
    const before = await contents(instance, stateTables)
    const { code, reason, message } = await refusalError(call())
    expect(await contents(instance, stateTables)).toBe(before)
    return { code, reason, message }
  }

  const broken = {
    require_expiry: { value: true, breaks: { expires_at: null }, keeps: { expires_in_days: 3 } },
    require_allowed_ips: {
      value: true,
      breaks: { allowed_ips: null },
      keeps: { allowed_ips: ['192.0.2.0/24'] },
    },
    max_lifetime_days: { value: 10, breaks: { expires_in_days: 11 }, keeps: { expires_in_days: 10 } },
  } as const

  describe.each(['instance', 'project'] as const)('of the %s', (whose) => {
    const set = (policy: Partial<Policy>) =>
      whose === 'instance' ? setPolicy(instance, policy) : setProject(policy)
    const bound = () => (whose === 'project' ? { project_id } : {})

    it.each(Object.entries(broken))(
      'R19: %s binds create, update and rotate in every face, and what keeps it is done',
      async (rule, { value, breaks, keeps }) => {
        const old = await makeToken(instance, { ...bound(), ...breaks })
        await set({ [rule]: value })
        for (const via of vias) {
          const refused = { code: 'invalid_input', message: expect.stringContaining(rule) }
          expect(await refuses(() => create({ ...bound(), ...breaks }, via))).toMatchObject(refused)
          expect(await refuses(() => update(old.id, breaks, via))).toMatchObject(refused)
          const unrenewed = await refuses(() => rotate(old.id, via))
          expect(unrenewed).toMatchObject({ code: 'conflict', reason: rule })
          expect(unrenewed.message).toMatch(/ update_token /)
        }
        // Members that break nothing may change all the while.
        expect((await update(old.id, { name: 'renamed' })).changed).toBe(true)
        await create({ ...bound(), ...keeps })
        await update(old.id, keeps)
        expect((await rotate(old.id)).token.generation).toBe(2)
      },
    )

    it('R19: require_allowed_ips binds whoever prolongs a token that was made before it, not whoever shortens one', async () => {
      const { id } = await makeToken(instance, { ...bound(), expires_in_days: 5 })
      await set({ require_allowed_ips: true })
      for (const longer of [{ expires_in_days: 6 }, { expires_at: null }])
        expect(await refuses(() => update(id, longer))).toMatchObject({
          code: 'invalid_input',
          reason: 'require_allowed_ips',
        })
      await update(id, { expires_in_days: 4 })
      await update(id, { expires_in_days: 20, allowed_ips: ['192.0.2.1'] })
      await update(id, { expires_in_days: 30 })
    })

    it('R19: max_live_tokens_per_owner binds create, the return of an expired token, and rotate once it is exceeded', async () => {
      const owner = { owner_id, ...bound() }
      const expired = await makeToken(instance, { ...owner, expires_in_days: 1 })
      instance.clock.pass(2 * day)
      const [first, second, third] = [
        await makeToken(instance, { ...owner, expires_at: null }),
        await makeToken(instance, owner),
        await makeToken(instance, owner),
      ]
      await set({ max_live_tokens_per_owner: 2 })
      const refused = { code: 'conflict', reason: 'max_live_tokens_per_owner' }
      for (const via of vias) {
        expect(await refuses(() => create(owner, via))).toMatchObject(refused)
        expect(await refuses(() => rotate(first.id, via))).toMatchObject(refused)
        expect(await refuses(() => update(expired.id, { expires_in_days: 5 }, via))).toMatchObject(refused)
      }
      expect((await refuses(() => create(owner))).message).toContain('revoke_token')
      await instance.call('admin', revoke_token, { token_id: third.id })
      await rotate(first.id)
      expect(await refuses(() => create(owner))).toMatchObject(refused)
      await instance.call('admin', revoke_token, { token_id: second.id })
      await update(expired.id, { expires_in_days: 5 })
      expect(await refuses(() => create(owner))).toMatchObject(refused)
      // Nobody's tokens are not counted, nor those of others.
      await create(bound())
      if (whose === 'instance') await create({ owner_id: await plantUser(instance) })
      for (const { id } of [first, expired]) await instance.call('admin', revoke_token, { token_id: id })
    })

    it('R19: delivery_kinds binds every way to hand over a secret that is asked for, and what a model gets by default', async () => {
      const made = await makeToken(instance, bound())
      await set({ delivery_kinds: ['inline'] })
      const refused = {
        code: 'forbidden',
        message: expect.stringMatching(/delivery_kinds; ask for "inline"/),
      }
      for (const via of ['mcp', 'stdio'] as const) {
        expect(await refuses(() => create(bound(), via))).toMatchObject(refused)
        expect(await refuses(() => rotate(made.id, via))).toMatchObject(refused)
      }
      for (const via of vias)
        expect(await refuses(() => create({ ...bound(), delivery: 'link' }, via))).toMatchObject(refused)
      expect((await create({ ...bound(), delivery: 'inline' }, 'mcp')).delivery.kind).toBe('inline')
      const key = { user_id: owner_id, project_id, delivery: 'link' as const }
      expect(await refuses(() => instance.call('admin', generate_user_key, key))).toMatchObject(refused)
    })

    it('R19: user keys and management keys are bound by it as well, until it is lifted', async () => {
      const key = () => instance.call('admin', generate_user_key, { user_id: owner_id, project_id })
      const managing = (more: object) =>
        instance.call('admin', create_management_key, { name: 'k', role: 'reader', ...bound(), ...more })
      await set({ require_expiry: true })
      expect(await refuses(key)).toMatchObject({ code: 'invalid_input', reason: 'require_expiry' })
      expect(await refuses(() => managing({ expires_at: null }))).toMatchObject({ reason: 'require_expiry' })
      expect((await managing({})).key.expires_at).not.toBeNull()
      await set({ require_expiry: false, require_allowed_ips: true })
      expect(await refuses(key)).toMatchObject({ code: 'invalid_input', reason: 'require_allowed_ips' })
      expect(await refuses(() => managing({}))).toMatchObject({ reason: 'require_allowed_ips' })
      await managing({ allowed_ips: ['192.0.2.1'] })
      await set({ require_allowed_ips: false, max_live_tokens_per_owner: 1 })
      const { token } = await key()
      expect(await refuses(key)).toMatchObject({ code: 'conflict', reason: 'max_live_tokens_per_owner' })
      await instance.call('admin', revoke_token, { token_id: token.id })
      await set({ max_live_tokens_per_owner: null })
      await key()
    })
  })

  it('R19: the stricter of instance and project binds the tokens of the project, and those alone', async () => {
    await setPolicy(instance, { max_lifetime_days: 20, delivery_kinds: ['link', 'inline'] })
    await setProject({ max_lifetime_days: 30, delivery_kinds: ['inline', 'file'], require_allowed_ips: true })
    const kept = { project_id, allowed_ips: ['192.0.2.1'] }
    expect(await refusal(create({ ...kept, expires_in_days: 21 }))).toBe('invalid_input')
    expect(await refusal(create({ project_id }))).toBe('invalid_input')
    await create({ ...kept, expires_in_days: 20 })
    await create({ expires_in_days: 20 })
    for (const delivery of ['link', 'file'] as const)
      expect(await refusal(create({ ...kept, delivery }, 'stdio'))).toBe('forbidden')
    await setProject({ max_lifetime_days: 5, delivery_kinds: ['file'] })
    expect(await refusal(create({ project_id, expires_in_days: 6 }))).toBe('invalid_input')
    expect(
      Date.parse((await create({ project_id })).token.expires_at ?? '') - instance.clock.now,
    ).toBeLessThanOrEqual(5 * day)
    const { code, message } = await refuses(() => create({ project_id }, 'mcp'))
    expect([code, message]).toEqual(['forbidden', expect.stringContaining('none in common')])
  })

  it('R19: of the live tokens of an owner the instance counts all, a project its own', async () => {
    const owner = await plantProject(instance)
    const mine = { owner_id: owner.user_id, project_id: owner.project_id }
    await setPolicy(instance, { max_live_tokens_per_owner: 3 })
    await instance.call('admin', update_project, {
      project_id: owner.project_id,
      policy: { max_live_tokens_per_owner: 1 },
    })
    await create({ owner_id: owner.user_id })
    await create(mine)
    expect((await refuses(() => create(mine))).message).toContain('in this project')
    await create({ owner_id: owner.user_id })
    expect((await refuses(() => create({ owner_id: owner.user_id }))).message).not.toContain(
      'in this project',
    )
  })

  it('R46: of creations at the same time, in two processes, none is one too many', async () => {
    const sibling = await openInstance(database, instance.place)
    try {
      const owner = await plantUser(instance)
      await setPolicy(instance, { max_live_tokens_per_owner: 3 })
      const done = await Promise.allSettled(
        Array.from({ length: 12 }, (_, n) =>
          [instance, sibling][n % 2]?.call('admin', create_token, { name: `race ${n}`, owner_id: owner }),
        ),
      )
      expect(done.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
      for (const one of done)
        if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'conflict' })
    } finally {
      await sibling.close()
    }
  })

  it('a repeated creation gets its answer, whatever the policy says by now', async () => {
    const asked = { name: 'again', owner_id, idempotency_key: 'the same creation again' }
    const first = await create({ ...asked, idempotency_key: 'repeat-0123456789abcdef' })
    await setPolicy(instance, { max_live_tokens_per_owner: 1, require_allowed_ips: true })
    const again = await create({ ...asked, idempotency_key: 'repeat-0123456789abcdef' })
    expect(again.token.id).toBe(first.token.id)
  })

  it('a project shows its policy whole, replaces it whole, and null or nothing in it is none; one row in the trail holds it', async () => {
    const { project } = await instance.call('admin', create_project, {
      name: 'with a policy',
      policy: { require_expiry: true, dormant_days: 30 },
    })
    expect(project.policy).toEqual({ require_expiry: true, dormant_days: 30 })
    const rows = await trailOf(instance, async () => {
      const told = await instance.call('admin', update_project, {
        project_id: project.id,
        policy: { max_lifetime_days: 3 },
      })
      expect(told).toMatchObject({ changed: true, project: { policy: { max_lifetime_days: 3 } } })
    })
    expect(rows.map(({ action, details }) => [action, JSON.parse(details)])).toEqual([
      ['update_project', { changed: ['policy'], policy: { max_lifetime_days: 3 } }],
    ])
    const put = async (policy: ProjectPolicy | null) =>
      (await instance.call('admin', update_project, { project_id: project.id, policy })).changed
    expect(await put({ max_lifetime_days: 3 })).toBe(false)
    expect(await put({})).toBe(true)
    expect(await put(null)).toBe(false)
    const shown = await instance.call('reader', get_project, { project_id: project.id })
    expect(shown.project.policy).toBeNull()
  })

  it('R20: a policy of another form is refused by the name of its member', async () => {
    for (const policy of [
      { max_lifetime_days: 0 },
      { require_expiry: null },
      { max_live_tokens_per_owner: 0 },
      { dormant_days: 1.5 },
      { delivery_kinds: [] },
      { delivery_kinds: ['mail'] },
      { default_lifetime_days: 3 },
      'strict',
    ]) {
      const { code, field } = await refusalError(setProject(policy as never))
      expect([code, field?.startsWith('policy')]).toEqual(['invalid_input', true])
    }
  })

  it('R56: the policy of a project comes back with a backup', async () => {
    await setProject({ require_expiry: true })
    const { backup } = await instance.call('admin', create_backup, {})
    const sibling = await openSibling(database, instance)
    try {
      await sibling.call('admin', restore_backup, { data: backup as never })
      const { project } = await sibling.call('reader', get_project, { project_id })
      expect(project.policy).toEqual({ require_expiry: true })
      expect(
        await refusal(sibling.call('admin', create_token, { name: 'x', project_id, expires_at: null })),
      ).toBe('invalid_input')
    } finally {
      await sibling.close()
    }
    expect(
      (await instance.call('reader', get_token, { token_id: (await create({})).token.id })).token.status,
    ).toBe('active')
  })
})
