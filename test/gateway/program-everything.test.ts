import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, describe, expect, it } from 'vitest'
import { inheritedEnvironment } from '../../src/config.ts'
import { makePrograms } from '../../src/gateway/program/programs.ts'
import { asTransport } from './conversation.ts'
import { readableLog } from './program.ts'

const packages = new URL('../../node_modules/@modelcontextprotocol/', import.meta.url).pathname

describe('servers of others as programs', () => {
  const { log } = readableLog()
  const programs = makePrograms({ log, allowed: true, inherited: inheritedEnvironment() })
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tokenwright-programs-')))
  afterAll(async () => {
    await programs.close()
    rmSync(folder, { recursive: true, force: true })
  })

  async function connect(
    [script, ...args]: string[],
    { env = {}, capabilities = {} }: { env?: Record<string, string>; capabilities?: object } = {},
  ): Promise<Client> {
    const client = new Client({ name: 'test', version: '1' }, { capabilities })
    const runs = { kind: 'program' as const, command: 'node', args: [`${packages}${script}`, ...args], env }
    if ('sampling' in capabilities)
      client.setRequestHandler(CreateMessageRequestSchema, () => ({
        model: 'none',
        role: 'assistant',
        content: { type: 'text', text: 'sampled here' },
      }))
    await client.connect(asTransport(programs.open('test', runs)))
    return client
  }
  const text = async (client: Client, name: string, args: object = {}) =>
    JSON.stringify((await client.callTool({ name, arguments: { ...args } })).content)

  it('the everything server speaks, asks and tells its progress', async () => {
    const client = await connect(['server-everything/dist/index.js', 'stdio'], {
      capabilities: { sampling: {} },
    })
    expect(await text(client, 'echo', { message: 'grüße' })).toContain('Echo: grüße')
    expect((await client.listResources()).resources.length).toBeGreaterThan(2)
    const progress: number[] = []
    await client.callTool(
      { name: 'trigger-long-running-operation', arguments: { duration: 1, steps: 4 } },
      undefined,
      { onprogress: ({ progress: at }) => void progress.push(at) },
    )
    expect(progress).toEqual([1, 2, 3, 4])
    const sampling = { prompt: 'say something', maxTokens: 10 }
    expect(await text(client, 'trigger-sampling-request', sampling)).toContain('sampled here')
    await client.close()
  })

  it('the filesystem server reads what its arguments allow', async () => {
    writeFileSync(join(folder, 'note.txt'), 'written here')
    const client = await connect(['server-filesystem/dist/index.js', folder])
    expect(await text(client, 'read_text_file', { path: join(folder, 'note.txt') })).toContain('written here')
    expect(await text(client, 'read_text_file', { path: '/etc/passwd' })).toContain('denied')
    await client.close()
  })

  it('the memory server keeps what it is told where its variable says', async () => {
    const client = await connect(['server-memory/dist/index.js'], {
      env: { MEMORY_FILE_PATH: join(folder, 'memory.json') },
    })
    const entities = [{ name: 'Anna', entityType: 'person', observations: ['likes tests'] }]
    await client.callTool({ name: 'create_entities', arguments: { entities } })
    expect(await text(client, 'read_graph')).toContain('likes tests')
    await client.close()
  })
})
