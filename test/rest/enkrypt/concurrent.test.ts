import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Answer } from '../../http/serving.ts'
import { databases } from '../../support/databases.ts'
import { trailOf } from '../../support/world.ts'
import { type Data, made, openWorld, type Project, type World } from './support.ts'

const many = 20

describe.each(databases)('many who create at once on $name', (database) => {
  let world: World
  let project: Project
  beforeAll(async () => {
    world = await openWorld(database)
    project = await world.project()
  })
  afterAll(() => world.close())

  const list = async (line: string) => (await made(world.reader(line))) as Data[]
  const user = () => project.user_id
  const things: Record<
    string,
    {
      make: (n: number) => Promise<Answer>
      id: string
      action: string
      list: () => Promise<Data[]>
      shown?: string
    }
  > = {
    configurations: {
      make: (n) => world.admin('POST /configs', { config_name: `Many ${n}` }),
      id: 'config_id',
      action: 'create_config',
      list: () => list('GET /configs'),
      shown: 'mcp_config_id',
    },
    servers: {
      // Names of one slug, so that all of them meet at the count behind it.
      make: (n) =>
        world.admin(`POST /configs/${project.config_id}/servers`, {
          server_name: `many${'-'.repeat(n)}x`,
          server_command: 'npx',
          env: { N: `value ${n}` },
        }),
      id: 'server_id',
      action: 'add_config_server',
      list: () => list(`GET /configs/${project.config_id}/servers`),
    },
    copies: {
      make: (n) =>
        world.admin('POST /configs/copy', { source_config: project.config_id, target_config: `Copy ${n}` }),
      id: 'config_id',
      action: 'copy_config',
      list: () => list('GET /configs'),
      shown: 'mcp_config_id',
    },
    users: {
      make: (n) => world.admin('POST /users', { email: `many${n}@example.com` }),
      id: 'user_id',
      action: 'create_user',
      list: () => list('GET /users'),
    },
    keys: {
      make: () => world.operator(`POST /users/${user()}/api-keys`, { project_id: project.project_id }),
      id: 'api_key_id',
      action: 'generate_user_key',
      list: () => list(`GET /users/${user()}/api-keys`),
    },
  }

  it.each(Object.keys(things))(
    'R39: of 20 %s made at the same time none fails or is torn, and each has its row in an unbroken trail',
    async (name) => {
      const thing = things[name]
      if (thing === undefined) throw new Error(name)
      const { make, id, action, shown = id } = thing
      const before = (await thing.list()).length
      let answers: Answer[] = []
      const trail = await trailOf(world.beside, async () => {
        answers = await Promise.all(Array.from({ length: many }, (_, n) => make(n)))
      })
      expect(answers.map(({ status, text }) => [status, text])).toEqual(
        answers.map(({ text }) => [201, text]),
      )
      const ids: string[] = answers.map(({ json }) => json.data[id])
      expect(new Set(ids).size).toBe(many)
      const rows = trail.filter((row) => row.action === action)
      // The order of ids is the order of commits (DESIGN §4).
      expect(rows.filter((row) => ids.includes(row.target_id ?? '')).map((row) => row.target_id)).toEqual(
        [...ids].sort(),
      )
      expect((await world.op('verify_audit', {}))['ok']).toBe(true)
      const listed = (await thing.list()).map((one) => one[shown])
      expect(listed.length).toBe(before + many)
      expect(listed.slice(-many)).toEqual([...ids].sort())
    },
  )

  it('none of them is torn: servers have their own slugs and values, copies all servers, and keys work', async () => {
    const { config } = await made(
      world.admin(`POST /configs/${project.config_id}/export`, { include_secrets: true }),
    )
    const servers: Data[] = config.mcp_config
    const slugs = servers.map((one) => one['server_slug'])
    expect(new Set(slugs).size).toBe(many)
    for (const server of servers) {
      const n = server['server_name'].length - 'many'.length - 'x'.length
      expect(server['config'].env).toEqual({ N: `value ${n}` })
    }
    const copies = (await list('GET /configs')).filter((one) => one['mcp_config_name'].startsWith('Copy '))
    expect(copies.map((one) => one['servers'])).toEqual(copies.map(() => many))
    const keys = await Promise.all(Array.from({ length: many }, () => things['keys']?.make(0)))
    const opened = await Promise.all(keys.map((key) => world.as(key?.json.data.api_key)('GET /configs')))
    expect(opened.map(({ status }) => status)).toEqual(keys.map(() => 200))
  })

  it('changes of all kinds at once keep the store whole', async () => {
    const { config_id } = await world.config('Busy')
    const kinds: ((n: number) => Promise<Answer>)[] = [
      (n) => world.admin(`POST /configs/${config_id}/servers`, { server_name: `b${n}`, server_command: 'x' }),
      (n) => world.admin('POST /configs/copy', { source_config: config_id, target_config: `Busy ${n}` }),
      (n) => world.admin(`PUT /configs/${config_id}/rename`, { new_name: n % 2 ? 'Busy' : 'Busier' }),
      () => world.reader(`GET /configs/${config_id}`),
      () => world.admin(`DELETE /configs/${config_id}/servers`),
      (n) => world.admin('POST /users', { email: `busy${n}@example.com` }),
    ]
    const answers = await Promise.all(
      Array.from({ length: 36 }, (_, n) => kinds[n % kinds.length]?.(n) as Promise<Answer>),
    )
    expect(answers.map(({ status }) => status)).toEqual(
      answers.map(({ status }) => (status < 300 ? status : 0)),
    )
    expect((await world.op('verify_audit', {}))['ok']).toBe(true)
    for (const one of (await list('GET /configs')).filter(({ mcp_config_name: name }) =>
      /^Busy \d/.test(name),
    )) {
      expect((await list(`GET /configs/${one['mcp_config_id']}/servers`)).length).toBe(one['servers'])
    }
  })
})
