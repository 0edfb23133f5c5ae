import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Everything, startEverything } from './everything.ts'
import { openProving, overHttp, type Proving, packaged } from './proving.ts'
import { play, type Transcript } from './script.ts'

type Kind = 'HTTP' | 'stdio'

describe('every feature of the everything server is the same through the gateway as directly', () => {
  let proving: Proving
  const started: Everything[] = []

  beforeAll(async () => {
    proving = await openProving()
  })
  afterAll(async () => {
    await Promise.all(started.map((one) => one.stop()))
    await proving.close()
  })

  /** A server that only this run uses. */
  async function upstream(kind: Kind) {
    if (kind === 'stdio') return packaged('server-everything', ['stdio'], { MARK: 'of the entry' })
    const one = await startEverything('streamableHttp')
    started.push(one)
    return { url: one.url }
  }

  async function directly(kind: Kind, able: boolean): Promise<Transcript> {
    const runs = await upstream(kind)
    const way = 'url' in runs ? overHttp(runs.url) : new StdioClientTransport({ ...runs, stderr: 'ignore' })
    return play(way, { able, names: '', uris: '' })
  }

  async function throughGateway(kind: Kind, able: boolean, whole: boolean): Promise<Transcript> {
    const name = `${kind} ${able ? 'able' : 'plain'} ${whole ? 'whole' : 'one'}`
    const { slug, id } = await proving.add(name, await upstream(kind))
    const way = proving.way(whole ? null : slug, await proving.secret([id]))
    if (!whole) return play(way, { able, names: '', uris: '' })
    const [names, uris] = [`${slug}__`, `mcp+${slug}+`]
    const seen = await play(way, { able, names, uris })
    expect(JSON.stringify(seen.steps['tools/list'])).toContain(`"${names}echo"`)
    expect(JSON.stringify(seen.steps['get-resource-links {"count":10}'])).toContain(`"${uris}demo:`)
    // Where all are one, what has a name has it with the server's before it; nothing else differs by that.
    return JSON.parse(JSON.stringify(seen).replaceAll(uris, '').replaceAll(names, ''))
  }

  it.each([
    ['HTTP', false],
    ['HTTP', true],
    ['stdio', false],
    ['stdio', true],
  ] as const)('over %s, by a client that can be asked: %s', { timeout: 60_000 }, async (kind, able) => {
    const [direct, one, whole] = await Promise.all([
      directly(kind, able),
      throughGateway(kind, able, false),
      throughGateway(kind, able, true),
    ])
    expect(direct.asked).toHaveLength(able ? 8 : 0)
    expect(Object.keys(direct.steps).length).toBeGreaterThan(60)
    const shared = kind === 'stdio' && !able
    expect(one).toEqual(shared ? withoutTasks(direct) : direct)
    expect(whole).toEqual(inOwnWords(withoutTasks(direct)))
  })
})

const noMethod = { code: -32601, message: 'MCP error -32601: Method not found' }

/** Tasks are not carried where several clients share what keeps them, nor where all servers are one. */
function withoutTasks({ about, steps, asked, heard }: Transcript): Transcript {
  const { tasks, ...capabilities } = about.capabilities
  expect(tasks).toBeDefined()
  const plain = steps['simulate-research-query {"topic":"without a task"}']
  expect(plain).toMatchObject({ isError: true })
  const others = Object.keys(steps).filter((name) => /\btask/.test(name) && !name.includes('{'))
  expect(others).toHaveLength(9)
  const refused = others.map((name) => [name, /task$/.test(name) ? plain : noMethod])
  const { 'notifications/tasks/status': _, ...rest } = heard
  return {
    about: { ...about, capabilities },
    steps: { ...steps, ...Object.fromEntries(refused), 'no such task': noMethod },
    asked: asked.filter((question) => !JSON.stringify(question).includes('The research query')),
    heard: rest,
  }
}

/** Where all servers are one the gateway speaks of itself, and judges itself what is about none of them. */
function inOwnWords({ about, steps, asked, heard }: Transcript): Transcript {
  return {
    about: {
      ...about,
      serverInfo: { name: 'tokenwright-gateway', title: 'Tokenwright gateway', version: '0.0.0-test' },
      instructions: expect.stringContaining('<server>__<name>'),
    },
    steps: {
      ...steps,
      'no level': { code: -32602, message: 'MCP error -32602: There is no such level of log messages.' },
    },
    asked,
    heard,
  }
}
