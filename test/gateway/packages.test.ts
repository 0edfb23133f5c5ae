import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { ListRootsRequestSchema, ResultSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openProving, type Proving, packaged } from './proving.ts'

type Calls = [tool: string, args: object][]

describe('the filesystem and memory servers do the same through the gateway as directly', () => {
  let proving: Proving
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'tokenwright-packages-')))
  beforeAll(async () => {
    proving = await openProving()
  })
  afterAll(async () => {
    await proving.close()
    rmSync(base, { recursive: true, force: true })
  })

  let made = 0
  function folder(): string {
    made += 1
    const path = join(base, `run-${made}`)
    mkdirSync(path)
    return path
  }

  /** What a client saw, whatever folder it was in. */
  async function play(way: Transport, calls: Calls, place: string, prefix = '', roots = false) {
    const client = new Client(
      { name: 'packages', version: '1' },
      { capabilities: roots ? { roots: {} } : {} },
    )
    let asked = 0
    if (roots)
      client.setRequestHandler(ListRootsRequestSchema, () => {
        asked += 1
        return { roots: [{ uri: `file://${place}`, name: 'here' }] }
      })
    await client.connect(way)
    const { tools } = await client.listTools()
    if (roots) await expect.poll(() => asked).toBeGreaterThan(0)
    const results: unknown[] = []
    for (const [name, args] of calls)
      results.push(
        await client
          .request(
            { method: 'tools/call', params: { name: `${prefix}${name}`, arguments: args } },
            ResultSchema,
          )
          .catch(({ code, message }) => ({ code, message })),
      )
    await client.close()
    const seen = JSON.stringify({ tools, results }).replaceAll(place, '<place>')
    return JSON.parse(prefix === '' ? seen : seen.replaceAll(prefix, '').replaceAll(/mcp\+[a-z-]+\+/g, ''))
  }

  /** Plays the same directly, at one server, and where all are one; answers the three transcripts and folders. */
  async function thrice(
    name: string,
    runsIn: (place: string) => object,
    callsIn: (place: string) => Calls,
    roots = false,
  ) {
    const [direct, one, whole] = [folder(), folder(), folder()]
    const way = new StdioClientTransport({ ...(runsIn(direct) as { command: string }), stderr: 'ignore' })
    const directly = await play(way, callsIn(direct), direct, '', roots)
    const first = await proving.add(`${name} one`, runsIn(one))
    const second = await proving.add(`${name} whole`, runsIn(whole))
    const atOne = proving.way(first.slug, await proving.secret([first.id]))
    const atAll = proving.way(null, await proving.secret([second.id]))
    return {
      directly,
      through: [
        await play(atOne, callsIn(one), one, '', roots),
        await play(atAll, callsIn(whole), whole, `${second.slug}__`, roots),
      ],
      places: [direct, one, whole],
    }
  }

  it.each([
    ['given in its arguments', false],
    ['told by the roots of its client', true],
  ])('filesystem, its folder %s: what is written is on disk', { timeout: 60_000 }, async (name, roots) => {
    const text = 'erste Zeile ✓\nzweite Zeile\n'
    const { directly, through, places } = await thrice(
      `files ${name}`,
      (place) => packaged('server-filesystem', roots ? [base] : [place]),
      (place) => [
        ['list_allowed_directories', {}],
        ['create_directory', { path: join(place, 'sub') }],
        ['write_file', { path: join(place, 'sub', 'ä.txt'), content: text }],
        ['read_text_file', { path: join(place, 'sub', 'ä.txt') }],
        [
          'edit_file',
          { path: join(place, 'sub', 'ä.txt'), edits: [{ oldText: 'zweite', newText: 'dritte' }] },
        ],
        ['move_file', { source: join(place, 'sub', 'ä.txt'), destination: join(place, 'b.txt') }],
        ['list_directory', { path: place }],
        ['directory_tree', { path: place }],
        ['search_files', { path: place, pattern: '**/*.txt' }],
        ['read_multiple_files', { paths: [join(place, 'b.txt'), join(place, 'none')] }],
        ['read_media_file', { path: join(place, 'b.txt') }],
        ['read_text_file', { path: '/etc/passwd' }],
        ['write_file', { path: join(place, '..', '..', 'outside.txt'), content: 'x' }],
        ['write_file', { content: 'x' }],
      ],
      roots,
    )
    expect(directly.tools.length).toBeGreaterThan(10)
    expect(through).toEqual([directly, directly])
    for (const place of places)
      expect(readFileSync(join(place, 'b.txt'), 'utf8')).toBe(text.replace('zweite', 'dritte'))
  })

  it('memory: a graph is written, read and kept', { timeout: 60_000 }, async () => {
    const { directly, through, places } = await thrice(
      'memory',
      (place) => packaged('server-memory', [], { MEMORY_FILE_PATH: join(place, 'memory.json') }),
      () => [
        ['read_graph', {}],
        [
          'create_entities',
          {
            entities: ['Ada', 'Žofie', 'gone'].map((name) => ({
              name,
              entityType: 'person',
              observations: ['one'],
            })),
          },
        ],
        ['create_relations', { relations: [{ from: 'Ada', to: 'Žofie', relationType: 'knows' }] }],
        ['add_observations', { observations: [{ entityName: 'Ada', contents: ['two', 'drei'] }] }],
        ['add_observations', { observations: [{ entityName: 'nobody', contents: ['two'] }] }],
        ['search_nodes', { query: 'drei' }],
        ['open_nodes', { names: ['Žofie'] }],
        ['delete_entities', { entityNames: ['gone'] }],
        ['delete_observations', { deletions: [{ entityName: 'Ada', observations: ['one'] }] }],
        ['read_graph', {}],
        ['create_entities', { entities: 'none' }],
      ],
    )
    expect(through).toEqual([directly, directly])
    const [kept, ...others] = places.map((place) => readFileSync(join(place, 'memory.json'), 'utf8'))
    expect(kept).toContain('Žofie')
    expect(others).toEqual([kept, kept])
  })
})
