import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { leak, plantKey, trailOf } from '../../support/world.ts'
import { unchanged } from './state.ts'
import {
  forbidden,
  isoTime,
  made,
  openWorld,
  refused,
  told,
  unauthorized,
  unknownId,
  type World,
} from './support.ts'

const gone: [number, string] = [404, 'Project not found']
const isoNow = expect.stringMatching(isoTime)

describe.each(databases)('projects of the Enkrypt dialect on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const create = async (project_name: string): Promise<string> =>
    (await made(world.admin('POST /projects', { project_name })))['project_id']
  const listed = async (line: string) =>
    (await made(world.reader(line))) as unknown as Record<string, unknown>[]
  const one = async (id: string) => (await listed('GET /projects')).find((row) => row['project_id'] === id)
  const verdict = async (token: string, server?: string) =>
    (await world.op('validate_token', { token, ...(server === undefined ? {} : { server }) }))['verdict']
  const dead = async (secret: string) =>
    expect(refused(await world.as(secret)('GET /configs'))).toEqual(unauthorized)

  it(`${verifies('enkrypt:projects:list:shape')} the list shows configuration, members and user keys, right after every change, oldest first`, async () => {
    const { project_id, project_name, config_id, config_name, user_id, key } = await world.project()
    const row = {
      project_id,
      project_name,
      mcp_config: { mcp_config_id: config_id, mcp_config_name: config_name },
      users: 1,
      api_keys: 1,
      created_at: isoNow,
    }
    const answer = told(await world.reader('GET /projects'))
    expect(answer.message).toBe('Projects retrieved successfully')
    expect(answer.data.at(-1)).toEqual(row)
    const second = await world.user()
    await made(world.admin(`POST /projects/${project_id}/users`, { email: second.email }))
    const more = await made(world.admin(`POST /users/${second.user_id}/api-keys`, { project_id }))
    await made(world.operator(`POST /api-keys/${key.api_key_id}/disable`))
    // No user keys, so not counted.
    await world.op('create_token', { name: 'plain', owner_id: user_id, project_id })
    await plantKey(world.beside, 'management', { project_id })
    expect(await one(project_id)).toEqual({ ...row, users: 2, api_keys: 2 })
    await made(world.operator(`DELETE /api-keys/${more['api_key_id']}`))
    expect(await one(project_id)).toEqual({ ...row, users: 2, api_keys: 1 })
    await made(world.admin(`DELETE /projects/${project_id}/users/${user_id}`))
    await made(world.admin(`POST /projects/${project_id}/unassign-config`))
    expect(await one(project_id)).toEqual({ ...row, mcp_config: null, users: 1, api_keys: 0 })
    const later = await create(world.fresh('Later'))
    const ids = (await listed('GET /projects')).map((each) => each['project_id'])
    expect(ids.slice(-2)).toEqual([project_id, later])
    await made(world.admin(`DELETE /projects/${project_id}`))
    expect(await one(project_id)).toBeUndefined()
  })

  it(`${verifies('enkrypt:projects:create:ok', 'enkrypt:projects:create:environment')} 201 with id and name; it has no configuration, no member, and one environment "development" without variables`, async () => {
    const answer = await world.admin('POST /projects', { project_name: 'Development Project' })
    expect([answer.status, answer.json]).toEqual([
      201,
      {
        message: 'Project created successfully',
        data: {
          project_id: expect.stringMatching(/^proj_[0-9A-Za-z]+$/),
          project_name: 'Development Project',
        },
      },
    ])
    const { project_id } = answer.json.data
    expect(await one(project_id)).toEqual({
      project_id,
      project_name: 'Development Project',
      mcp_config: null,
      users: 0,
      api_keys: 0,
      created_at: isoNow,
    })
    const { environments } = (await world.op('get_project', { project_id }))['project']
    expect(environments).toMatchObject([{ name: 'development', is_default: true, variables: {} }])
    const [exported] = (await made(world.admin(`POST /projects/${project_id}/export`)))['project']
      .environments
    expect(exported).toMatchObject({ name: 'development', is_default: true, variables: {} })
    const trimmed = await made(world.admin('POST /projects', { project_name: '  Trimmed  ' }))
    expect(trimmed['project_name']).toBe('Trimmed')
    await unchanged(world.beside, async () => {
      for (const body of [
        undefined,
        {},
        { project_name: '' },
        { project_name: '   ' },
        { project_name: null },
        { project_name: 5 },
        { project_name: 'x'.repeat(201) },
        { project_name: 'a\u0007b' },
        { project_name: unknownId.project },
        { project_name: unknownId.config },
        { name: 'x' },
        { project_name: 'x', description: 'y' },
        { project_name: 'x', config_name: 'y' },
      ])
        expect([body, refused(await world.admin('POST /projects', body))[0]]).toEqual([body, 400])
      for (const as of [world.operator, world.reader])
        expect(refused(await as('POST /projects', { project_name: 'x' }))).toEqual(forbidden)
    })
  })

  it(`${verifies('enkrypt:projects:create:duplicate')} a name that is taken is 409, letter case counts, and of two at once one wins`, async () => {
    const name = world.fresh('Taken')
    const id = await create(name)
    await unchanged(world.beside, async () => {
      for (const project_name of [name, ` ${name} `])
        expect(refused(await world.admin('POST /projects', { project_name }))).toEqual([
          409,
          expect.stringContaining('name'),
        ])
    })
    expect(await create(name.toUpperCase())).not.toBe(id)
    const twice = await Promise.all(
      [1, 2].map(() => world.admin('POST /projects', { project_name: 'Raced' })),
    )
    expect(twice.map(({ status }) => status).sort()).toEqual([201, 409])
    // A deleted project frees its name.
    await made(world.admin(`DELETE /projects/${id}`))
    expect(await create(name)).not.toBe(id)
  })

  it(`${verifies('enkrypt:projects:get:ok')} by id and by name; one that is not there is 404 in the same words on every route of one project`, async () => {
    const { project_id, user_id, email, config_id, config_name } = await world.project()
    await world.op('update_project', { project_id, name: 'Ünï/cödé + 100% @home' })
    for (const name of [project_id, encodeURIComponent('Ünï/cödé + 100% @home')]) {
      const { message, data } = told(await world.reader(`GET /projects/${name}`))
      expect(message).toBe('Project retrieved successfully')
      expect(data).toEqual({
        project_id,
        project_name: 'Ünï/cödé + 100% @home',
        mcp_config: { mcp_config_id: config_id, mcp_config_name: config_name },
        users: [{ user_id, email, created_at: isoNow }],
        api_keys: 1,
        created_at: isoNow,
      })
    }
    const lines: [string, object?][] = [
      ['GET /projects/:p'],
      ['DELETE /projects/:p'],
      ['POST /projects/:p/assign-config', { config_name }],
      ['POST /projects/:p/unassign-config'],
      ['GET /projects/:p/config'],
      ['GET /projects/:p/users'],
      ['POST /projects/:p/users', { email }],
      [`DELETE /projects/:p/users/${user_id}`],
      ['DELETE /projects/:p/users'],
      ['POST /projects/:p/export', { output_file: 'never.json' }],
    ]
    const deletedName = world.fresh('Deleted')
    const deleted = await create(deletedName)
    await made(world.admin(`DELETE /projects/${deleted}`))
    await unchanged(world.beside, async () => {
      for (const [line, body] of lines) {
        for (const name of [
          unknownId.project,
          config_id,
          'no%20such',
          '%00',
          '%',
          'x'.repeat(300),
          deleted,
          encodeURIComponent(deletedName),
        ])
          expect([line, name, refused(await world.admin(line.replace(':p', name), body))]).toEqual([
            line,
            name,
            gone,
          ])
      }
    })
  })

  it(`${verifies('enkrypt:projects:delete:cascade')} deletion revokes every token bound to the project, each with a row, and ends memberships; configuration, users and other tokens stay`, async () => {
    const { project_id, user_id, email, config_id, config_name, key } = await world.project()
    const other = await world.project()
    await world.op('add_project_member', { project_id: other.project_id, user_id })
    const there = await made(world.admin(`POST /users/${user_id}/api-keys`, { project_id: other.project_id }))
    const second = await made(world.admin(`POST /users/${user_id}/api-keys`, { project_id }))
    await made(world.operator(`POST /api-keys/${second['api_key_id']}/disable`))
    const rotated = await made(
      world.operator('POST /api-keys/rotate', { api_key: key.api_key_id, grace_seconds: 600 }),
    )
    const plain = await world.op('create_token', { name: 'plain', owner_id: user_id, project_id })
    const ownerless = await world.op('create_token', { name: 'ownerless', project_id })
    const bound = await world.op('create_management_key', { name: 'bound', role: 'reader', project_id })
    const unbound = await world.op('create_token', { name: 'unbound', owner_id: user_id })
    const answers: unknown[] = []
    const rows = await trailOf(world.beside, async () => {
      const answer = await world.admin(`DELETE /projects/${project_id}`)
      answers.push(answer.status, answer.json)
    })
    expect(answers).toEqual([200, { message: 'Project deleted successfully', data: { revoked_api_keys: 2 } }])
    const ended = [key.api_key_id, second['api_key_id'], plain['token'].id, ownerless['token'].id]
    expect(rows.map((row) => `${row.action} ${row.target_id}`).sort()).toEqual(
      [
        `delete_project ${project_id}`,
        `revoke_management_key ${bound['key'].id}`,
        ...ended.map((id) => `revoke_token ${id}`),
      ].sort(),
    )
    for (const secret of [
      key.api_key,
      rotated['api_key'],
      second['api_key'],
      plain['delivery'].secret,
      ownerless['delivery'].secret,
      bound['secret'],
    ])
      await dead(secret)
    expect(await verdict(unbound['delivery'].secret)).toBe('valid')
    expect((await world.as(there['api_key'])('GET /projects')).status).toBe(200)
    expect((await made(world.reader(`GET /users/${email}`)))['projects']).toMatchObject([
      { project_id: other.project_id },
    ])
    const config = await made(world.reader(`GET /configs/${config_id}`))
    expect(config['mcp_config_name']).toBe(config_name)
    // Nothing uses the configuration any more.
    expect((await world.admin(`DELETE /configs/${config_id}`)).status).toBe(200)
    expect(refused(await world.admin(`DELETE /projects/${project_id}`))).toEqual(gone)
  })

  it(`${verifies('enkrypt:projects:assign:ok', 'enkrypt:projects:assign:unknown', 'enkrypt:client:openapi:aliases')} a configuration is assigned by name or id, in the place of an earlier one; an unknown one is 404 and changes nothing`, async () => {
    const { project_id, project_name, config_id, key } = await world.project()
    const second = await world.config(world.fresh('Second'))
    const server = await world.server(second.config_id)
    const assign = (body: unknown, name = project_id) =>
      world.admin(`POST /projects/${encodeURIComponent(name)}/assign-config`, body)
    const assigned = async () =>
      (await made(world.reader(`GET /projects/${project_id}`)))['mcp_config'].mcp_config_id
    for (const [body, id] of [
      [{ config_name: second.config_name }, second.config_id],
      [{ config_name: config_id }, config_id],
      [{ config_id: second.config_id }, second.config_id],
      [{ config_id: second['config_name'] }, second.config_id],
    ] as const) {
      const answer = await assign(body, project_name)
      expect([answer.status, answer.json]).toEqual([
        200,
        { message: 'Configuration assigned to project successfully', data: null },
      ])
      expect(await assigned()).toBe(id)
    }
    expect(await verdict(key.api_key, server['server_slug'])).toBe('valid')
    await unchanged(world.beside, async () => {
      for (const config_name of [unknownId.config, project_id, 'no such configuration', 'x'.repeat(250)])
        expect(refused(await assign({ config_name }))).toEqual([404, 'Configuration not found'])
      for (const body of [
        undefined,
        {},
        { config_name: '' },
        { config_name: null },
        { config_name: second.config_name, config_id: second.config_id },
        { config: second.config_name },
      ])
        expect([body, refused(await assign(body))[0]]).toEqual([body, 400])
      expect(
        refused(await world.operator(`POST /projects/${project_id}/assign-config`, { config_id })),
      ).toEqual(forbidden)
    })
    // The same one again changes nothing, and one configuration may serve several projects.
    expect((await assign({ config_id: second.config_id })).status).toBe(200)
    const another = await create(world.fresh('Another'))
    expect((await assign({ config_id: second.config_id }, another)).status).toBe(200)
    const used = (await made(world.reader('GET /configs'))).find(
      (row: { mcp_config_id: string }) => row.mcp_config_id === second.config_id,
    ).used_by_projects
    expect(used).toEqual([
      { project_id, project_name },
      { project_id: another, project_name: expect.any(String) },
    ])
  })

  it(`${verifies('enkrypt:projects:unassign:ok', 'enkrypt:projects:unassign:none', 'enkrypt:projects:config:none')} without a configuration the keys stay valid and reach no server, route 25 says so, and a second time is 409`, async () => {
    const { project_id, config_id, key } = await world.project()
    const server = (await world.server(config_id))['server_slug']
    const config = told(await world.reader(`GET /projects/${project_id}/config`))
    expect(config.message).toBe('Project configuration retrieved successfully')
    expect(config.data).toEqual(await made(world.reader(`GET /configs/${config_id}`)))
    expect(await verdict(key.api_key, server)).toBe('valid')
    const unassign = () => world.admin(`POST /projects/${project_id}/unassign-config`)
    const answer = await unassign()
    expect([answer.status, answer.json]).toEqual([
      200,
      { message: 'Configuration unassigned from project successfully', data: null },
    ])
    expect(await verdict(key.api_key)).toBe('valid')
    expect(await verdict(key.api_key, server)).toBe('server_not_in_scope')
    expect((await world.as(key.api_key)('GET /projects')).status).toBe(200)
    await unchanged(world.beside, async () => {
      expect(refused(await unassign())).toEqual([
        409,
        'No configuration is assigned to this project. assign_config gives it one.',
      ])
      expect(
        refused(await world.admin(`POST /projects/${project_id}/unassign-config`, { config_id }))[0],
      ).toBe(400)
      expect(refused(await world.reader(`GET /projects/${project_id}/config`))).toEqual([
        404,
        'No configuration is assigned to this project',
      ])
    })
    expect((await world.reader(`GET /configs/${config_id}`)).status).toBe(200)
    await made(world.admin(`POST /projects/${project_id}/assign-config`, { config_id }))
    expect(await verdict(key.api_key, server)).toBe('valid')
  })

  it(`${verifies('enkrypt:projects:users-add:ok', 'enkrypt:projects:users-add:again', 'enkrypt:client:openapi:aliases')} a user is added by e-mail in any letter case or by id: 201, and again 200 with the same body and one membership`, async () => {
    const project_name = world.fresh('Team')
    const project_id = await create(project_name)
    const path = `POST /projects/${encodeURIComponent(project_name)}/users`
    for (const form of [
      (user: { email: string }) => ({ email: user.email }),
      (user: { email: string }) => ({ email: user.email.toUpperCase() }),
      (user: { user_id: string }) => ({ user_id: user.user_id }),
      (user: { user_id: string }) => ({ email: user.user_id }),
      (user: { email: string }) => ({ user_id: user.email }),
    ]) {
      const user = await world.user()
      const body = form(user)
      const answer = await world.admin(path, body)
      const success = {
        message: 'User added to project successfully',
        data: { project_id, user_id: user.user_id, email: user.email },
      }
      expect([body, answer.status, answer.json]).toEqual([body, 201, success])
      for (const again of [body, { email: user.email }, { user_id: user.user_id }]) {
        const repeated = await world.admin(path, again)
        expect([again, repeated.status, repeated.json]).toEqual([again, 200, success])
      }
      expect((await made(world.reader(`GET /users/${user.user_id}`)))['projects']).toEqual([
        { project_id, project_name },
      ])
    }
    expect((await one(project_id))?.['users']).toBe(5)
    const raced = await world.user()
    const twice = await Promise.all([1, 2, 3].map(() => world.admin(path, { email: raced.email })))
    expect(twice.map(({ status }) => status).sort()).toEqual([200, 200, 201])
    expect((await one(project_id))?.['users']).toBe(6)
  })

  it(`${verifies('enkrypt:projects:users-add:ok', 'enkrypt:projects:users-add:unknown')} both or neither is 400, an unknown user 404, and nobody is created`, async () => {
    const project_id = await create(world.fresh('Team'))
    const { user_id, email } = await world.user()
    const path = `POST /projects/${project_id}/users`
    await unchanged(world.beside, async () => {
      for (const body of [
        undefined,
        {},
        { email, user_id },
        { email: '' },
        { email: null },
        { email: 5 },
        { emails: [email] },
        { email, role: 'admin' },
        [],
      ])
        expect([body, refused(await world.admin(path, body))[0]]).toEqual([body, 400])
      for (const body of [
        { email: 'nobody@example.com' },
        { email: 'no address' },
        { email: `${'x'.repeat(300)}@example.com` },
        { user_id: unknownId.user },
        { user_id: project_id },
      ])
        expect(refused(await world.admin(path, body))).toEqual([404, 'User not found'])
      for (const as of [world.operator, world.reader])
        expect(refused(await as(path, { email }))).toEqual(forbidden)
    })
  })

  it(`${verifies('enkrypt:projects:users-add:ok')} the members are listed, oldest membership first, with their keys here`, async () => {
    const { project_id, user_id, email } = await world.project()
    const other = await world.project()
    world.running.clock.pass(1_000)
    await made(world.admin(`POST /projects/${project_id}/users`, { email: other.email }))
    await made(world.admin(`POST /users/${user_id}/api-keys`, { project_id }))
    const { message, data } = told(await world.reader(`GET /projects/${project_id}/users`))
    expect(message).toBe('Project users retrieved successfully')
    expect(data).toEqual([
      { user_id, email, api_keys: 2, created_at: isoNow },
      { user_id: other.user_id, email: other.email, api_keys: 0, created_at: isoNow },
    ])
    expect(await listed(`GET /projects/${await create(world.fresh('Empty'))}/users`)).toEqual([])
  })

  it(`${verifies('enkrypt:projects:users-remove:kills-keys')} a removed member's tokens of this project are dead at once and stay so after a return; those of other projects live`, async () => {
    const { project_id, user_id, email, key } = await world.project()
    const other = await world.project()
    await world.op('add_project_member', { project_id: other.project_id, user_id })
    await made(world.admin(`POST /projects/${project_id}/users`, { email: other.email }))
    const there = await made(world.admin(`POST /users/${user_id}/api-keys`, { project_id: other.project_id }))
    const colleague = await made(world.admin(`POST /users/${other.user_id}/api-keys`, { project_id }))
    const rotated = await made(
      world.operator('POST /api-keys/rotate', { api_key: key.api_key_id, grace_seconds: 600 }),
    )
    const plain = await world.op('create_token', { name: 'plain', owner_id: user_id, project_id })
    const unbound = await world.op('create_token', { name: 'unbound', owner_id: user_id })
    const answers: unknown[] = []
    const rows = await trailOf(world.beside, async () => {
      const answer = await world.admin(`DELETE /projects/${project_id}/users/${email.toUpperCase()}`)
      answers.push(answer.status, answer.json)
    })
    expect(answers).toEqual([
      200,
      { message: 'User removed from project successfully', data: { revoked_api_keys: 1 } },
    ])
    expect(rows.map((row) => `${row.action} ${row.target_id}`).sort()).toEqual(
      [
        `remove_project_member ${project_id}`,
        `revoke_token ${key.api_key_id}`,
        `revoke_token ${plain['token'].id}`,
      ].sort(),
    )
    const secrets = [key.api_key, rotated['api_key'], plain['delivery'].secret]
    for (const secret of secrets) await dead(secret)
    await made(world.admin(`POST /projects/${project_id}/users`, { email }))
    for (const secret of secrets) await dead(secret)
    for (const secret of [there['api_key'], colleague['api_key']])
      expect((await world.as(secret)('GET /projects')).status).toBe(200)
    expect(await verdict(unbound['delivery'].secret)).toBe('valid')
    expect(await listed(`GET /users/${user_id}/api-keys?project_identifier=${project_id}`)).toEqual([])
  })

  it(`${verifies('enkrypt:projects:users-remove:not-member')} an unknown user, one who is no member, and a second removal are 404, and nothing is written`, async () => {
    const { project_id, user_id } = await world.project()
    const stranger = await world.user()
    const noMember = [404, 'The user is not a member of this project']
    const remove = (user: string) => world.admin(`DELETE /projects/${project_id}/users/${user}`)
    await unchanged(world.beside, async () => {
      const rows = await trailOf(world.beside, async () => {
        for (const nobody of [unknownId.user, 'nobody@example.com', project_id, '%00'])
          expect(refused(await remove(nobody))).toEqual([404, 'User not found'])
        for (const name of [stranger.user_id, stranger.email])
          expect(refused(await remove(name))).toEqual(noMember)
      })
      expect(rows).toEqual([])
    })
    await made(remove(user_id))
    expect(refused(await remove(user_id))).toEqual(noMember)
  })

  it(`${verifies('enkrypt:projects:users-remove-all:ok')} all members are removed with their tokens here, also when there are none`, async () => {
    const { project_id, project_name, user_id, key } = await world.project()
    const other = await world.project()
    await made(world.admin(`POST /projects/${project_id}/users`, { email: other.email }))
    const second = await made(world.admin(`POST /users/${other.user_id}/api-keys`, { project_id }))
    const plain = await world.op('create_token', { name: 'plain', owner_id: user_id, project_id })
    const answers: unknown[] = []
    const rows = await trailOf(world.beside, async () => {
      const answer = await world.admin(`DELETE /projects/${encodeURIComponent(project_name)}/users`)
      answers.push(answer.status, answer.json)
    })
    expect(answers).toEqual([
      200,
      { message: 'All users removed from project successfully', data: { removed: 2, revoked_api_keys: 2 } },
    ])
    expect(rows.map(({ action }) => action).sort()).toEqual([
      'remove_project_members',
      ...Array(3).fill('revoke_token'),
    ])
    for (const secret of [key.api_key, second['api_key'], plain['delivery'].secret]) await dead(secret)
    expect((await world.as(other.key.api_key)('GET /projects')).status).toBe(200)
    expect(await listed(`GET /projects/${project_id}/users`)).toEqual([])
    const again = await world.admin(`DELETE /projects/${project_id}/users`)
    expect([again.status, again.json.data]).toEqual([200, { removed: 0, revoked_api_keys: 0 }])
    await made(world.admin(`POST /projects/${project_id}/users`, { user_id }))
    await dead(key.api_key)
  })

  it(`${verifies('enkrypt:projects:export:inline')} R5: an export holds project, configuration with references for values, and members; never a secret or a digest of a key`, async () => {
    const { project_id, project_name, user_id, email, config_id, config_name, key } = await world.project()
    const value = 'the value of a variable'
    await world.server(config_id, { env: { TOKEN: value } })
    const path = `POST /projects/${encodeURIComponent(project_name)}/export`
    const answer = await world.admin(path)
    const { message, data } = told(answer)
    expect([answer.status, message]).toEqual([200, 'Project exported successfully'])
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(data).toEqual({
      project_id,
      exported_at: isoNow,
      project: expect.objectContaining({ project_id, project_name }),
      config: expect.objectContaining({ mcp_config_id: config_id }),
      users: [{ user_id, email, created_at: isoNow }],
    })
    // The configuration as its own export has it.
    const own = await made(world.admin(`POST /configs/${config_id}/export`))
    expect(JSON.stringify(data['config'])).toContain(JSON.stringify(own['config'].mcp_config))
    expect(answer.text).toContain(config_name)
    expect(own['config'].mcp_config[0].config.env).toEqual({ TOKEN: { $env: expect.stringMatching(/^fp_/) } })
    expect(answer.text).not.toContain(value)
    // In a file as well, for its owner alone, and the same.
    const filed = await made(world.admin(path, { output_file: 'project.json' }))
    const file = join(world.running.place.dataDir, 'exports', 'project.json')
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(filed)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const rows = await trailOf(world.beside, async () => {
      const open = await world.admin(path, { include_secrets: true })
      expect(JSON.stringify(told(open).data['config'])).toContain(JSON.stringify({ TOKEN: value }))
      const digest = await world.beside.core.store.read
        .selectFrom('tokens')
        .select('secret_hash')
        .where('id', '=', key.api_key_id)
        .executeTakeFirstOrThrow()
      for (const text of [answer.text, open.text, readFileSync(file, 'utf8')]) {
        expect(leak(Buffer.from(text), key.api_key)).toBe(-1)
        for (const form of ['hex', 'base64', 'base64url'] as const)
          expect(text).not.toContain(digest.secret_hash.toString(form).slice(0, 20))
        expect(text).not.toMatch(/secret_hash|password/)
      }
    })
    expect(rows).toMatchObject([{ action: 'export_project', target_id: project_id }])
    expect(JSON.parse(rows[0]?.details ?? '{}')).toMatchObject({ include_secrets: true })
    await made(world.admin(`POST /projects/${project_id}/unassign-config`))
    expect((await made(world.admin(path)))['config']).toBeNull()
    for (const body of [
      { output_file: '/etc/passwd' },
      { output_file: '../x.json' },
      { output_file: '' },
      { output_file: null },
      { include_secrets: 'true' },
      { include_secrets: 1 },
      { file: 'x.json' },
    ])
      expect([body, refused(await world.admin(path, body))[0]]).toEqual([body, 400])
    for (const as of [world.operator, world.reader]) expect(refused(await as(path))).toEqual(forbidden)
  })

  it(`${verifies('enkrypt:projects:search:ok')} a search finds by part of the name, else of a member's e-mail, letter case and wildcards plain`, async () => {
    const byName = await create('Numbat_50%')
    const byMember = await create(world.fresh('Unrelated'))
    const member = await made(world.admin('POST /users', { email: 'numbat@example.com' }))
    await made(world.admin(`POST /projects/${byMember}/users`, { user_id: member['user_id'] }))
    const search = async (search_term: string) => {
      const { message, data } = told(await world.reader('POST /projects/search', { search_term }))
      expect(message).toBe('Search completed successfully')
      return data
    }
    expect(await search('NUMBAT')).toEqual([
      { project_id: byName, project_name: 'Numbat_50%', match_type: 'project_name', users: 0 },
      { project_id: byMember, project_name: expect.any(String), match_type: 'user_email', users: 1 },
    ])
    expect(await search('bat_50%')).toMatchObject([{ project_id: byName }])
    for (const none of ['numbat_ex', 'n%bat', 'NUMBAT 50', ' numbat']) expect(await search(none)).toEqual([])
    expect(await search('')).toHaveLength((await listed('GET /projects')).length)
    await made(world.admin(`DELETE /projects/${byMember}/users`))
    expect(await search('numbat@')).toEqual([])
    for (const body of [undefined, {}, { search_term: null }, { search_term: 5 }, { search_term: 'x', y: 1 }])
      expect(refused(await world.reader('POST /projects/search', body))[0]).toBe(400)
  })
})
