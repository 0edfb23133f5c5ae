import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { offered } from '../../../src/cli/catalog.ts'
import { operations } from '../../../tools/index.ts'
import { type Bin, openBin } from '../../cli/bin.ts'
import { openServing, type Running } from '../../http/serving.ts'
import { database } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'

describe('starting the server of the Enkrypt dialect', () => {
  let bin: Bin
  beforeAll(async () => {
    bin = await openBin()
  })
  afterAll(() => bin.remove())

  /** Starts `tokenwright serve`; resolves with what it printed until it was up. */
  async function start(...flags: string[]): Promise<{ server: ChildProcess; printed: string }> {
    const server = spawn(process.execPath, [bin.main, 'serve', '--data', bin.dataDir, ...flags])
    let printed = ''
    for await (const chunk of server.stdout) {
      printed += chunk
      if (printed.includes('Ctrl-C')) break
    }
    return { server, printed }
  }
  async function stop(server: ChildProcess): Promise<void> {
    const ended = once(server, 'exit')
    server.kill('SIGTERM')
    await ended
  }
  const list = (host: string, port: number) =>
    fetch(`http://${host}:${port}/api/v1/configs`, {
      headers: { authorization: `Bearer ${readFileSync(join(bin.dataDir, 'admin.key'), 'utf8').trim()}` },
    })

  it(`${verifies('enkrypt:system:start:address')} --host and --port say where it listens, and it listens nowhere else`, async () => {
    const port = await free(9_000)
    const { server, printed } = await start('--host', '127.0.0.1', '--port', String(port))
    try {
      expect(printed).toContain(`http://127.0.0.1:${port}`)
      expect((await list('127.0.0.1', port)).status).toBe(200)
      expect(await reachable('127.0.0.2', port)).toBe(false)
    } finally {
      await stop(server)
    }
    const other = await start('--host', '127.0.0.2', '--port', String(port))
    try {
      expect((await list('127.0.0.2', port)).status).toBe(200)
      expect(await reachable('127.0.0.1', port)).toBe(false)
    } finally {
      await stop(other.server)
    }
  })

  it(`${verifies('enkrypt:system:start:address')} without flags it is 127.0.0.1:8787: it says so, and goes there`, async () => {
    const { stdout } = await bin.run(['serve', '--help'])
    expect(stdout).toMatch(/--host <address>[^-]*\(default: 127\.0\.0\.1\)/)
    expect(stdout).toMatch(/--port <port>[^-]*\(default: 8787\)/)
    // Where something is listening already, it is that very address which is taken.
    const taken = await occupy(8_787)
    try {
      const refused = await bin.run(['serve', '--log-level', 'silent'])
      expect(refused).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('port 8787 is in use'),
      })
    } finally {
      taken?.close()
    }
    if (taken === undefined) return
    await once(taken, 'close')
    const { server, printed } = await start()
    try {
      expect(printed).toContain('http://127.0.0.1:8787/')
      expect((await list('127.0.0.1', 8_787)).status).toBe(200)
    } finally {
      await stop(server)
    }
  })
})

describe('the command line and HTTP', () => {
  let bin: Bin
  let running: Running
  beforeAll(async () => {
    bin = await openBin()
    running = await openServing(database('sqlite'))
  })
  afterAll(async () => {
    await running.close()
    bin.remove()
  })

  /** Commands about the process or the caller's own machine; they are no operations. */
  const local = ['serve', 'stdio', 'scan', 'client-config', 'version', 'key generate', 'help']
  /** Commands that are an operation under another name. */
  const renamed: Record<string, string> = {
    'key create': 'create_management_key',
    'key list': 'list_management_keys',
    'key revoke': 'revoke_management_key',
    'settings get': 'get_settings',
    'settings set': 'update_settings',
    'audit verify': 'verify_audit',
    'audit list': 'list_audit_events',
    backup: 'create_backup',
    restore: 'restore_backup',
    claim: 'redeem_link',
  }

  /** Every command, those below another one as two words, as the help shows them. */
  async function commands(...above: string[]): Promise<string[]> {
    const { stdout } = await bin.run([...above, '--help'])
    const listed = stdout.slice(stdout.indexOf('Options:')).split('\n')
    const names = listed.flatMap((line) => /^ {2}([a-z][a-z-]*)(?: |$)/.exec(line)?.[1] ?? [])
    const groups = above.length === 0 ? ['key', 'settings', 'audit'] : []
    const below = await Promise.all(groups.map((name) => commands(name)))
    return [
      ...names.filter((name) => !groups.includes(name)).map((name) => [...above, name].join(' ')),
      ...below.flat(),
    ]
  }

  it(`${verifies('enkrypt:parity:cli:all')} every command that is an operation is a route below /v1, and every operation of the command line has a command`, async () => {
    const names = (await commands()).filter((name) => !local.includes(name) && !name.endsWith(' help'))
    expect(names.length).toBeGreaterThan(50)
    const operationOf = (name: string) => renamed[name] ?? name.replaceAll('-', '_')
    const headers = { authorization: `Bearer ${running.adminKey}`, 'content-type': 'application/json' }
    const route = async (name: string) =>
      (await running.send(`/v1/${name}`, { method: 'POST', headers, body: '{broken' })).status
    expect(await route('no_such_operation')).toBe(404)
    for (const name of names) {
      // It takes e-mail and password in the body, so it stands where its own contract has it.
      if (name === 'generate-mcp-token') {
        const sent = await running.send('/public/generate-mcp-token', { method: 'POST', body: '{broken' })
        expect(sent.status).toBe(400)
        continue
      }
      expect([name, await route(operationOf(name))]).toEqual([name, 400])
    }
    const reached = new Set(names.map(operationOf))
    const missing = operations.filter(offered).filter(({ name }) => !reached.has(name))
    expect(missing.map(({ name }) => name)).toEqual([])
  })
})

/** The port if it is free, else another one that is. */
async function free(port: number): Promise<number> {
  const server = (await occupy(port)) ?? (await occupy(0))
  if (server === undefined) throw new Error('no port is free')
  const found = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return found.port
}

/** Listens there; undefined = something else does. */
function occupy(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}

function reachable(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
