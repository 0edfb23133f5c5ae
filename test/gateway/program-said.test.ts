import { afterEach, describe, expect, it } from 'vitest'
import { inheritedEnvironment } from '../../src/config.ts'
import { makeHiding } from '../../src/gateway/program/hide.ts'
import { makeLines } from '../../src/gateway/program/lines.ts'
import { openProgram } from '../../src/gateway/program/open.ts'
import { makeBudget } from '../../src/gateway/program/said.ts'
import { endPrograms, fixture, readableLog, script, soon, talkToProgram } from './program.ts'

afterEach(endPrograms)

describe('what a program says on its standard error', () => {
  it('is in our log line by line, under the name of its server', async () => {
    const { initialize, tool, lines } = await talkToProgram({})
    await initialize()
    await tool('log', { line: 'grüße \u001b[31m%s %d %o', lines: 3 })
    const told = () => lines().filter(({ stream }) => stream === 'stderr')
    await soon(() => told().length === 3)
    expect(told()[1]).toMatchObject({ level: 'info', server: 'test', msg: 'grüße \u001b[31m%s %d %o 1' })
  })

  it('is cut at 2 KiB a line, and held back from 50 lines a second on, with the number of the rest', async () => {
    const { lines } = await talkToProgram(
      script(`
        process.stderr.write('x'.repeat(100_000) + '\\n')
        for (let n = 1; n < 5_000; n++) process.stderr.write('line ' + n + '\\n')
        setInterval(() => {}, 1000)`),
    )
    await soon(() => lines().some(({ dropped }) => dropped !== undefined))
    const told = lines().filter(({ stream }) => stream === 'stderr')
    expect(told).toHaveLength(50)
    expect(told[0]!.msg).toBe('x'.repeat(2_048))
    const dropped = lines().reduce((sum, { dropped }) => sum + Number(dropped ?? 0), 0)
    expect(dropped).toBe(4_950)
  })

  it('never holds a value of its environment, whole, escaped, by lines, or where a line is cut', async () => {
    const key = '-----BEGIN KEY-----\nMIIEvgIBADANBgkqhkiG9w0\nBAQEFAASCBKgwggSkAgEAAoIB\n-----END KEY-----'
    const env = { TOKEN: 'value-of-the-token', JSON: '{"pass":"w0rd of it"}', KEY: key, SHORT: 'yes' }
    const { lines } = await talkToProgram({
      ...script(`
        const { TOKEN, JSON: json, KEY } = process.env
        for (const value of [TOKEN, json, KEY]) {
          console.error('it is', value, 'yes')
          console.error(JSON.stringify({ value }))
          console.error('x'.repeat(2_040) + value + 'x'.repeat(100_000))
          console.log('on output', value)
        }
        setInterval(() => {}, 1000)`),
      env,
    })
    await soon(() => lines().filter(({ said }) => said !== undefined).length >= 5)
    await soon(() => lines().filter(({ stream }) => stream === 'stderr').length >= 15)
    const all = JSON.stringify(lines())
    expect(all).toContain('it is *** yes')
    expect(all).toContain('on output ***')
    for (const part of ['value-of', 'w0rd', 'MIIE', 'BAQE', 'BEGIN']) expect(all).not.toContain(part)
  })

  it.each([
    ['standard error', 'yes 1>&2'],
    ['output', `yes '{"jsonrpc":"2.0","method":"notifications/message","params":{}}'`],
  ])('in a flood of its %s slows down only the program that makes it', async (_, flood) => {
    const { log } = readableLog()
    const flooding = await openProgram(
      { slug: 'flood', env: {}, command: 'sh', args: ['-c', flood] },
      { allowed: true, inherited: inheritedEnvironment(), log, budget: makeBudget(log, 'flood') },
    )({ message() {}, failed() {}, closed() {} })
    const other = await talkToProgram({})
    await other.initialize()
    const waits: number[] = []
    for (let n = 0; n < 40; n++) {
      const began = performance.now()
      await other.tool('echo', { text: 'x' })
      waits.push(performance.now() - began)
    }
    waits.sort((a, b) => a - b)
    await flooding.close()
    expect(waits[20]).toBeLessThan(100)
  })
})

describe('R34: the environment of a program', () => {
  const foreign = {
    TOKENWRIGHT_SECRET: 'a',
    TOKENWRIGHT_DATABASE_URL: 'b',
    NODE_OPTIONS: '--require=/tmp/evil.js',
    LD_PRELOAD: '/tmp/evil.so',
    DYLD_INSERT_LIBRARIES: '/tmp/evil.dylib',
    PYTHONPATH: '/tmp/evil',
    NODE_PATH: '/tmp/evil',
    AWS_SECRET_ACCESS_KEY: 'c',
    TERM: '() { :; }; touch /tmp/evil',
  }
  const posix = ['HOME', 'LANG', 'LC_ALL', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'TMPDIR', 'TZ', 'USER']

  it('is a short list of ours and what its entry says, and nothing that loads code', async () => {
    const inherited = inheritedEnvironment('linux', { ...process.env, ...foreign })
    const { initialize, tool } = await talkToProgram(
      // As if the row had been written by something else than an operation.
      {
        env: {
          OF_ENTRY: 'grüße',
          TZ: 'Europe/Berlin',
          NODE_OPTIONS: '--bad',
          LD_LIBRARY_PATH: '/',
          PATH: '/',
        },
      },
      { inherited },
    )
    await initialize()
    const env = JSON.parse(await tool('env')) as Record<string, string>
    expect(env).toMatchObject({ OF_ENTRY: 'grüße', TZ: 'Europe/Berlin', PATH: process.env['PATH'] })
    const more = Object.keys(env).filter((name) => name !== 'OF_ENTRY' && !posix.includes(name))
    expect(more).toEqual([])
    expect(env['TERM']).toBeUndefined()
  })

  it('finds a program by our path', async () => {
    const { initialize } = await talkToProgram({ command: 'node', args: fixture.args })
    expect(await initialize()).toHaveProperty('result')
  })

  it('holds on Windows what programs need there', () => {
    expect(inheritedEnvironment('win32', { SYSTEMROOT: 'C:\\Windows', HOME: '/', ...foreign })).toEqual({
      SYSTEMROOT: 'C:\\Windows',
    })
  })
})

describe('lines', () => {
  const cut = (chunks: Buffer[], longest: number): string[] => {
    const heard: string[] = []
    const take = makeLines(
      { line: (bytes) => heard.push(bytes.toString()), tooLong: (start) => heard.push(`! ${start}`) },
      longest,
    )
    for (const chunk of chunks) take(chunk)
    return heard
  }

  it('are the same however the stream is cut', () => {
    const text = ['', 'a', 'bcd', '', 'x'.repeat(20), 'grüße', 'y'.repeat(21), 'z', 'rest'].join('\n')
    const bytes = Buffer.from(text)
    const expected = ['', 'a', 'bcd', '', 'x'.repeat(20), 'grüße', `! ${'y'.repeat(20)}`, 'z']
    for (let size = 1; size <= bytes.length; size++) {
      const chunks: Buffer[] = []
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
      expect([size, cut(chunks, 20)]).toEqual([size, expected])
    }
  })

  it('of many single bytes cost no more than they hold', () => {
    const began = performance.now()
    const one = Buffer.from('x')
    expect(cut([...Array(1_000_000).fill(one), Buffer.from('\n')], 2_000_000)[0]).toHaveLength(1_000_000)
    expect(performance.now() - began).toBeLessThan(5_000)
  })
})

describe('hiding', () => {
  it.each([
    ['a value in the midst', ['secret-value'], 'a secret-value b', 'a *** b'],
    ['the longer of two that begin alike', ['secret-1', 'secret-123'], 'secret-123 secret-1', '*** ***'],
    ['values side by side', ['abcdefgh'], 'abcdefghabcdefgh', '******'],
    ['nothing of seven characters', ['abcdefg'], 'abcdefg', 'abcdefg'],
    ['nothing that only begins alike', ['abcdefgh1'], 'abcdefgh2', 'abcdefgh2'],
  ])('finds %s', (_, values, text, told) => {
    expect(makeHiding(values).show(text, 100)).toBe(told)
  })

  it('costs no more for many and long values', () => {
    const hiding = makeHiding([...Array(100).keys()].map((n) => `${n} ${'x'.repeat(16_000)}`))
    const began = performance.now()
    for (let n = 0; n < 50; n++) hiding.show('0 xxxxxxx '.repeat(200), 2_048)
    expect(performance.now() - began).toBeLessThan(500)
  })
})
