import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copy_config } from '../../tools/configs/copy_config.ts'
import { create_config } from '../../tools/configs/create_config.ts'
import { delete_config } from '../../tools/configs/delete_config.ts'
import { get_config } from '../../tools/configs/get_config.ts'
import { get_project_config } from '../../tools/configs/get_project_config.ts'
import { list_configs } from '../../tools/configs/list_configs.ts'
import { update_config } from '../../tools/configs/update_config.ts'
import { create_project } from '../../tools/projects/create_project.ts'
import { get_server } from '../../tools/servers/get_server.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { makeToken, nextId, plantKey, plantProject, plantServer, times, trailOf } from '../support/world.ts'

const readers = ['admin', 'operator', 'reader'] as const
const writers = ['admin'] as const
const id = 'cfg_0000000000000000000001'

describe.each(databases)('configurations on $name', (database) => {
  let instance: Instance
  let made = 0
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  const make = async (asked?: string) => {
    made += 1
    return (await instance.call('admin', create_config, { name: asked ?? `config ${made}` })).config
  }

  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: create_config,
        roles: writers,
        good: { name: 'c' },
        bad: [
          {},
          { name: ' ' },
          { name: 'x'.repeat(201) },
          { name: id },
          { name: 'mgtk_0000000000000000000001' },
          { name: 'a\tb' },
          { name: 'c', servers: [] },
        ],
      },
      { operation: get_config, roles: readers, good: { config_id: 'x' }, bad: [{}, { config_id: '' }] },
      {
        operation: get_project_config,
        roles: readers,
        good: { project_id: 'x' },
        bad: [{}, { project_id: [] }],
      },
      {
        operation: list_configs,
        roles: readers,
        good: {},
        bad: [{ limit: 0 }, { text: '' }, { search: 'x' }, { all: true }],
      },
      {
        operation: update_config,
        roles: writers,
        good: { config_id: id, name: 'x' },
        bad: [{ config_id: id }, { config_id: id, name: id }, { name: 'x' }],
      },
      {
        operation: copy_config,
        roles: writers,
        good: { config_id: id, name: 'x' },
        bad: [{ config_id: id }, { config_id: id, name: null }],
      },
      { operation: delete_config, roles: writers, good: { config_id: id }, bad: [{}, { config_id: 1 }] },
    ],
  )

  it('creates an empty configuration with one row in the trail, found by its id and its exact name', async () => {
    const { call } = instance
    let made = { id: '' }
    const rows = await trailOf(instance, async () => {
      made = (await call('admin', create_config, { name: ' Development Config ' })).config
      expect(made).toMatchObject({ name: 'Development Config', servers: [], projects: [] })
      expect(made.id).toMatch(/^cfg_[0-9A-Za-z]{22}$/)
    })
    expect(rows).toMatchObject([{ action: 'create_config', target_id: made.id, outcome: 'ok' }])
    for (const config_id of [made.id, 'Development Config']) {
      expect((await call('reader', get_config, { config_id })).config).toEqual(made)
    }
    expect(await refusal(call('reader', get_config, { config_id: 'development config' }))).toBe('not_found')
  })

  it('a name is taken once, by one of two who ask at the same time', async () => {
    const tries = await Promise.allSettled([make('Twice'), make('Twice')])
    expect(tries.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(await refusalError(make('Twice'))).toMatchObject({ code: 'conflict', reason: 'name_taken' })
    expect((await instance.call('reader', list_configs, { text: 'Twice' })).total).toBe(1)
    expect((await make('twice')).name).toBe('twice')
  })

  it('R47: a creation repeated with its key answers the same and makes nothing', async () => {
    const { call } = instance
    const source = await make()
    const again = { idempotency_key: 'repeated-0123456789' }
    const first = await call('admin', create_config, { name: 'Once', ...again })
    expect(await call('admin', create_config, { name: 'Once', ...again })).toEqual(first)
    const copied = await call('admin', copy_config, { config_id: source.id, name: 'Once more', ...again })
    expect(await call('admin', copy_config, { config_id: source.id, name: 'Once more', ...again })).toEqual(
      copied,
    )
    expect((await call('reader', list_configs, { text: 'Once' })).total).toBe(2)
  })

  it('renames a configuration under the same id; its own name is no change, the old one is free, another is refused', async () => {
    const { call } = instance
    const { config_id, project_id } = await plantProject(instance)
    const other = await make()
    const rows = await trailOf(instance, async () => {
      const done = await call('admin', update_config, { config_id, name: 'Renamed' })
      expect(done).toMatchObject({
        changed: true,
        config: { id: config_id, name: 'Renamed', projects: [{ id: project_id }] },
      })
    })
    expect(rows).toMatchObject([{ action: 'update_config', target_id: config_id }])
    const before = (await call('reader', get_config, { config_id })).config
    expect(await call('admin', update_config, { config_id, name: 'Renamed' })).toEqual({
      changed: false,
      config: before,
    })
    expect(await refusalError(call('admin', update_config, { config_id, name: other.name }))).toMatchObject({
      code: 'conflict',
      reason: 'name_taken',
    })
    expect(await refusal(call('admin', update_config, { config_id: id, name: 'x' }))).toBe('not_found')
    await call('admin', update_config, { config_id: other.id, name: 'Moved on' })
    expect((await make(other.name)).name).toBe(other.name)
  })

  it('R16: deletes a configuration with its servers, which leave tombstones and every token that named them', async () => {
    const { call } = instance
    const { id: config_id, name } = await make()
    const server = await plantServer(instance, { config_id })
    const token = await makeToken(instance, { access: { servers: [server.id] } })
    const rows = await trailOf(instance, async () => {
      expect(await call('admin', delete_config, { config_id })).toEqual({
        config: { id: config_id, name },
        removed_servers: 1,
      })
    })
    expect(rows).toMatchObject([{ action: 'delete_config', target_id: config_id }])
    expect(rows[0]?.details).toContain(server.id)
    expect(await refusal(call('reader', get_config, { config_id }))).toBe('not_found')
    expect(await refusal(call('admin', delete_config, { config_id }))).toBe('not_found')
    expect((await call('reader', get_server, { server_id: server.id })).server).toMatchObject({
      status: 'deleted',
      config_id: null,
    })
    const asked = await call('reader', validate_token, { token: token.secret, server: server.slug })
    expect(asked.verdict).toBe('server_not_in_scope')
    expect((await make(name)).servers).toEqual([])
  })

  it('refuses to delete one that a project uses, and deletes nothing', async () => {
    const { call } = instance
    const { config_id } = await plantProject(instance)
    const before = await call('reader', get_config, { config_id })
    expect(await refusalError(call('admin', delete_config, { config_id }))).toMatchObject({
      code: 'conflict',
      reason: 'in_use',
      entity: 'configuration',
    })
    expect(await call('reader', get_config, { config_id })).toEqual(before)
    expect(before.config.servers).toHaveLength(1)
  })

  it('shows which projects use a configuration, with their members', async () => {
    const { call } = instance
    const { config_id, project_id } = await plantProject(instance)
    const { config } = await call('reader', get_config, { config_id })
    expect(config.projects).toEqual([{ id: project_id, name: project_id, member_count: 1 }])
    const { configs } = await call('reader', list_configs, { text: config.name })
    expect(configs).toMatchObject([
      {
        id: config_id,
        server_count: 1,
        projects: [{ id: project_id, name: project_id }],
        match: 'config_name',
      },
    ])
  })

  it("shows a project's configuration, and says when none is assigned", async () => {
    const { call } = instance
    const { config_id, project_id } = await plantProject(instance)
    const whole = await call('reader', get_config, { config_id })
    expect(await call('reader', get_project_config, { project_id })).toEqual(whole)
    const { project } = await call('admin', create_project, { name: 'without a configuration' })
    expect(await refusalError(call('reader', get_project_config, { project_id: project.id }))).toMatchObject({
      code: 'not_found',
      entity: 'configuration',
      reason: 'none_assigned',
    })
    expect(await refusalError(call('reader', get_project_config, { project_id: 'lost' }))).toMatchObject({
      code: 'not_found',
      entity: 'project',
    })
  })

  it('finds by a part of the name before a part of a server name, whatever the letter case, with % and _ plain', async () => {
    const { call } = instance
    const one = await make('Weather 100%_sure')
    const two = await make('Other')
    await plantServer(instance, { config_id: two.id, name: 'weather server' })
    const found = async (text: string) =>
      (await call('reader', list_configs, { text, order: 'asc' })).configs.map((each) => [
        each.id,
        each.match,
      ])
    expect(await found('WEATHER')).toEqual([
      [one.id, 'config_name'],
      [two.id, 'server_name'],
    ])
    expect(await found('0%_S')).toEqual([[one.id, 'config_name']])
    expect(await found('w%r')).toEqual([])
    expect((await call('reader', list_configs, { limit: 1 })).configs[0]?.match).toBeNull()
  })

  it('gives a dialect all of them, oldest first, and finds all by an empty text', async () => {
    const { call, dialect } = instance
    const { total } = await call('reader', list_configs, { include_total: true })
    const all = await dialect('reader', list_configs, { all: true })
    expect(all.configs.map((one) => one.id)).toEqual(all.configs.map((one) => one.id).sort())
    expect([all.configs.length, all.next_cursor]).toEqual([total, null])
    const found = await dialect('reader', list_configs, { all: true, search: '' })
    expect(found.configs.map((one) => one.id)).toEqual(all.configs.map((one) => one.id))
    expect(new Set(found.configs.map((one) => one.match))).toEqual(new Set(['config_name']))
  })

  it('lists in pages that neither skip nor repeat, and counts them all', async () => {
    const { call } = instance
    for (let n = 0; n < 5; n++) await make(`page ${n}`)
    const names: string[] = []
    let cursor: string | undefined
    do {
      const page = await call('reader', list_configs, { text: 'page ', limit: 2, cursor, order: 'asc' })
      names.push(...page.configs.map((one) => one.name))
      expect(page.total).toBe(5)
      cursor = page.next_cursor ?? undefined
    } while (cursor !== undefined)
    expect(names).toEqual(['page 0', 'page 1', 'page 2', 'page 3', 'page 4'])
  })

  it('R15: a credential bound to a project sees the configuration of that project alone, and changes none', async () => {
    const { call, actor } = instance
    const mine = await plantProject(instance)
    const theirs = await plantProject(instance)
    const second = nextId('project')
    await instance.core.store.write((db) =>
      db
        .insertInto('projects')
        .values({ id: second, name: second, config_id: mine.config_id, ...times() })
        .execute(),
    )
    const bound = { project_id: mine.project_id }
    const keys = [
      await plantKey(instance, 'user_key', { ...bound, owner_id: mine.user_id }),
      await plantKey(instance, 'management', { ...bound, role: 'admin' }),
    ]
    for (const { secret } of keys) {
      const holder = await actor(secret)
      const { configs, total } = await call(holder, list_configs, {})
      expect([configs.map((one) => one.id), total]).toEqual([[mine.config_id], 1])
      expect(configs[0]?.projects.map((one) => one.id)).toEqual([mine.project_id])
      const { config } = await call(holder, get_config, { config_id: mine.config_id })
      expect(config.projects.map((one) => one.id)).toEqual([mine.project_id])
      expect(await refusal(call(holder, get_config, { config_id: theirs.config_id }))).toBe('not_found')
      expect(await refusal(call(holder, get_project_config, theirs))).toBe('invalid_input')
      expect(await refusal(call(holder, get_project_config, { project_id: theirs.project_id }))).toBe(
        'not_found',
      )
      const changes = [
        call(holder, create_config, { name: 'mine' }),
        call(holder, update_config, { config_id: mine.config_id, name: 'mine' }),
        call(holder, copy_config, { config_id: mine.config_id, name: 'mine' }),
        call(holder, delete_config, { config_id: mine.config_id }),
        call(holder, delete_config, { config_id: theirs.config_id }),
      ]
      expect(await Promise.all(changes.map(refusal))).toEqual(Array(5).fill('forbidden'))
    }
  })

  it('names of configurations are accepted by changes in the Enkrypt dialect alone, and an id is never taken for one', async () => {
    const { call } = instance
    const { id: config_id, name } = await make()
    expect(await refusal(call('admin', update_config, { config_id: name, name: 'by name' }))).toBe(
      'not_found',
    )
    const rows = await trailOf(instance, async () => {
      const done = await call('admin', update_config, { config_id: name, name: 'by name' }, 'enkrypt')
      expect(done.config).toMatchObject({ id: config_id, name: 'by name' })
    })
    expect(rows).toMatchObject([{ action: 'update_config', target_id: config_id, via: 'enkrypt' }])
    expect(await refusal(call('admin', delete_config, { config_id: id }, 'enkrypt'))).toBe('not_found')
    expect((await call('admin', delete_config, { config_id: 'by name' }, 'enkrypt')).config.id).toBe(
      config_id,
    )
  })
})
