import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { add_project_member } from '../../tools/projects/add_project_member.ts'
import { create_project } from '../../tools/projects/create_project.ts'
import { delete_environment } from '../../tools/projects/delete_environment.ts'
import { delete_project } from '../../tools/projects/delete_project.ts'
import { get_project } from '../../tools/projects/get_project.ts'
import { list_projects } from '../../tools/projects/list_projects.ts'
import { remove_project_member } from '../../tools/projects/remove_project_member.ts'
import { set_environment } from '../../tools/projects/set_environment.ts'
import { update_project } from '../../tools/projects/update_project.ts'
import { redeem_link } from '../../tools/system/redeem_link.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { makeToken, plantKey, plantUser, trailOf } from '../support/world.ts'

const readers = ['admin', 'operator', 'reader'] as const
const writers = ['admin'] as const
const both = { project_id: 'x', user_id: 'y' }
const env = { project_id: 'x', name: 'e' }

describe.each(databases)('projects on $name', (database) => {
  let instance: Instance
  let made = 0
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  const make = async () => {
    made += 1
    return (await instance.call('admin', create_project, { name: `project ${made}` })).project
  }
  const withMember = async () => {
    const project_id = (await make()).id
    const user_id = await plantUser(instance)
    await instance.call('admin', add_project_member, { project_id, user_id })
    return { project_id, user_id }
  }
  const verdict = async (token: string) => (await instance.call('reader', validate_token, { token })).verdict

  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: create_project,
        roles: writers,
        good: { name: 'p' },
        bad: [{}, { name: '' }, { name: 'proj_0mwrz4t4bIl4gYSrqYqiF6' }, { name: 'p', config_id: 'x' }],
      },
      { operation: get_project, roles: readers, good: { project_id: 'x' }, bad: [{}, { project_id: 0 }] },
      { operation: list_projects, roles: readers, good: {}, bad: [{ limit: -1 }, { user_id: '' }] },
      {
        operation: update_project,
        roles: writers,
        good: { project_id: 'x' },
        bad: [{}, { project_id: 'x', name: null }],
      },
      { operation: delete_project, roles: writers, good: { project_id: 'x' }, bad: [{}, { project_id: [] }] },
      {
        operation: add_project_member,
        roles: writers,
        good: both,
        bad: [{}, { project_id: 'x' }, { ...both, role: 'owner' }],
      },
      { operation: remove_project_member, roles: writers, good: both, bad: [{}, { user_id: 'x' }] },
      {
        operation: set_environment,
        roles: writers,
        good: env,
        bad: [
          { name: 'e' },
          { ...env, variables: { A: 1 } },
          { ...env, variables: { 'a b': 'x' } },
          { ...env, variables: { A: '\u0000' } },
          { ...env, variables: { A: 'x'.repeat(8_001) } },
          { ...env, is_default: 1 },
        ],
      },
      { operation: delete_environment, roles: writers, good: env, bad: [{}, { project_id: 'x', name: '' }] },
    ],
  )

  it('gassapi:project:create:environment: a new project has the default environment "development" without variables', async () => {
    const { call } = instance
    let id = ''
    const rows = await trailOf(instance, async () => {
      const { project } = await call('admin', create_project, { name: 'fresh', description: 'd' })
      id = project.id
      expect(project).toMatchObject({ name: 'fresh', description: 'd', members: [] })
      expect(project.environments).toMatchObject([{ name: 'development', is_default: true, variables: {} }])
    })
    expect(rows).toMatchObject([{ action: 'create_project', target_id: id, outcome: 'ok' }])
    expect((await call('reader', get_project, { project_id: 'fresh' })).project.id).toBe(id)
  })

  it('keeps names unique among living projects, on creation and on change', async () => {
    const { call } = instance
    const [one, two] = [await make(), await make()]
    expect(await refusal(call('admin', create_project, { name: one.name }))).toBe('conflict')
    expect(await refusal(call('admin', update_project, { project_id: two.id, name: one.name }))).toBe(
      'conflict',
    )
    await call('admin', delete_project, { project_id: one.id })
    const rows = await trailOf(instance, async () => {
      expect(await call('admin', update_project, { project_id: two.id, name: one.name })).toMatchObject({
        changed: true,
      })
    })
    expect(rows).toMatchObject([{ action: 'update_project', target_id: two.id }])
    expect(await call('admin', update_project, { project_id: two.id, name: one.name })).toMatchObject({
      changed: false,
    })
  })

  it('lists projects in pages, of a user, and by text', async () => {
    const { call } = instance
    const { project_id, user_id } = await withMember()
    const mine = await call('reader', list_projects, { user_id })
    expect(mine.projects).toMatchObject([{ id: project_id, member_count: 1, environments: ['development'] }])
    expect(mine.total).toBe(1)
    const first = await call('reader', list_projects, { limit: 1, order: 'asc' })
    const next = await call('reader', list_projects, {
      limit: 1,
      order: 'asc',
      cursor: first.next_cursor ?? '',
    })
    expect(next.projects[0]?.id).not.toBe(first.projects[0]?.id)
    expect((await call('reader', list_projects, { text: 'PROJECT 1' })).projects.length).toBeGreaterThan(0)
    expect((await call('reader', list_projects, { text: '%' })).projects).toEqual([])
  })

  it('deletes a project with its tokens, keys and open links at once, each with a row of its own', async () => {
    const { call, actor } = instance
    const { project_id, user_id } = await withMember()
    const ours = [
      await makeToken(instance, { project_id }),
      await makeToken(instance, { project_id, owner_id: user_id }),
    ]
    const other = await makeToken(instance, { owner_id: user_id })
    const linked = await call('operator', create_token, { name: 'linked', project_id, delivery: 'link' })
    const key = await plantKey(instance, 'management', { role: 'admin', project_id })
    const rows = await trailOf(instance, async () => {
      const done = await call('admin', delete_project, { project_id })
      expect(done).toMatchObject({ project: { id: project_id }, revoked_tokens: 3, revoked_keys: 1 })
    })
    expect(rows.map((row) => `${row.action} ${row.target_id}`).sort()).toEqual(
      [
        `delete_project ${project_id}`,
        ...[...ours.map((one) => one.id), linked.token.id].map((id) => `revoke_token ${id}`),
        `revoke_management_key ${key.id}`,
      ].sort(),
    )
    expect(await Promise.all(ours.map((one) => verdict(one.secret)))).toEqual(['revoked', 'revoked'])
    expect(await verdict(other.secret)).toBe('valid')
    expect(await refusal(actor(key.secret))).toBe('unauthenticated')
    expect(await refusal(call({ kind: 'nobody' }, redeem_link, { code: linked.delivery.code ?? '' }))).toBe(
      'gone',
    )
    expect(await refusal(call('admin', get_project, { project_id }))).toBe('not_found')
    expect(await refusal(call('admin', delete_project, { project_id }))).toBe('not_found')
    expect((await call('reader', list_projects, { user_id })).projects).toEqual([])
  })

  it('deletes a project with thousands of tokens in one change', async () => {
    const { call, core } = instance
    const { id: project_id } = await make()
    const { id } = await makeToken(instance, { project_id })
    await core.store.write(async (db) => {
      const row = await db.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
      for (let at = 0; at < 4_500; at += 500) {
        const batch = Array.from({ length: 500 }, (_, n) => {
          const hash = Buffer.alloc(32)
          hash.writeUInt32BE(at + n)
          return {
            ...row,
            id: `mgtk_${project_id.slice(5, 20)}${at + n}`,
            secret_hash: hash,
            previous_hash: null,
          }
        })
        await db.insertInto('tokens').values(batch).execute()
      }
    })
    const rows = await trailOf(instance, async () => {
      expect((await call('admin', delete_project, { project_id })).revoked_tokens).toBe(4_501)
    })
    expect(rows.length).toBe(4_502)
  })

  it('makes a user a member once, and refuses users and projects that are not there', async () => {
    const { call } = instance
    const { project_id, user_id } = await withMember()
    const { project } = await call('reader', get_project, { project_id })
    expect(project.members.map((one) => one.id)).toEqual([user_id])
    const rows = await trailOf(instance, async () => {
      expect(await call('admin', add_project_member, { project_id, user_id })).toMatchObject({
        changed: false,
      })
    })
    expect(rows).toMatchObject([{ action: 'add_project_member', target_id: project_id }])
    expect(await refusal(call('admin', add_project_member, { project_id, user_id: 'usr_none' }))).toBe(
      'not_found',
    )
    expect(await refusal(call('admin', add_project_member, { project_id: 'proj_none', user_id }))).toBe(
      'not_found',
    )
  })

  it('removes a member with the tokens the member has in this project, and with no others', async () => {
    const { call } = instance
    const { project_id, user_id } = await withMember()
    const mine = await makeToken(instance, { project_id, owner_id: user_id })
    const mineElsewhere = await makeToken(instance, { owner_id: user_id })
    const ownerless = await makeToken(instance, { project_id })
    const rows = await trailOf(instance, async () => {
      const done = await call('admin', remove_project_member, { project_id, user_id })
      expect(done).toMatchObject({ changed: true, revoked_tokens: 1, project: { members: [] } })
    })
    expect(rows).toMatchObject([
      { action: 'remove_project_member', target_id: project_id },
      { action: 'revoke_token', target_id: mine.id },
    ])
    expect(rows).toHaveLength(2)
    expect(await verdict(mine.secret)).toBe('revoked')
    expect(await verdict(mineElsewhere.secret)).toBe('valid')
    expect(await verdict(ownerless.secret)).toBe('valid')
    const again = await call('admin', remove_project_member, { project_id, user_id })
    expect(again).toMatchObject({ changed: false, revoked_tokens: 0 })
  })

  it('sets environments: made, changed in part, made the default, and their values in no row of the trail', async () => {
    const { call } = instance
    const { id: project_id } = await make()
    const rows = await trailOf(instance, async () => {
      await call('admin', set_environment, {
        project_id,
        name: 'production',
        description: 'live',
        variables: { BASE_URL: 'https://value.example' },
      })
    })
    expect(rows).toMatchObject([{ action: 'set_environment', target_id: project_id }])
    expect(rows[0]?.details).toContain('BASE_URL')
    expect(rows[0]?.details).not.toContain('value.example')
    const before = (await call('reader', get_project, { project_id })).project.environments[1]
    const done = await call('admin', set_environment, { project_id, name: 'production', is_default: true })
    expect(done.project.environments).toMatchObject([
      { name: 'development', is_default: false },
      {
        id: before?.id,
        name: 'production',
        is_default: true,
        description: 'live',
        variables: { BASE_URL: 'https://value.example' },
      },
    ])
    const same = await call('admin', set_environment, { project_id, name: 'production', is_default: true })
    expect(same.changed).toBe(false)
  })

  it('always leaves exactly one default environment while there are any', async () => {
    const { call } = instance
    const { id: project_id } = await make()
    const development = { project_id, name: 'development' }
    await call('admin', set_environment, { project_id, name: 'other' })
    expect(await refusal(call('admin', set_environment, { ...development, is_default: false }))).toBe(
      'conflict',
    )
    expect(await refusal(call('admin', delete_environment, development))).toBe('conflict')
    const rows = await trailOf(instance, () =>
      call('admin', delete_environment, { project_id, name: 'other' }),
    )
    expect(rows).toMatchObject([{ action: 'delete_environment', target_id: project_id }])
    expect(await refusal(call('admin', delete_environment, { project_id, name: 'other' }))).toBe('not_found')
    expect((await call('admin', delete_environment, development)).project.environments).toEqual([])
    const again = await call('admin', set_environment, { project_id, name: 'new' })
    expect(again.project.environments).toMatchObject([{ name: 'new', is_default: true }])
  })

  it('refuses an environment too many', async () => {
    const { call } = instance
    const { id: project_id } = await make()
    for (let n = 1; n < 50; n++) await call('admin', set_environment, { project_id, name: `e${n}` })
    expect(await refusal(call('admin', set_environment, { project_id, name: 'e50' }))).toBe('conflict')
    expect(await call('admin', set_environment, { project_id, name: 'e49', description: 'x' })).toMatchObject(
      { changed: true },
    )
  })

  it('R15: a key bound to a project knows that project alone, and changes neither others nor the instance', async () => {
    const { call, actor } = instance
    const mine = await withMember()
    const theirs = await withMember()
    const { secret } = await plantKey(instance, 'management', { role: 'admin', project_id: mine.project_id })
    const bound = await actor(secret)
    expect((await call(bound, list_projects, {})).projects.map((one) => one.id)).toEqual([mine.project_id])
    expect(
      await call(bound, update_project, { project_id: mine.project_id, description: 'own' }),
    ).toMatchObject({ changed: true })
    const { project_id, user_id } = theirs
    const unseen = [
      call(bound, get_project, { project_id }),
      call(bound, update_project, { project_id, name: 'taken over' }),
      call(bound, remove_project_member, { project_id, user_id }),
      call(bound, set_environment, { project_id, name: 'mine' }),
      call(bound, delete_environment, { project_id, name: 'development' }),
    ]
    expect(await Promise.all(unseen.map(refusal))).toEqual(Array(5).fill('not_found'))
    const beyond = [
      call(bound, create_project, { name: 'one more' }),
      call(bound, delete_project, { project_id: mine.project_id }),
      call(bound, delete_project, { project_id }),
      call(bound, add_project_member, { project_id: mine.project_id, user_id }),
    ]
    expect(await Promise.all(beyond.map(refusal))).toEqual(Array(4).fill('forbidden'))
    expect((await call('reader', get_project, { project_id })).project.members).toHaveLength(1)
  })

  it('shows a user key its own project and no other', async () => {
    const { call, actor } = instance
    const mine = await withMember()
    const theirs = await withMember()
    const { secret } = await plantKey(instance, 'user_key', {
      owner_id: mine.user_id,
      project_id: mine.project_id,
    })
    const holder = await actor(secret)
    expect((await call(holder, get_project, { project_id: mine.project_id })).project.id).toBe(
      mine.project_id,
    )
    expect(await refusal(call(holder, get_project, { project_id: theirs.project_id }))).toBe('not_found')
    expect((await call(holder, list_projects, {})).projects).toHaveLength(1)
    expect(await refusal(call(holder, update_project, { project_id: mine.project_id, name: 'x' }))).toBe(
      'forbidden',
    )
  })
})
