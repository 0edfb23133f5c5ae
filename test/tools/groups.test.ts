import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { add_group_servers } from '../../tools/groups/add_group_servers.ts'
import { create_group } from '../../tools/groups/create_group.ts'
import { delete_group } from '../../tools/groups/delete_group.ts'
import { get_group } from '../../tools/groups/get_group.ts'
import { list_groups } from '../../tools/groups/list_groups.ts'
import { remove_group_servers } from '../../tools/groups/remove_group_servers.ts'
import { update_group } from '../../tools/groups/update_group.ts'
import { add_groups } from '../../tools/tokens/add_groups.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { makeToken, plantKey, plantProject, plantServer, trailOf } from '../support/world.ts'

const readers = ['admin', 'operator', 'reader'] as const
const writers = ['admin', 'operator'] as const
const text = 'x'.repeat(201)

describe.each(databases)('groups on $name', (database) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  const make = async (name: string, server_ids: string[] = []) =>
    (await instance.call('operator', create_group, { name, server_ids })).group

  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: get_group,
        roles: readers,
        good: { group_id: 'x' },
        bad: [{}, { group_id: '' }, { group_id: 1 }],
      },
      {
        operation: list_groups,
        roles: readers,
        good: {},
        bad: [{ limit: 0 }, { limit: 101 }, { order: 'up' }, { cursor: '%' }],
      },
      {
        operation: create_group,
        roles: writers,
        good: { name: 'g' },
        bad: [{}, { name: '' }, { name: text }, { name: 'a\nb' }, { name: 'g', server_ids: 'x' }],
      },
      {
        operation: update_group,
        roles: writers,
        good: { group_id: 'x' },
        bad: [
          {},
          { group_id: 'x', name: '\u202e' },
          { group_id: 'x', name: null },
          { group_id: 'x', metadata: [] },
        ],
      },
      {
        operation: delete_group,
        roles: writers,
        good: { group_id: 'x' },
        bad: [{}, { group_id: null }, { group_id: text }],
      },
      {
        operation: add_group_servers,
        roles: writers,
        good: { group_id: 'x', server_ids: [] },
        bad: [{ group_id: 'x' }, { group_id: 'x', server_ids: [1] }],
      },
      {
        operation: remove_group_servers,
        roles: writers,
        good: { group_id: 'x', server_ids: [] },
        bad: [{ group_id: 'x' }, { group_id: 'x', server_ids: '*' }],
      },
    ],
  )

  it('shows a group by id and by its unambiguous name, and says when a name is not', async () => {
    const { call } = instance
    const first = await make('shown')
    expect((await call('reader', get_group, { group_id: first.id })).group).toEqual(first)
    expect((await call('reader', get_group, { group_id: 'shown' })).group.id).toBe(first.id)
    await make('shown')
    expect(await refusal(call('reader', get_group, { group_id: 'shown' }))).toBe('conflict')
    expect(await refusal(call('reader', get_group, { group_id: 'nowhere' }))).toBe('not_found')
  })

  it('changes what is named, leaves the rest, and leaves one row with the group as its target', async () => {
    const { call, clock } = instance
    const group = await make('before')
    clock.pass(1_000)
    const rows = await trailOf(instance, async () => {
      const done = await call('operator', update_group, {
        group_id: group.id,
        name: 'after',
        metadata: { tier: 1 },
      })
      expect(done).toMatchObject({
        changed: true,
        group: { name: 'after', slug: group.slug, metadata: { tier: 1 }, description: null },
      })
      expect(done.group.updated_at > group.updated_at).toBe(true)
    })
    expect(rows).toMatchObject([{ action: 'update_group', target_id: group.id, outcome: 'ok' }])
    expect(await call('operator', update_group, { group_id: group.id, name: 'after' })).toMatchObject({
      changed: false,
    })
    expect(await refusal(call('operator', update_group, { group_id: 'mggr_none', name: 'x' }))).toBe(
      'not_found',
    )
  })

  it('moves servers in and out, once each, and tokens follow at the next call', async () => {
    const { call } = instance
    const [one, two] = [await plantServer(instance), await plantServer(instance)]
    const group = await make('moving', [one.id])
    const token = await makeToken(instance, { access: { groups: [group.id] } })
    const verdict = async (server: string) =>
      (await call('reader', validate_token, { token: token.secret, server })).verdict
    expect([await verdict(one.id), await verdict(two.id)]).toEqual(['valid', 'server_not_in_scope'])
    const rows = await trailOf(instance, async () => {
      const added = await call('operator', add_group_servers, {
        group_id: group.id,
        server_ids: [two.id, two.id, one.id],
      })
      expect(added).toMatchObject({ changed: true, group: { servers: [{ id: one.id }, { id: two.id }] } })
    })
    expect(rows).toMatchObject([{ action: 'add_group_servers', target_id: group.id }])
    expect(rows).toHaveLength(1)
    expect(await verdict(two.id)).toBe('valid')
    expect(
      await call('operator', add_group_servers, { group_id: group.id, server_ids: [two.id] }),
    ).toMatchObject({ changed: false })
    const removed = await trailOf(instance, async () => {
      const done = await call('operator', remove_group_servers, {
        group_id: group.id,
        server_ids: [one.id, 'mgsr_none'],
      })
      expect(done).toMatchObject({ changed: true, group: { servers: [{ id: two.id }] } })
    })
    expect(removed).toMatchObject([{ action: 'remove_group_servers', target_id: group.id }])
    expect(await verdict(one.id)).toBe('server_not_in_scope')
    expect(
      await call('operator', remove_group_servers, { group_id: group.id, server_ids: [one.id] }),
    ).toMatchObject({ changed: false })
  })

  it('adds nothing at all when one of the servers does not exist', async () => {
    const { call } = instance
    const server = await plantServer(instance)
    const group = await make('whole')
    const asked = { group_id: group.id, server_ids: [server.id, 'mgsr_none'] }
    expect(await refusal(call('operator', add_group_servers, asked))).toBe('not_found')
    expect((await call('reader', get_group, { group_id: group.id })).group.servers).toEqual([])
  })

  it('R16: deleting a group takes its servers from its tokens and never widens one', async () => {
    const { call } = instance
    const server = await plantServer(instance)
    const group = await make('doomed', [server.id])
    const everywhere = await makeToken(instance, { access: { all_servers: true } })
    await call('operator', add_groups, { token_id: everywhere.id, group_ids: [group.id] })
    const bound = await makeToken(instance, { access: { groups: [group.id] } })
    const rows = await trailOf(instance, async () => {
      const done = await call('operator', delete_group, { group_id: group.id })
      expect(done).toMatchObject({ changed: true, group: { status: 'deleted', servers: [] } })
    })
    expect(rows).toMatchObject([{ action: 'delete_group', target_id: group.id }])
    for (const { id, secret } of [everywhere, bound]) {
      const { token } = await call('reader', get_token, { token_id: id })
      expect(token.access).toMatchObject({ all_servers: false, groups: [], servers: [] })
      const asked = await call('reader', validate_token, { token: secret, server: server.id })
      expect(asked.verdict).toBe('server_not_in_scope')
    }
  })

  it('answers gone to every change of a deleted group, and still shows it by id', async () => {
    const { call } = instance
    const { id: group_id } = await make('past')
    await call('operator', delete_group, { group_id })
    const changes = [
      call('operator', update_group, { group_id, name: 'again' }),
      call('operator', delete_group, { group_id }),
      call('operator', add_group_servers, { group_id, server_ids: [] }),
      call('operator', remove_group_servers, { group_id, server_ids: [] }),
    ]
    expect(await Promise.all(changes.map(refusal))).toEqual(['gone', 'gone', 'gone', 'gone'])
    expect((await call('reader', get_group, { group_id })).group.status).toBe('deleted')
    expect(await refusal(call('reader', get_group, { group_id: 'past' }))).toBe('not_found')
  })

  it('R15: an operator key bound to a project reads groups and changes none', async () => {
    const { call, actor } = instance
    const { project_id, server } = await plantProject(instance)
    const { secret } = await plantKey(instance, 'management', { role: 'operator', project_id })
    const bound = await actor(secret)
    const { id: group_id } = await make('instance wide')
    const changes = [
      call(bound, create_group, { name: 'mine' }),
      call(bound, update_group, { group_id, name: 'mine' }),
      call(bound, delete_group, { group_id }),
      call(bound, add_group_servers, { group_id, server_ids: [server.id] }),
      call(bound, remove_group_servers, { group_id, server_ids: [server.id] }),
    ]
    expect(await Promise.all(changes.map(refusal))).toEqual(Array(5).fill('forbidden'))
    expect((await call(bound, get_group, { group_id })).group.name).toBe('instance wide')
  })

  it('R15: a key bound to a project is shown the servers of a group that are in its project, and no others', async () => {
    const { call, actor } = instance
    const [own, other] = [await plantProject(instance), await plantProject(instance)]
    const loose = await plantServer(instance)
    const { secret } = await plantKey(instance, 'management', { role: 'reader', project_id: own.project_id })
    const bound = await actor(secret)
    const { id: group_id } = await make('mixed', [own.server.id, other.server.id, loose.id])
    const mine = [{ id: own.server.id, slug: own.server.slug, name: own.server.slug }]
    expect((await call(bound, get_group, { group_id })).group.servers).toEqual(mine)
    const listed = await call(bound, list_groups, { text: 'mixed' })
    expect(listed.groups.map((group) => group.servers)).toEqual([mine])
    expect((await call('reader', get_group, { group_id })).group.servers).toHaveLength(3)
  })
})
