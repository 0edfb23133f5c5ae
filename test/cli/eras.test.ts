import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bin, openBin } from './bin.ts'

const first = [
  {
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
  },
  { method: 'notifications/initialized' },
  { id: 2, method: 'tools/list' },
  { id: 3, method: 'tools/call', params: { name: 'list_groups', arguments: {} } },
]
const _meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}
const discover = { id: 1, method: 'server/discover', params: { _meta } }
const linesOf = (messages: object[]) =>
  messages.map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`).join('')

describe('a program without the SDK of the second era', () => {
  let bin: Bin
  beforeAll(async () => {
    bin = await openBin()
    const whole = await bin.run(['stdio'], { input: linesOf([discover]) })
    expect(whole.stdout).toContain('"supportedVersions":["2026-07-28"]')
    const chunks = join(dirname(bin.main), 'chunks')
    const later = readdirSync(chunks).filter((file) =>
      readFileSync(join(chunks, file), 'utf8').includes('PerRequestHTTPServerTransport'),
    )
    expect(later.length).toBeGreaterThan(0)
    for (const file of later) rmSync(join(chunks, file))
  })
  afterAll(() => bin.remove())

  it('serves the first era over stdio all the same, because it never loads it', async () => {
    const { code, stdout } = await bin.run(['stdio'], { input: linesOf(first) })
    const answers = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect([code, answers.map(({ id, error }) => [id, error])]).toEqual([
      0,
      [1, 2, 3].map((id) => [id, undefined]),
    ])
    const { stdout: none } = await bin.run(['stdio'], { input: linesOf([discover]) })
    expect(none).not.toContain('supportedVersions')
  })

  it('serves the first era over HTTP all the same', async () => {
    const server = spawn(process.execPath, [bin.main, 'serve', '--port', '0', '--data', bin.dataDir])
    try {
      let stdout = ''
      for await (const chunk of server.stdout) {
        stdout += chunk
        if (stdout.includes('Ctrl-C')) break
      }
      const url = /MCP +(http:\S+\/mcp)/.exec(stdout)?.[1] ?? ''
      const key = readFileSync(join(bin.dataDir, 'admin.key'), 'utf8').trim()
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
      for (const message of [first[2], first[3]]) {
        const body = JSON.stringify({ jsonrpc: '2.0', ...message })
        const answer = await fetch(url, { method: 'POST', headers, body })
        expect([answer.status, await answer.json()]).toEqual([
          200,
          expect.objectContaining({ result: expect.any(Object) }),
        ])
      }
    } finally {
      server.kill('SIGKILL')
    }
  })
})
