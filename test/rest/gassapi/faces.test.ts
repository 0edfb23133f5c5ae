import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bin, openBin } from '../../cli/bin.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { sendAs } from '../support.ts'
import { description, invalidToken, openWorld, refused, told, type World } from './world.ts'

let bin: Bin
beforeAll(async () => {
  bin = await openBin()
})
afterAll(() => bin.remove())

describe.each(databases)('what other faces change on $name', (one) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(one, { toolsets: ['users', 'projects'] })
  })
  afterAll(() => world.close())

  /** The command line on the store of the server. */
  const command = async (args: string[]) => {
    const { dataDir, location } = world.place
    const done = await bin.run(args, {
      env: {
        TOKENWRIGHT_DATA_DIR: dataDir,
        ...(one.name === 'postgres' ? { TOKENWRIGHT_DATABASE_URL: location } : {}),
      },
    })
    expect([args, done.code, done.stderr]).toEqual([args, 0, ''])
    return JSON.parse(done.stdout)
  }
  let people = 0
  /** A member of their own, with a token. */
  const creator = async () => {
    people += 1
    const email = `creator${people}@example.com`
    const user_id = await world.person(email)
    return { email, user_id, ...(await world.make({ email })) }
  }
  const valid = async (secret: string) => (await world.validate(secret)).status
  const switches: [string, (user_id: string, enabled: boolean) => Promise<unknown>][] = [
    ['/v1', (user_id, enabled) => world.op('update_user', { user_id, enabled })],
    [
      'an MCP tool',
      async (user_id, enabled) => {
        const { json } = await world.tool('update_user', { user_id, enabled })
        expect(json.result.isError).toBeUndefined()
      },
    ],
    [
      'the command line',
      (user_id, enabled) => command(['update-user', '--user-id', user_id, '--enabled', String(enabled)]),
    ],
  ]

  it.each(switches)(
    `${verifies('gassapi:token:life:creator-disabled')} disabling its creator through %s refuses it from the next request, and enabling revives it`,
    async (_, enable) => {
      const { secret, user_id, email } = await creator()
      const other = await world.make()
      for (let turn = 0; turn < 2; turn++) {
        await enable(user_id, false)
        expect(refused(await world.validate(secret))).toEqual(invalidToken)
        expect((await world.generate({ email }, { from: `192.0.2.${100 + turn}` })).text).toBe(told.login)
        expect(await valid(other.secret)).toBe(200)
        await enable(user_id, true)
        expect(await valid(secret)).toBe(200)
      }
    },
  )

  const creations: [string, (name: string) => Promise<string>][] = [
    ['/v1', async (name) => (await world.op('create_project', { name })).project.id],
    [
      'an MCP tool',
      async (name) => (await world.tool('create_project', { name })).json.result.structuredContent.project.id,
    ],
    ['the command line', async (name) => (await command(['create-project', '--name', name])).project.id],
    [
      'the Enkrypt dialect',
      async (project_name) => {
        const send = sendAs(world, world.adminKey)
        return (await send('POST /api/v1/projects', { project_name })).json.data.project_id
      },
    ],
  ]

  it.each(creations)(
    `${verifies('gassapi:project:create:environment')} a project created through %s begins with the environment "development"`,
    async (face, create) => {
      const project_id = await create(`Made through ${face}`)
      await world.op('add_project_member', { project_id, user_id: world.user_id })
      const { environments } = (await world.validate((await world.make({ project_id })).secret)).json.data
      expect(environments).toMatchObject([
        { name: 'development', is_default: true, variables: {}, project_id },
      ])
      expect(environments).toHaveLength(1)
    },
  )

  it(`${verifies('gassapi:project:edit:elsewhere')} name, description and environments changed through MCP tools, /v1 and the command line show with the next request`, async () => {
    const { secret } = await world.make()
    const { project_id } = world
    const shown = async () => {
      const { project, environments } = (await world.validate(secret)).json.data
      const listed = environments.map(
        (each: { name: string; variables: object; is_default: boolean }) =>
          [each.name, each.variables, each.is_default] as const,
      )
      return [project.name, project.description, listed]
    }
    const variables = { HOST: 'https://api.example' }
    expect(await shown()).toEqual(['Test Project', description, [['development', {}, true]]])
    await world.op('update_project', { project_id, name: 'Renamed' })
    expect((await shown())[0]).toBe('Renamed')
    await world.tool('update_project', { project_id, description: 'Told anew' })
    expect((await shown())[1]).toBe('Told anew')
    await world.tool('set_environment', { project_id, name: 'development', variables })
    expect((await shown())[2]).toEqual([['development', variables, true]])
    const flags = ['--project-id', project_id, '--name', 'staging']
    await command(['set-environment', ...flags, '--variables', '{"A":"1"}', '--is-default'])
    expect((await shown())[2]).toEqual([
      ['development', variables, false],
      ['staging', { A: '1' }, true],
    ])
    await world.op('delete_environment', { project_id, name: 'development' })
    expect((await shown())[2]).toEqual([['staging', { A: '1' }, true]])
    expect((await world.generate()).json.project).toEqual({
      id: project_id,
      name: 'Renamed',
      description: 'Told anew',
    })
  })
})
