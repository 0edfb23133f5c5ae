import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bin, openBin, type Run } from './bin.ts'

interface Answer {
  id: number
  result: { tools: { name: string }[]; isError?: boolean; content: { text: string }[] }
}

describe('tokenwright stdio', () => {
  let bin: Bin
  beforeAll(async () => {
    bin = await openBin()
  })
  afterAll(() => bin.remove())

  const hello = {
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
  }
  const call = (name: string, args: object) => ({ method: 'tools/call', params: { name, arguments: args } })

  /** Sends the calls, ends the input and reads every line of standard output as JSON. */
  async function talk(
    flags: string[],
    calls: object[],
    env: Record<string, string> = {},
  ): Promise<Run & { answers: Answer[] }> {
    const messages = [
      { id: 1, ...hello },
      { method: 'notifications/initialized' },
      ...calls.map((one, at) => ({ id: at + 2, ...one })),
    ]
    const input = messages.map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`).join('')
    const run = await bin.run(['stdio', ...flags], { input, env })
    const answers = run.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    return { ...run, answers: answers.sort((a, b) => a.id - b.id) }
  }

  it('answers a client that uses it, then ends with 0 when its input ends', async () => {
    const { code, answers, stderr } = await talk(
      [],
      [{ method: 'tools/list' }, call('create_group', { name: 'Team' })],
    )
    expect(code).toBe(0)
    expect(answers.map((answer) => answer.id)).toEqual([1, 2, 3])
    expect(answers[1]!.result.tools.map((tool) => tool.name)).toContain('create_token')
    expect(answers[2]!.result.isError).not.toBe(true)
    for (const line of stderr.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('level')
  })

  it('R19: policy set on the command line binds a process that was started without flags, and flags cannot widen it', async () => {
    await bin.json(['settings', 'set', 'delivery_kinds', 'link'])
    const inline = call('create_token', { name: 'x', delivery: 'inline' })
    for (const flags of [[], ['--role', 'admin', '--toolsets', 'system']]) {
      const { answers } = await talk(flags, [inline])
      expect(answers[1]!.result.isError).toBe(true)
      expect(answers[1]!.result.content[0]!.text).toMatch(/delivery_kinds/)
    }
    expect(await bin.json(['list-magic-tokens'])).toMatchObject({ tokens: [] })
  })

  it('R19: the role comes from the flag or the environment; reading tools are what a reader gets', async () => {
    const { answers } = await talk(['--role', 'reader'], [call('create_group', { name: 'Nope' })])
    expect(answers[1]!.result?.isError ?? answers[1]).toSatisfy(
      (refused) => refused === true || 'error' in Object(refused),
    )
    const listed = await talk(['--read-only'], [{ method: 'tools/list' }])
    expect(listed.answers[1]!.result.tools.map((tool) => tool.name)).not.toContain('create_token')
    expect(await bin.json(['list-groups'])).toMatchObject({ total: 1 })
  })

  it('refuses a wrong flag or set before it answers anything', async () => {
    expect(await bin.run(['stdio', '--rol', 'admin'])).toMatchObject({ code: 2, stdout: '' })
    expect(await bin.run(['stdio', '--toolsets', 'nope'])).toMatchObject({ code: 2, stdout: '' })
    expect(await bin.run(['stdio'], { env: { TOKENWRIGHT_READ_ONLY: 'maybe' } })).toMatchObject({
      code: 2,
      stderr: 'tokenwright: TOKENWRIGHT_READ_ONLY must be true or false.\n',
    })
  })

  it('the stdio entry of mcp.json.example starts a server from a checkout that is installed', async () => {
    const { mcpServers } = JSON.parse(readFileSync('mcp.json.example', 'utf8'))
    const { command, args } = mcpServers.tokenwright
    const transport = new StdioClientTransport({
      command,
      args,
      env: { PATH: process.env['PATH'] ?? '', TOKENWRIGHT_DATA_DIR: bin.dataDir },
      stderr: 'ignore',
    })
    const client = new Client({ name: 'example', version: '1.0.0' })
    await client.connect(transport)
    expect((await client.listTools()).tools).toHaveLength(15)
    await client.close()
  })

  it('answers the call that is running when it is asked to stop, and exits 0', async () => {
    const child = spawn(process.execPath, [bin.main, 'stdio', '--data', bin.dataDir])
    let stdout = ''
    child.stdout.on('data', (chunk) => (stdout += chunk))
    // Asked to stop as soon as it can hear it, with the call already in the pipe; asked twice, it would not wait.
    child.stdout.once('data', () => child.kill('SIGTERM'))
    const lines = [
      { id: 1, ...hello },
      { id: 2, ...call('create_token', { name: 'last' }) },
    ]
    child.stdin.write(lines.map((line) => `${JSON.stringify({ jsonrpc: '2.0', ...line })}\n`).join(''))
    const [code] = await once(child, 'exit')
    expect(code).toBe(0)
    expect(stdout).toContain('"id":2')
  })
})
