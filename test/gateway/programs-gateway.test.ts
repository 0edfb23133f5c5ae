import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServing, type Running } from '../http/serving.ts'
import { databases } from '../support/databases.ts'

const fixture = new URL('fixtures/server.mjs', import.meta.url).pathname

describe.each(databases)('programs behind the gateway on $name', (database) => {
  let serving: Running
  let secret: string
  const clients: Client[] = []

  const made = async (operation: string, input: object) => {
    const { status, text, json } = await serving.call(operation, input)
    expect(status, text).toBeLessThan(300)
    return json
  }

  async function connect(slug: string, capabilities: object = {}): Promise<Client> {
    const client = new Client({ name: 'test', version: '1' }, { capabilities })
    const transport = new StreamableHTTPClientTransport(new URL(`${serving.url}/servers/${slug}/mcp`), {
      requestInit: { headers: { authorization: `Bearer ${secret}` } },
    })
    await client.connect(transport)
    clients.push(client)
    return client
  }

  const call = async (client: Client, name: string, args: object = {}): Promise<string> => {
    const { content } = await client.callTool({ name, arguments: { ...args } })
    return (content as { text: string }[])[0]!.text
  }

  let slugs: Record<'one' | 'two', string>

  beforeAll(async () => {
    serving = await openServing(database, { allowCommands: true, upstreamTimeout: 10_000 })
    const { config } = await made('create_config', { name: 'programs' })
    const runs = { command: process.execPath, args: [fixture], env: { FIXTURE_VALUE: 'value of the entry' } }
    const one = await made('add_config_server', { config_id: config.id, name: 'one', runs })
    const two = await made('add_config_server', { config_id: config.id, name: 'two', runs })
    slugs = { one: one.server.slug, two: two.server.slug }
    const { delivery } = await made('create_token', {
      name: 'all',
      access: { all_servers: true },
      delivery: 'inline',
    })
    secret = delivery.secret
  })

  afterAll(async () => {
    for (const client of clients) await client.close()
    await serving?.close()
  })

  it('two clients share one process, and each hears its own answers', async () => {
    const first = await connect(slugs.one)
    const second = await connect(slugs.one)
    expect(await call(first, 'pid')).toBe(await call(second, 'pid'))
    const said = await Promise.all(
      [...Array(50).keys()].map((n) => call(n % 2 === 0 ? first : second, 'echo', { text: `said ${n}` })),
    )
    expect(said).toEqual([...Array(50).keys()].map((n) => `said ${n}`))
  })

  it('a client that can be asked has a process of its own, and what the server asks reaches exactly it', async () => {
    const asked: string[] = []
    const able = async (name: string) => {
      const client = await connect(slugs.one, { sampling: {} })
      client.setRequestHandler(CreateMessageRequestSchema, () => {
        asked.push(name)
        return { model: 'none', role: 'assistant', content: { type: 'text', text: `from ${name}` } }
      })
      return client
    }
    const [anna, bert] = [await able('anna'), await able('bert')]
    expect(await call(anna, 'pid')).not.toBe(await call(bert, 'pid'))
    expect(await call(bert, 'ask')).toContain('from bert')
    expect(asked).toEqual(['bert'])
  })
})
