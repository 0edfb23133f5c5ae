import { existsSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { UpstreamFault } from '../../src/gateway/conduit.ts'
import { openProgram } from '../../src/gateway/program/open.ts'
import { makeBudget } from '../../src/gateway/program/said.ts'
import { problemOf } from './conversation.ts'
import {
  endPrograms,
  fixture,
  isAlive,
  readableLog,
  scratch,
  script,
  soon,
  talkToProgram,
} from './program.ts'

const files = scratch()
afterEach(endPrograms)
afterAll(() => files.remove())

/** Answers `initialize` and leaves the rest to the script. */
const server = (rest: string) => `
  import { createInterface } from 'node:readline'
  const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n')
  createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method, params } = JSON.parse(line)
    if (method === 'initialize') return say({ id, result: {} })
    ${rest}
  })`

describe('a conversation with a program', () => {
  it('carries messages both ways, whatever they hold', async () => {
    const { initialize, tool, ask, heard } = await talkToProgram({})
    expect(await initialize()).toMatchObject({ result: { serverInfo: { name: 'fixture' } } })
    const texts = ['', 'grüße 🦊\u2028\u0000\n\r\n"\\', '\ud800', 'x'.repeat(7 * 1024 * 1024)]
    for (const text of texts) expect(await tool('echo', { text })).toBe(text)
    await ask('tools/call', { name: 'progress', arguments: { steps: 2 }, _meta: { progressToken: 7 } })
    const progress = heard.messages.filter(({ message }) => 'method' in message)
    expect(progress.map(({ message }) => message)).toMatchObject([
      { method: 'notifications/progress', params: { progressToken: 7, progress: 1 } },
      { method: 'notifications/progress', params: { progressToken: 7, progress: 2 } },
    ])
  })

  it('reads a message that comes byte by byte, and several that come at once', async () => {
    const { ask, heard } = await talkToProgram(
      script(`
        const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { said: 'grüße 🦊' } }) + '\\n')
        process.stdin.once('data', async () => {
          for (const byte of bytes) {
            process.stdout.write(Buffer.from([byte]))
            await new Promise((resolve) => setTimeout(resolve, 2))
          }
          const two = [1, 2].map((n) => ({ jsonrpc: '2.0', method: 'notifications/n', params: { n } }))
          process.stdout.write(two.map((one) => JSON.stringify(one) + '\\r\\n').join('') + JSON.stringify(two) + '\\n')
        })`),
    )
    expect(await ask('tools/list')).toMatchObject({ result: { said: 'grüße 🦊' } })
    await soon(() => heard.messages.length === 5)
    expect(heard.messages.slice(1).map(({ message }) => (message as { params?: object }).params)).toEqual([
      { n: 1 },
      { n: 2 },
      { n: 1 },
      { n: 2 },
    ])
  })

  it('R34: metacharacters of a shell arrive literally and run nothing', async () => {
    const canary = files.path('shell')
    const args = [
      `; touch ${canary}`,
      `$(touch ${canary})`,
      `\`touch ${canary}\``,
      `&& touch ${canary}`,
      `| touch ${canary}`,
      `> ${canary}`,
      '*',
      '~',
      '$HOME',
      '%PATH%',
      "it's",
      '"quoted"',
      '\\',
      'two\nlines',
      '',
    ]
    const { initialize, tool } = await talkToProgram({ args: [...fixture.args, ...args] })
    await initialize()
    expect(JSON.parse(await tool('argv'))).toEqual(args)
    await expect(talkToProgram({ command: `touch ${canary}`, args: [] })).rejects.toThrow('ENOENT')
    await expect(talkToProgram({ command: `sh -c "touch ${canary}"`, args: [] })).rejects.toThrow('ENOENT')
    expect(existsSync(canary)).toBe(false)
  })

  it('starts in the root of the file system, where nobody else can put what would be run', async () => {
    const { initialize, tool } = await talkToProgram({})
    await initialize()
    expect(await tool('cwd')).toBe('/')
  })

  it.each([
    ['is not there', { command: 'tokenwright-no-such-program', args: [] }, 'ENOENT'],
    ['is a folder', { command: '/', args: [] }, 'EACCES'],
    ['has a name with a NUL', { command: 'a\0b', args: [] }, 'ERR_INVALID_ARG_VALUE'],
    ['has an argument with a NUL', { args: ['secret-argument\0'] }, 'ERR_INVALID_ARG_VALUE'],
    ['has too many arguments', { args: ['a'.repeat(4 * 1024 * 1024)] }, 'E2BIG'],
  ])('R34: a program that %s is a fault, whose words hold nothing of it', async (_, target, code) => {
    const fault = await talkToProgram(target).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(fault).toBeInstanceOf(UpstreamFault)
    expect(fault).toMatchObject({
      problem: 'crashed',
      message: `Its program cannot be started (${code}).`,
    })
  })

  it('a program that may not be run is a fault', async () => {
    const plain = files.path('plain')
    writeFileSync(plain, 'no program', { mode: 0o600 })
    await expect(talkToProgram({ command: plain, args: [] })).rejects.toThrow('EACCES')
  })

  it('R34: without the permission of the operator nothing runs', async () => {
    const canary = files.path('not-allowed')
    const { log } = readableLog()
    const open = openProgram(
      { slug: 'test', command: 'touch', args: [canary], env: {} },
      { allowed: false, inherited: {}, log, budget: makeBudget(log, 'test') },
    )
    const hears = { message() {}, failed() {}, closed() {} }
    await expect(open(hears)).rejects.toMatchObject({ problem: 'commands_off' })
    expect(existsSync(canary)).toBe(false)
  })
})

describe('a program that ends', () => {
  it.each([
    ['with a code', { code: 7 }, 'exit code 7'],
    ['with success', { code: 0 }, 'exit code 0'],
    ['by a signal', { signal: 'SIGSEGV' }, 'signal SIGSEGV'],
  ])('%s closes the conversation, once, and says how', async (_, how, said) => {
    const { initialize, ask, heard, conduit } = await talkToProgram({})
    await initialize()
    const outcome = await ask('tools/call', { name: 'crash', arguments: how })
    expect(outcome).toEqual({ problem: 'crashed', message: `It ended with ${said}.` })
    await expect(conduit.send({ jsonrpc: '2.0', id: 9, method: 'ping' })).rejects.toThrow(said)
    await conduit.close()
    await conduit.close()
    expect(heard.closed).toHaveLength(1)
  })

  it('is heard to its last word', async () => {
    const { initialize, ask, heard, until } = await talkToProgram(
      script(
        server(
          `say({ id, result: { last: 'x'.repeat(50_000) } }); process.exitCode = 4; process.stdin.destroy()`,
        ),
      ),
    )
    await initialize()
    expect(await ask('tools/list')).toMatchObject({ result: { last: 'x'.repeat(50_000) } })
    await until(({ closed }) => closed.length === 1)
    expect(heard.closed[0]!.message).toBe('It ended with exit code 4.')
  })

  it('while much is written to it ends nothing else', async () => {
    const { conduit, until } = await talkToProgram(script('setTimeout(() => process.exit(3), 100)'))
    const sent = await Promise.allSettled(
      [...Array(100).keys()].map((id) =>
        conduit.send({ jsonrpc: '2.0', id, method: 'x', params: { text: 'x'.repeat(100_000) } }),
      ),
    )
    expect(sent.every(({ status }) => status === 'fulfilled')).toBe(true)
    await until(({ closed }) => closed.length === 1)
  })

  it.each([
    ['its input', "import { closeSync } from 'node:fs'; closeSync(0); setInterval(() => {}, 1000)"],
    ['its output', "import { closeSync } from 'node:fs'; closeSync(1); setInterval(() => {}, 1000)"],
  ])('by halves, closing %s, is ended', async (_, text) => {
    const { conduit, until, heard, pid } = await talkToProgram(script(text))
    const send = () => conduit.send({ jsonrpc: '2.0', method: 'notifications/x' }).catch(() => {})
    const timer = setInterval(send, 50)
    await until(({ closed }) => closed.length === 1, 4_000).finally(() => clearInterval(timer))
    expect(heard.closed[0]!.problem).toBe('crashed')
    await soon(() => !isAlive(pid))
  })
})

describe('a program that speaks no MCP', () => {
  it('may show a banner, which goes to the log', async () => {
    const banner = 'for (let n = 0; n < 20; n++) console.log("Starting ...", n, "");'
    const { initialize, lines } = await talkToProgram(script(banner + server('')))
    expect(await initialize()).toMatchObject({ result: {} })
    const said = lines().filter(({ level }) => level === 'warn')
    expect(said).toHaveLength(20)
    expect(said[0]).toMatchObject({ server: 'test', said: 'Starting ... 0' })
  })

  it.each([
    [
      '21 lines in a row that are none',
      'for (let n = 0; n < 21; n++) console.log("no"); setInterval(() => {}, 99)',
      'garbage',
    ],
    ['blank lines without end', 'setInterval(() => console.log(""), 1)', 'garbage'],
    [
      '64 KiB of something else first',
      'console.log("x".repeat(65_537)); setInterval(() => {}, 99)',
      'garbage',
    ],
    ['JSON that is no JSON-RPC', 'setInterval(() => console.log("{}\\n[]\\n1\\nnull\\n[{}]"), 1)', 'garbage'],
    [
      'other versions',
      `setInterval(() => console.log('{"jsonrpc":"1.0","id":1,"result":{}}'), 1)`,
      'garbage',
    ],
    [
      'bytes that are no text',
      'setInterval(() => process.stdout.write(Buffer.from([255, 254, 10])), 1)',
      'garbage',
    ],
    ['a line of 10 MiB', 'console.log("x".repeat(10 * 1024 * 1024)); setInterval(() => {}, 99)', 'too_large'],
    [
      'a line without end',
      'setInterval(() => process.stdout.write("x".repeat(1024 * 1024)), 1)',
      'too_large',
    ],
    ['a message of 65 levels', 'console.log("{\\"a\\":".repeat(65)); setInterval(() => {}, 99)', 'too_large'],
    [
      'a message of 200,001 members',
      'console.log(`{"jsonrpc":"2.0","id":1,"result":{"a":[${"1,".repeat(200_000)}1]}}`); setInterval(() => {}, 99)',
      'too_large',
    ],
  ])('is ended after %s', async (_, text, problem) => {
    const { until, heard, pid } = await talkToProgram(script(text))
    await until(({ closed }) => closed.length === 1, 10_000)
    expect(heard.closed[0]!.problem).toBe(problem)
    expect(heard.messages).toEqual([])
    await soon(() => !isAlive(pid))
  })

  it('is ended in the midst of a call, and the listener hears nothing after that', async () => {
    const { initialize, ask, heard } = await talkToProgram({})
    await initialize()
    expect(problemOf(await ask('tools/call', { name: 'garbage', arguments: { lines: 1_000 } }))).toBe(
      'garbage',
    )
    const count = heard.messages.length
    const other = await talkToProgram({})
    await other.initialize()
    expect(problemOf(await other.ask('tools/call', { name: 'flood', arguments: {} }))).toBe('too_large')
    expect(heard.messages).toHaveLength(count)
  })

  it('is tolerated now and then between messages', async () => {
    const { initialize, tool } = await talkToProgram({})
    await initialize()
    for (let n = 0; n < 5; n++) expect(await tool('garbage', { lines: 20 })).toBe('said')
  })
})

describe('a program that does not listen', () => {
  it('never reading its input keeps a bounded queue, and ends when it is told to', async () => {
    const { conduit, pid } = await talkToProgram(script('setInterval(() => {}, 1000)'))
    const text = 'x'.repeat(1024 * 1024)
    const send = (id: number) => conduit.send({ jsonrpc: '2.0', id, method: 'x', params: { text } })
    let sent = 0
    for (; sent < 20; sent++) {
      const problem = await send(sent).then(
        () => undefined,
        (fault: UpstreamFault) => fault.problem,
      )
      if (problem === undefined) continue
      expect(problem).toBe('busy')
      break
    }
    expect(sent).toBeGreaterThan(13)
    expect(sent).toBeLessThan(18)
    const began = performance.now()
    await conduit.close()
    expect(performance.now() - began).toBeLessThan(2_000)
    expect(isAlive(pid)).toBe(false)
  })

  it('ignoring SIGTERM is ended all the same', async () => {
    const { initialize, conduit, pid } = await talkToProgram({ args: [...fixture.args, '--deaf', '--stays'] })
    await initialize()
    const began = performance.now()
    await conduit.close()
    expect(performance.now() - began).toBeGreaterThan(2_000)
    expect(performance.now() - began).toBeLessThan(3_000)
    expect(isAlive(pid)).toBe(false)
  })

  it('has time to end in order, and is not heard meanwhile', async () => {
    const done = files.path('done')
    const { initialize, conduit, heard, pid } = await talkToProgram(
      script(`
        import { writeFileSync } from 'node:fs'
        process.on('SIGTERM', () => setTimeout(() => {
          say({ method: 'notifications/bye' })
          writeFileSync(${JSON.stringify(done)}, 'done')
          process.exit(0)
        }, 300))
        setInterval(() => {}, 1000)
        ${server('')}`),
    )
    await initialize()
    await conduit.close()
    expect(existsSync(done)).toBe(true)
    expect(isAlive(pid)).toBe(false)
    expect(heard.messages).toHaveLength(1)
    expect(heard.closed).toEqual([])
  })
})

describe('what a program started itself', () => {
  it('is ended with it, though it ignores SIGTERM', async () => {
    const { initialize, tool, conduit } = await talkToProgram({})
    await initialize()
    const grandchild = Number(await tool('grandchild'))
    expect(isAlive(grandchild)).toBe(true)
    await conduit.close()
    await soon(() => !isAlive(grandchild))
  })

  it('is ended after it crashed', async () => {
    const { initialize, tool, ask } = await talkToProgram({})
    await initialize()
    const grandchild = Number(await tool('grandchild'))
    expect(problemOf(await ask('tools/call', { name: 'crash', arguments: {} }))).toBe('crashed')
    expect(await soon(() => !isAlive(grandchild))).toBeLessThan(3_500)
  })

  it('does not keep a conversation open whose program is gone, though it holds its streams', async () => {
    const { until, heard } = await talkToProgram(
      script(`
        import { spawn } from 'node:child_process'
        spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })
        setTimeout(() => process.exit(5), 200)`),
    )
    await until(({ closed }) => closed.length === 1, 3_000)
    expect(heard.closed[0]!.message).toBe('It ended with exit code 5.')
  })
})

describe('who listens to a program', () => {
  it('may fail at a message without harm to the process or the conversation', async () => {
    const { log, lines } = readableLog()
    let count = 0
    const conduit = await openProgram(
      { slug: 'test', env: {}, ...script(server('say({ id, result: {} })')) },
      { allowed: true, inherited: {}, log, budget: makeBudget(log, 'test') },
    )({
      message() {
        count += 1
        if (count === 1) throw new Error('a mistake of ours')
      },
      failed() {},
      closed() {},
    })
    for (const id of [1, 2]) await conduit.send({ jsonrpc: '2.0', id, method: 'tools/list' })
    await soon(() => count === 2)
    expect(lines().filter(({ level }) => level === 'error')).toHaveLength(1)
    await conduit.close()
  })
})
