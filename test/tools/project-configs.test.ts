import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { add_config_server } from '../../tools/configs/add_config_server.ts'
import { create_config } from '../../tools/configs/create_config.ts'
import { import_config } from '../../tools/configs/import_config.ts'
import { add_project_member } from '../../tools/projects/add_project_member.ts'
import { assign_config } from '../../tools/projects/assign_config.ts'
import { create_project } from '../../tools/projects/create_project.ts'
import { delete_project } from '../../tools/projects/delete_project.ts'
import { export_project } from '../../tools/projects/export_project.ts'
import { get_project } from '../../tools/projects/get_project.ts'
import { list_projects } from '../../tools/projects/list_projects.ts'
import { remove_project_member } from '../../tools/projects/remove_project_member.ts'
import { remove_project_members } from '../../tools/projects/remove_project_members.ts'
import { unassign_config } from '../../tools/projects/unassign_config.ts'
import { update_project } from '../../tools/projects/update_project.ts'
import { set_token_enabled } from '../../tools/tokens/set_token_enabled.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { generate_user_key } from '../../tools/users/generate_user_key.ts'
import { revoke_user_keys } from '../../tools/users/revoke_user_keys.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { leak, makeToken, plantKey, plantProject, plantUser, trailOf } from '../support/world.ts'

const writers = ['admin'] as const
const good = { project_id: 'x' }

describe.each(databases)('projects, their configurations and members on $name', (database) => {
  let instance: Instance
  let made = 0
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  const config = async () => {
    made += 1
    return (await instance.call('admin', create_config, { name: `config ${made}` })).config
  }
  const project = async () => {
    made += 1
    return (await instance.call('admin', create_project, { name: `project ${made}` })).project
  }
  const addTo = (project_id: string, user_id: string) =>
    instance.call('admin', add_project_member, { project_id, user_id })
  const key = async (user_id: string, project_id: string) => {
    const { token, delivery } = await instance.call('operator', generate_user_key, { user_id, project_id })
    return { id: token.id, secret: delivery.secret ?? '' }
  }
  const verdict = async (token: string, server?: string) =>
    (await instance.call('reader', validate_token, { token, ...(server === undefined ? {} : { server }) }))
      .verdict

  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: assign_config,
        roles: writers,
        good: { project_id: 'x', config_id: 'y' },
        bad: [good, { config_id: 'y' }, { project_id: 'x', config_id: null }],
      },
      { operation: unassign_config, roles: writers, good, bad: [{}, { ...good, config_id: 'y' }] },
      { operation: remove_project_members, roles: writers, good, bad: [{}, { project_id: 7 }] },
      {
        operation: export_project,
        roles: writers,
        good,
        bad: [{}, { ...good, output_file: 'a/b' }, { ...good, include_secrets: null }],
      },
    ],
  )

  it('assigns a configuration, replaces it by another, and the tokens of the project follow on the next request', async () => {
    const { call } = instance
    const mine = await plantProject(instance)
    const other = await plantProject(instance)
    const { secret } = await key(mine.user_id, mine.project_id)
    const asked = { project_id: mine.project_id, config_id: other.config_id }
    const rows = await trailOf(instance, async () => {
      expect(await call('admin', assign_config, asked)).toMatchObject({
        changed: true,
        config: { id: other.config_id, name: other.config_id },
        project: { config_id: other.config_id, config: { id: other.config_id, name: other.config_id } },
      })
    })
    expect(rows).toMatchObject([{ action: 'assign_config', target_id: mine.project_id, outcome: 'ok' }])
    expect(await verdict(secret, mine.server.slug)).toBe('server_not_in_scope')
    expect(await verdict(secret, other.server.slug)).toBe('valid')
    expect((await call('admin', assign_config, asked)).changed).toBe(false)
    for (const [input, entity] of [
      [{ ...asked, config_id: 'cfg_none' }, 'configuration'],
      [{ ...asked, config_id: mine.user_id }, 'configuration'],
      [{ ...asked, project_id: 'proj_none' }, 'project'],
    ] as const) {
      expect(await refusalError(call('admin', assign_config, input))).toMatchObject({
        code: 'not_found',
        entity,
      })
    }
    const { project } = await call('reader', get_project, { project_id: mine.project_id })
    expect(project.config?.id).toBe(other.config_id)
  })

  it("takes a configuration away: the project's keys stay valid and reach no server; none to take away is a conflict", async () => {
    const { call } = instance
    const mine = await plantProject(instance)
    const { secret } = await key(mine.user_id, mine.project_id)
    const rows = await trailOf(instance, async () => {
      const done = await call('admin', unassign_config, { project_id: mine.project_id })
      expect(done.project).toMatchObject({ config_id: null, config: null })
    })
    expect(rows).toMatchObject([{ action: 'unassign_config', target_id: mine.project_id }])
    expect([await verdict(secret), await verdict(secret, mine.server.slug)]).toEqual([
      'valid',
      'server_not_in_scope',
    ])
    expect(await refusalError(call('admin', unassign_config, { project_id: mine.project_id }))).toMatchObject(
      {
        code: 'conflict',
        reason: 'none_assigned',
      },
    )
  })

  it('counts user keys of a project and of each member, disabled ones included and revoked ones not', async () => {
    const { call } = instance
    const mine = await plantProject(instance)
    const second = await plantUser(instance)
    await addTo(mine.project_id, second)
    const off = await key(mine.user_id, mine.project_id)
    await key(mine.user_id, mine.project_id)
    await key(second, mine.project_id)
    await makeToken(instance, { owner_id: second, project_id: mine.project_id })
    await call('operator', set_token_enabled, { token_id: off.id, enabled: false })
    const shown = async () => {
      const { project } = await call('reader', get_project, { project_id: mine.project_id })
      const { projects } = await call('reader', list_projects, { text: mine.project_id })
      expect(projects).toMatchObject([
        {
          user_key_count: project.user_key_count,
          member_count: 2,
          config: { id: mine.config_id, name: mine.config_id },
        },
      ])
      const of = (id: string) => project.members.find((one) => one.id === id)?.user_key_count
      return [project.user_key_count, of(mine.user_id), of(second)]
    }
    expect(await shown()).toEqual([3, 2, 1])
    await call('operator', revoke_user_keys, { user_id: mine.user_id })
    expect(await shown()).toEqual([1, 0, 1])
  })

  it('removes all members with the tokens they have in the project, and with no others', async () => {
    const { call } = instance
    const mine = await plantProject(instance)
    const second = await plantUser(instance)
    await addTo(mine.project_id, second)
    const elsewhere = await project()
    await addTo(elsewhere.id, second)
    const gone = [
      await key(mine.user_id, mine.project_id),
      await key(second, mine.project_id),
      await makeToken(instance, { owner_id: second, project_id: mine.project_id }),
    ]
    const kept = [
      await key(second, elsewhere.id),
      await makeToken(instance, { owner_id: second }),
      await makeToken(instance, { project_id: mine.project_id }),
    ]
    const rows = await trailOf(instance, async () => {
      expect(await call('admin', remove_project_members, { project_id: mine.project_id })).toMatchObject({
        project: { id: mine.project_id },
        removed: 2,
        revoked_tokens: 3,
        revoked_user_keys: 2,
      })
    })
    expect(rows.map((row) => `${row.action} ${row.target_id}`).sort()).toEqual(
      [`remove_project_members ${mine.project_id}`, ...gone.map(({ id }) => `revoke_token ${id}`)].sort(),
    )
    expect(await Promise.all(gone.map(({ secret }) => verdict(secret)))).toEqual(Array(3).fill('revoked'))
    expect(await Promise.all(kept.map(({ secret }) => verdict(secret)))).toEqual(Array(3).fill('valid'))
    expect(await call('admin', remove_project_members, { project_id: mine.project_id })).toMatchObject({
      removed: 0,
      revoked_tokens: 0,
      revoked_user_keys: 0,
    })
    await addTo(mine.project_id, second)
    expect(await verdict(gone[1]?.secret ?? '')).toBe('revoked')
    expect(await refusal(call('admin', remove_project_members, { project_id: 'proj_none' }))).toBe(
      'not_found',
    )
  })

  it('exports a project with its configuration and members, and no secret or digest of a token, ever', async () => {
    const { call, core } = instance
    const { id: config_id, name } = await config()
    const value = 'the_value_of_the_variable'
    const runs = { command: 'npx', env: { TOKEN: value } }
    await call('admin', add_config_server, { config_id, name: 's', runs })
    const { id: project_id } = await project()
    const user_id = await plantUser(instance)
    await addTo(project_id, user_id)
    await call('admin', assign_config, { project_id, config_id })
    const { id, secret } = await key(user_id, project_id)
    const rows = await trailOf(instance, async () => {
      const { document, file } = await call('admin', export_project, { project_id, output_file: 'p.json' })
      expect(document).toMatchObject({
        project_id,
        project: { project_id, project_name: `project ${made}`, environments: [{ name: 'development' }] },
        config: { mcp_config_id: config_id, mcp_config_name: name, mcp_config: [{ server_name: 's' }] },
        users: [{ user_id, email: `${user_id.toLowerCase()}@example.com` }],
      })
      expect(Object.keys(document)).toEqual(['project_id', 'exported_at', 'project', 'config', 'users'])
      const text = readFileSync(join(instance.place.dataDir, 'exports', file ?? ''), 'utf8')
      expect(JSON.parse(text)).toEqual(document)
      expect(text).not.toContain(value)
      const imported = { config: document['config'] } as never
      const again = await call('admin', import_config, { name: `from ${project_id}`, data: imported })
      expect(again.missing_env).toEqual([])
    })
    expect(rows).toMatchObject([
      { action: 'export_project', target_id: project_id, outcome: 'ok' },
      { action: 'import_config' },
      { action: 'add_config_server' },
    ])
    const open = await call('admin', export_project, { project_id, include_secrets: true })
    const text = JSON.stringify(open.document)
    expect(text).toContain(value)
    const row = await core.store.read
      .selectFrom('tokens')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    for (const hidden of [secret, row.secret_hash.toString('hex'), row.secret_hash.toString('base64')]) {
      expect(leak(Buffer.from(text), hidden)).toBe(-1)
    }
    const bare = await call('admin', export_project, { project_id: (await project()).id })
    expect(bare).toMatchObject({ file: null, document: { config: null, users: [] } })
  })

  it('R47: the creation of a project repeated with its key answers the same and makes nothing', async () => {
    const input = { name: 'made once', idempotency_key: 'repeated-0123456789' }
    const first = await instance.call('admin', create_project, input)
    expect(await instance.call('admin', create_project, input)).toEqual(first)
  })

  describe('as a dialect asks', () => {
    it('searches by a part of the name, else of the e-mail of a member; an empty text finds all', async () => {
      const { dialect, call } = instance
      const user_id = await plantUser(instance)
      const needle = user_id.slice(-10)
      const [byEmail, byName] = [await project(), await project()]
      await addTo(byEmail.id, user_id)
      await call('admin', update_project, { project_id: byName.id, name: `50%_${needle}` })
      const search = async (text: string) => {
        const { projects, matches = [] } = await dialect('reader', list_projects, { all: true, search: text })
        return projects.map((one, at) => [one.id, matches[at]])
      }
      expect(await search(needle.toUpperCase())).toEqual([
        [byEmail.id, 'user_email'],
        [byName.id, 'project_name'],
      ])
      expect(await search(`%_${needle}`)).toEqual([[byName.id, 'project_name']])
      const all = await search('')
      expect(all).toHaveLength((await call('reader', list_projects, { include_total: true })).total ?? 0)
      expect(new Set(all.map(([, match]) => match))).toEqual(new Set(['project_name']))
    })

    it('lists the projects of a user who must be there, with the keys this user has in each', async () => {
      const { dialect } = instance
      const user_id = await plantUser(instance)
      const other = await plantUser(instance)
      const [one, two] = [await project(), await project()]
      for (const { id } of [one, two]) await addTo(id, user_id)
      await addTo(one.id, other)
      await key(user_id, one.id)
      await key(user_id, one.id)
      await key(other, one.id)
      for (const member of [user_id, `${user_id}@Example.com`]) {
        const found = await dialect('reader', list_projects, { all: true, member })
        expect(found.projects.map(({ id }) => id)).toEqual([one.id, two.id])
        expect(found.member_keys).toEqual([2, 0])
      }
      const unknown = dialect('reader', list_projects, { all: true, member: 'nobody@example.com' })
      expect(await refusalError(unknown)).toMatchObject({ code: 'not_found', entity: 'user' })
    })

    it('names projects, users and configurations by name in the Enkrypt dialect, and the trail by id', async () => {
      const { call } = instance
      const { id: project_id, name } = await project()
      const assigned = await config()
      const user_id = await plantUser(instance)
      const email = `${user_id.toUpperCase()}@example.com`
      const rows = await trailOf(instance, async () => {
        const both = { project_id: name, user_id: email }
        const added = await call('admin', add_project_member, both, 'enkrypt')
        expect(added).toMatchObject({ changed: true, user: { id: user_id, email: email.toLowerCase() } })
        expect((await call('admin', add_project_member, both, 'enkrypt')).changed).toBe(false)
        await call('admin', assign_config, { project_id: name, config_id: assigned.name }, 'enkrypt')
        await call('operator', generate_user_key, both, 'enkrypt')
        const removed = await call('admin', remove_project_member, both, 'enkrypt')
        expect(removed).toMatchObject({ changed: true, revoked_user_keys: 1, user: { id: user_id } })
        await call('admin', unassign_config, { project_id: name }, 'enkrypt')
        await call('admin', remove_project_members, { project_id: name }, 'enkrypt')
        await call('admin', export_project, { project_id: name }, 'enkrypt')
        await call('admin', delete_project, { project_id: name }, 'enkrypt')
      })
      const targets = rows.filter((row) => !/token|key/.test(row.action)).map((row) => row.target_id)
      expect(targets).toEqual(Array(8).fill(project_id))
      const later = await project()
      const calls = [
        call('admin', delete_project, { project_id: later.name }),
        call('admin', assign_config, { project_id: later.id, config_id: assigned.name }),
        call('admin', add_project_member, { project_id: later.id, user_id: email }),
      ]
      expect(await Promise.all(calls.map(refusal))).toEqual(Array(3).fill('not_found'))
    })

    it('refuses to remove a user who is no member where its contract says so', async () => {
      const { dialect, call } = instance
      const { id: project_id } = await project()
      const user_id = await plantUser(instance)
      const asked = { project_id, user_id }
      expect((await call('admin', remove_project_member, asked)).changed).toBe(false)
      const strict = () => dialect('admin', remove_project_member, { ...asked, must_be_member: true })
      expect(await refusalError(strict())).toMatchObject({ code: 'not_found', entity: 'member' })
      await addTo(project_id, user_id)
      expect((await strict()).changed).toBe(true)
      expect(await refusal(strict())).toBe('not_found')
    })
  })

  it('R15: a user key sees its own project with its own user and keys alone; a bound admin changes no assignment', async () => {
    const { call, actor } = instance
    const mine = await plantProject(instance)
    const second = await plantUser(instance)
    await addTo(mine.project_id, second)
    await key(second, mine.project_id)
    const own = await key(mine.user_id, mine.project_id)
    const holder = await actor(own.secret)
    const { project: shown } = await call(holder, get_project, { project_id: mine.project_id })
    expect(shown).toMatchObject({ user_key_count: 1, config: { id: mine.config_id } })
    expect(shown.members.map((one) => [one.id, one.user_key_count])).toEqual([[mine.user_id, 1]])
    const listed = await call(holder, list_projects, {})
    expect(listed.projects).toMatchObject([{ id: mine.project_id, member_count: 1, user_key_count: 1 }])
    const search = { all: true as const, search: second.slice(-10).toLowerCase() }
    expect((await instance.dialect(holder, list_projects, search)).projects).toEqual([])
    const { secret } = await plantKey(instance, 'management', { role: 'admin', project_id: mine.project_id })
    const bound = await actor(secret)
    const { project_id } = mine
    const calls = [
      call(bound, assign_config, { project_id, config_id: mine.config_id }),
      call(bound, unassign_config, { project_id }),
      call(bound, export_project, { project_id }),
    ]
    expect(await Promise.all(calls.map(refusal))).toEqual(Array(3).fill('forbidden'))
    const other = await project()
    expect(await refusal(call(bound, remove_project_members, { project_id: other.id }))).toBe('not_found')
  })
})
