import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { PassThrough, Writable } from 'node:stream'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Role } from '../../src/core/permissions.ts'
import { makeLog } from '../../src/log.ts'
import { makeProduct } from '../../src/mcp/product.ts'
import { serveStdio } from '../../src/mcp/stdio.ts'
import type { Surface } from '../../src/mcp/surface.ts'
import { operations } from '../../tools/index.ts'
import { redeem_link } from '../../tools/system/redeem_link.ts'
import { database } from '../support/databases.ts'
import { type Instance, openInstance } from '../support/instance.ts'
import { holdLock, initialize, listCall, rpcCall, until } from './server.ts'

interface Answer {
  id: number | null
  result?: { tools?: { name: string }[]; structuredContent?: Record<string, never>; isError?: boolean }
  error?: { code: number; message: string }
}

let instance: Instance
beforeEach(async () => {
  instance = await openInstance(database('sqlite'))
})
afterEach(() => instance.close())

/** The loop of a stdio process, over streams a test holds the other ends of. */
function serving({
  role = 'operator' as Role,
  stdout = new PassThrough() as Writable,
  readOnly = false,
  differs = {} as Partial<Surface>,
} = {}) {
  const stdin = new PassThrough()
  const lines: string[] = []
  let text = ''
  stdout.on('data', (chunk) => {
    text += chunk
    lines.splice(0, lines.length, ...text.split('\n').slice(0, -1))
  })
  const log = makeLog('debug', { write: (line) => instance.log.push(line) })
  const { core } = instance
  const done = serveStdio({
    surface: { ...makeProduct(core, { toolsets: [], readOnly, version: '1' }), ...differs },
    role,
    user: 'tester',
    log,
    stdin,
    stdout,
  })
  return {
    stdin,
    done,
    /** What was written, every line parsed. */
    answers: () => lines.map((line) => JSON.parse(line) as Answer),
    send: (...messages: unknown[]) => {
      for (const message of messages)
        stdin.write(typeof message === 'string' ? message : `${JSON.stringify(message)}\n`)
    },
    async answered(count: number) {
      await until(() => lines.length >= count)
      return lines.map((line) => JSON.parse(line) as Answer)
    },
  }
}

describe('the stdio loop', () => {
  it('answers what came before the end of the input, a call in flight included, and then resolves', async () => {
    const { stdin, send, answers, done } = serving()
    const lock = holdLock(instance)
    send(initialize, rpcCall(1, 'create_token', { name: 'late' }), JSON.stringify({ ...listCall, id: 2 }))
    stdin.end()
    setTimeout(lock.release, 300)
    await done
    expect(
      answers()
        .map(({ id }) => id)
        .sort(),
    ).toEqual([0, 1, 2])
    expect(answers().some(({ result }) => result?.structuredContent !== undefined)).toBe(true)
  })

  it('R17: gives a call up after 5 s of draining, and says so', async () => {
    const { stdin, send, answers, done } = serving()
    // Held longer than the store waits, and the drain is shorter than that.
    const lock = holdLock(instance)
    send(rpcCall(1, 'create_token', { name: 'never' }))
    const started = Date.now()
    stdin.end()
    await done
    expect(Date.now() - started).toBeLessThan(6_500)
    expect(answers()).toHaveLength(1)
    expect(answers()[0]?.result?.isError === true || answers()[0]?.error?.code === -32000).toBe(true)
    lock.release()
  })

  it('R17: a cancelled call is answered with an error at once', async () => {
    const { stdin, send, answered, done } = serving()
    const lock = holdLock(instance)
    send(rpcCall(1, 'create_token', { name: 'slow' }))
    send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } })
    expect(await answered(1)).toMatchObject([{ id: 1, error: { code: -32800 } }])
    lock.release()
    stdin.end()
    await done
  })

  it('runs calls beside each other: a read does not wait for a change that waits', async () => {
    const { stdin, send, answered, done } = serving()
    const lock = holdLock(instance)
    send(rpcCall(1, 'create_token', { name: 'slow' }), rpcCall(2, 'list_magic_tokens'))
    expect(await answered(1)).toMatchObject([{ id: 2 }])
    lock.release()
    expect(await answered(2)).toMatchObject([{ id: 2 }, { id: 1 }])
    stdin.end()
    await done
  })

  it('R24: a line over 256 KiB is refused and skipped, one below is read, and the loop goes on', async () => {
    const { stdin, send, answered, done } = serving()
    const padded = (size: number) => `${JSON.stringify(listCall).padEnd(size, ' ')}\n`
    send(padded(256 * 1024))
    expect(await answered(1)).toMatchObject([{ id: 1, result: {} }])
    send(padded(256 * 1024 + 1), 'x'.repeat(3 * 1024 * 1024), '\n', listCall)
    expect(await answered(4)).toMatchObject([
      {},
      { id: null, error: { code: -32600 } },
      { id: null, error: { code: -32600 } },
      { id: 1 },
    ])
    stdin.end()
    await done
  })

  it('R24: batches, broken JSON, broken UTF-8, deep nesting and other objects are refused one by one', async () => {
    const { stdin, send, answered, done } = serving()
    send([listCall, listCall], '{"a\n', `${'['.repeat(33)}${']'.repeat(33)}\n`, { hello: 1 }, '\n', ' \r\n')
    stdin.write(Buffer.from([0x22, 0xff, 0x22, 0x0a]))
    send(listCall)
    expect((await answered(6)).map(({ id, error }) => [id, error?.code])).toEqual([
      [null, -32600],
      [null, -32700],
      [null, -32600],
      [null, -32600],
      [null, -32700],
      [1, undefined],
    ])
    stdin.end()
    await done
  })

  it('R54: every line is one JSON object, whatever is in names and arguments', async () => {
    const { stdin, send, answered, done } = serving()
    const nasty = 'a\nb\u001b[31mred\u0000\u2028\r\n{"jsonrpc":"2.0"}'
    send(
      rpcCall(1, 'create_token', { name: nasty }),
      rpcCall(2, 'create_token', { name: 'x', description: 'two\nlines\tand a tab' }),
      rpcCall(3, 'create_token', { [nasty]: 1 }),
      rpcCall(4, nasty),
      { ...initialize, id: 5, params: { ...initialize.params, clientInfo: { name: nasty, version: nasty } } },
    )
    // Parsing is done by `answered`, for every line.
    expect((await answered(5)).map(({ id }) => id).sort()).toEqual([1, 2, 3, 4, 5])
    send(
      rpcCall(6, 'create_token', { name: 'by a client with a nasty name' }),
      rpcCall(7, 'list_audit_events', {}),
    )
    await answered(7)
    for (const line of instance.log) expect(() => JSON.parse(line)).not.toThrow()
    stdin.end()
    await done
  })

  it('a reader that is gone ends the loop quietly', async () => {
    const stdout = new Writable({
      write: (_, __, callback) => callback(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    })
    const { send, done } = serving({ stdout })
    send(listCall)
    await done
  })

  it.each([
    ['admin', 15],
    ['operator', 15],
    ['reader', 7],
  ] as const)(
    'R19: the %s is shown %i tools, and neither initialize nor an argument changes that',
    async (role, count) => {
      const { stdin, send, answered, done } = serving({ role })
      send({ ...initialize, params: { ...initialize.params, role: 'admin', _meta: { role: 'admin' } } })
      send({ ...listCall, params: { role: 'admin' } })
      const [, listed] = await answered(2)
      expect(listed?.result?.tools).toHaveLength(count)
      const hidden = operations.filter(({ faces }) => faces !== undefined && !faces.includes('mcp'))
      expect(hidden.length).toBeGreaterThan(0)
      for (const [at, { name }] of hidden.entries()) {
        send(rpcCall(100 + at, name, { role: 'admin', confirm: true }))
        const answers = await answered(3 + at)
        expect(answers.at(-1), name).toMatchObject({ error: { code: -32602 } })
      }
      stdin.end()
      await done
    },
  )
})

describe('a stdio process', () => {
  const main = new URL('../../src/main.ts', import.meta.url).pathname
  const args = () => ['--import', 'tsx', main, 'stdio', '--data', instance.place.dataDir]

  it('an official client initializes, lists and calls', async () => {
    const client = new Client({ name: 'desk', version: '1' })
    await client.connect(
      new StdioClientTransport({ command: process.execPath, args: args(), stderr: 'ignore' }),
    )
    expect((await client.listTools()).tools).toHaveLength(15)
    const made = await client.callTool({ name: 'create_token', arguments: { name: 'over stdio' } })
    expect(made.structuredContent).toMatchObject({
      token: { name: 'over stdio' },
      delivery: { kind: 'link' },
    })
    await expect(client.callTool({ name: 'no_such_tool' })).rejects.toThrow(/Unknown tool no_such_tool/)
    await client.close()
  })

  it('R7: the whole transcript of create and rotate by link and by file holds no secret, nor 16 characters of one', async () => {
    const child = spawn(process.execPath, args(), { stdio: 'pipe' })
    const talk = transcript(child)
    const secrets: string[] = []
    const redeem = async ({ delivery }: { delivery: { url?: string; code?: string } }) => {
      const code = delivery.code ?? delivery.url?.split('#')[1] ?? ''
      secrets.push((await instance.call('admin', redeem_link, { code })).secret)
    }
    await talk.ask(initialize)
    const made = (await talk.ask(rpcCall(1, 'create_token', { name: 'by link' }))) as never
    await redeem(made)
    const { token } = made as { token: { id: string } }
    await redeem((await talk.ask(rpcCall(2, 'rotate_token', { token_id: token.id }))) as never)
    const filed = await talk.ask(rpcCall(3, 'create_token', { name: 'by file', delivery: 'file' }))
    const { path } = (filed as { delivery: { path: string } }).delivery
    secrets.push(readFileSync(path, 'utf8').trim().replace('MCP_TOKEN=', ''))
    await talk.ask(rpcCall(4, 'get_token', { token_id: token.id }))
    await talk.ask(rpcCall(5, 'list_audit_events', {}))
    child.stdin.end()
    const [exit] = await once(child, 'exit')
    expect(exit).toBe(0)
    expect(secrets).toHaveLength(3)
    for (const secret of secrets) {
      expect(secret).toHaveLength(48)
      for (let at = 0; at + 16 <= secret.length; at++)
        expect(talk.all()).not.toContain(secret.slice(at, at + 16))
    }
  })

  it('ends with 0 when its input ends', async () => {
    const child = spawn(process.execPath, args(), { stdio: ['pipe', 'pipe', 'ignore'] })
    child.stdin.end(`${JSON.stringify(listCall)}\n`)
    let out = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    const [exit] = await once(child, 'close')
    expect(exit).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ id: 1, result: { tools: expect.any(Array) } })
  })
})

/** Everything that goes into and comes out of a process, and a way to talk to it. */
function transcript(child: ChildProcess) {
  let all = ''
  let out = ''
  child.stdout?.on('data', (chunk) => {
    all += chunk
    out += chunk
  })
  child.stderr?.on('data', (chunk) => {
    all += chunk
  })
  return {
    all: () => all,
    /** Sends a request and waits for the structured content of its answer. */
    async ask(request: { id: number | string }): Promise<unknown> {
      const line = `${JSON.stringify(request)}\n`
      all += line
      child.stdin?.write(line)
      const answer = () =>
        out
          .split('\n')
          .slice(0, -1)
          .map((text) => JSON.parse(text) as Answer)
          .find(({ id }) => id === request.id)
      // The first answer waits for the program to be read from source.
      await until(() => answer() !== undefined, 30_000)
      return answer()?.result?.structuredContent
    },
  }
}

describe('a store that is away', () => {
  it('R18: a client that wants to follow it then is answered, and the process goes on', async () => {
    const watchable = async () => {
      throw new Error('the store is away')
    }
    const { send, answered, stdin, done } = serving({ differs: { watchable } })
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const notifications = { resourceSubscriptions: ['tokens://expiring'] }
    send({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params: { _meta, notifications } })
    expect(await answered(1)).toMatchObject([{ id: 1, error: { code: -32603, message: 'Internal error' } }])
    stdin.end()
    await done
  })
})
