import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { get_group } from '../../tools/groups/get_group.ts'
import { create_server } from '../../tools/servers/create_server.ts'
import { delete_server } from '../../tools/servers/delete_server.ts'
import { get_server } from '../../tools/servers/get_server.ts'
import { list_servers } from '../../tools/servers/list_servers.ts'
import { update_server } from '../../tools/servers/update_server.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { makeToken, plantGroup, plantKey, plantProject, plantServer, trailOf } from '../support/world.ts'

const readers = ['admin', 'operator', 'reader'] as const
const writers = ['admin'] as const

describe.each(databases)('servers on $name', (database) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  const make = async (name?: string) => (await instance.call('admin', create_server, { name })).server

  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: get_server,
        roles: readers,
        good: { server_id: 'x' },
        bad: [{}, { server_id: '' }, { server_id: {} }],
      },
      { operation: list_servers, roles: readers, good: {}, bad: [{ limit: 1.5 }, { text: '' }] },
      {
        operation: create_server,
        roles: writers,
        good: {},
        bad: [
          { name: '' },
          { name: 'a\u0000' },
          { metadata: 'x' },
          { url: 'http://127.0.0.1/' },
          { command: 'sh' },
        ],
      },
      {
        operation: update_server,
        roles: writers,
        good: { server_id: 'x' },
        bad: [{}, { server_id: 'x', slug: 'y' }, { server_id: 'x', name: 5 }],
      },
      { operation: delete_server, roles: writers, good: { server_id: 'x' }, bad: [{}, { server_id: null }] },
    ],
  )

  it('makes slugs from names, counts on where one is taken, and calls the nameless "server"', async () => {
    const slugs = []
    for (const name of ['My Weather!', 'my weather?', 'MY WEATHER.', undefined, undefined, 'Füß']) {
      slugs.push((await make(name)).slug)
    }
    expect(slugs).toEqual(['my-weather-', 'my-weather--2', 'my-weather--3', 'server', 'server-2', 'f--'])
  })

  it('never gives a slug out again, not even that of a deleted server', async () => {
    const first = await make('once')
    await instance.call('admin', delete_server, { server_id: first.id })
    expect((await make('once')).slug).toBe('once-2')
  })

  it('leaves one row for a creation and finds the server by id, slug and name', async () => {
    const { call } = instance
    let id = ''
    const rows = await trailOf(instance, async () => {
      const { server } = await call('admin', create_server, {
        name: 'Found',
        description: 'd',
        metadata: { a: 1 },
      })
      expect(server).toMatchObject({
        name: 'Found',
        slug: 'found',
        description: 'd',
        metadata: { a: 1 },
        status: 'active',
        config_id: null,
      })
      id = server.id
    })
    expect(rows).toMatchObject([{ action: 'create_server', target_id: id, outcome: 'ok' }])
    for (const server_id of [id, 'found', 'Found']) {
      expect((await call('reader', get_server, { server_id })).server.id).toBe(id)
    }
    await make('Found')
    expect(await refusal(call('reader', get_server, { server_id: 'Found' }))).toBe('conflict')
    expect(await refusal(call('reader', get_server, { server_id: 'lost' }))).toBe('not_found')
  })

  it('changes the texts of a server and never its slug', async () => {
    const { call } = instance
    const server = await make('Old name')
    const rows = await trailOf(instance, async () => {
      const done = await call('admin', update_server, {
        server_id: server.id,
        name: 'New name',
        description: 'n',
      })
      expect(done).toMatchObject({
        changed: true,
        server: { name: 'New name', slug: 'old-name', description: 'n' },
      })
    })
    expect(rows).toMatchObject([{ action: 'update_server', target_id: server.id }])
    expect(await call('admin', update_server, { server_id: server.id, name: 'New name' })).toMatchObject({
      changed: false,
    })
    expect(await refusal(call('admin', update_server, { server_id: 'mgsr_none' }))).toBe('not_found')
  })

  it('refuses a name that another server of the same configuration has, and no name in one', async () => {
    const { call } = instance
    const { config_id, server } = await plantProject(instance)
    const other = await plantServer(instance, { config_id, name: 'taken' })
    expect(await refusal(call('admin', update_server, { server_id: server.id, name: 'taken' }))).toBe(
      'conflict',
    )
    expect(await refusal(call('admin', update_server, { server_id: server.id, name: null }))).toBe('conflict')
    await call('admin', delete_server, { server_id: other.id })
    expect(await call('admin', update_server, { server_id: server.id, name: 'taken' })).toMatchObject({
      changed: true,
    })
  })

  it('R16: a deleted server leaves groups, tokens and its configuration, opens no more, and widens nobody', async () => {
    const { call } = instance
    const { server } = await plantProject(instance)
    const group_id = await plantGroup(instance, [server.id])
    const named = await makeToken(instance, { access: { servers: [server.id] } })
    const grouped = await makeToken(instance, { access: { groups: [group_id] } })
    const all = await makeToken(instance, { access: { all_servers: true } })
    const rows = await trailOf(instance, async () => {
      const done = await call('admin', delete_server, { server_id: server.id })
      expect(done).toMatchObject({ changed: true, server: { status: 'deleted', config_id: null } })
    })
    expect(rows).toMatchObject([{ action: 'delete_server', target_id: server.id }])
    for (const { secret } of [named, grouped, all]) {
      const asked = await call('reader', validate_token, { token: secret, server: server.slug })
      expect(asked.verdict).toBe('server_not_in_scope')
    }
    expect((await call('reader', get_token, { token_id: named.id })).token.access).toMatchObject({
      all_servers: false,
      servers: [],
    })
    expect((await call('reader', get_group, { group_id })).group.servers).toEqual([])
    expect((await call('reader', get_server, { server_id: server.id })).server.status).toBe('deleted')
    expect(await refusal(call('admin', delete_server, { server_id: server.id }))).toBe('gone')
    expect(await refusal(call('admin', update_server, { server_id: server.id, name: 'x' }))).toBe('gone')
  })

  it('R15: a key bound to a project sees the servers of that project and changes none', async () => {
    const { call, actor } = instance
    const mine = await plantProject(instance)
    const theirs = await plantProject(instance)
    const { secret } = await plantKey(instance, 'management', { role: 'admin', project_id: mine.project_id })
    const bound = await actor(secret)
    expect((await call(bound, list_servers, {})).servers.map((one) => one.id)).toEqual([mine.server.id])
    expect((await call(bound, get_server, { server_id: mine.server.id })).server.slug).toBe(mine.server.slug)
    expect(await refusal(call(bound, get_server, { server_id: theirs.server.id }))).toBe('not_found')
    expect(await refusal(call(bound, get_server, { server_id: theirs.server.slug }))).toBe('not_found')
    const changes = [
      call(bound, create_server, { name: 'mine' }),
      call(bound, update_server, { server_id: mine.server.id, name: 'mine' }),
      call(bound, delete_server, { server_id: mine.server.id }),
      call(bound, delete_server, { server_id: theirs.server.id }),
    ]
    expect(await Promise.all(changes.map(refusal))).toEqual(Array(4).fill('forbidden'))
  })
})
