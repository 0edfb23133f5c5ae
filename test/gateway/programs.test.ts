import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { inheritedEnvironment } from '../../src/config.ts'
import { makePrograms, type Programs, type ProgramsOptions } from '../../src/gateway/program/programs.ts'
import { type Bin, openBin } from '../cli/bin.ts'
import { hello, problemOf, talkTo } from './conversation.ts'
import { fixture, isAlive, readableLog, script, soon } from './program.ts'

const opened: Programs[] = []

function open(more: Partial<ProgramsOptions> = {}) {
  const readable = readableLog()
  const programs = makePrograms({
    log: readable.log,
    allowed: true,
    inherited: inheritedEnvironment(),
    ...more,
  })
  opened.push(programs)
  return {
    ...readable,
    programs,
    started: () =>
      readable
        .lines()
        .filter(({ msg }) => msg === 'a program was started')
        .map(({ pid }) => Number(pid)),
  }
}

type Runs = Parameters<Programs['open']>[1]

const runs = (target: { command: string; args: readonly string[] }): Runs => ({
  kind: 'program',
  env: {},
  ...target,
})

afterEach(async () => {
  await Promise.all(opened.splice(0).map((programs) => programs.close()))
})

describe('the programs of a process', () => {
  it('have so many places over all servers, and one that is let go is free again', async () => {
    const { programs } = open({ most: 2 })
    const first = await talkTo(programs.open('a', runs(fixture)))
    await talkTo(programs.open('b', runs(fixture)))
    await expect(talkTo(programs.open('c', runs(fixture)))).rejects.toMatchObject({ problem: 'busy' })
    await first.conduit.close()
    const third = await talkTo(programs.open('c', runs(fixture)))
    expect(await third.initialize()).toHaveProperty('result')
  })

  it('do not start at once again after a crash, and the log says how long that takes', async () => {
    const { programs, lines } = open()
    const crashing = runs(script('process.exit(9)'))
    const waits: number[] = []
    for (let n = 0; n < 3; n++) {
      const { until } = await talkTo(programs.open('a', crashing))
      await until(({ closed }) => closed.length === 1)
      const began = performance.now()
      const refused = await talkTo(programs.open('a', crashing)).catch((fault) => fault)
      expect(performance.now() - began).toBeLessThan(200)
      expect(refused.problem).toBe('crashed')
      waits.push(Number(/in (\d+) ms/.exec(refused.message)?.[1]))
      const other = await talkTo(programs.open('b', runs(fixture)))
      await other.conduit.close()
      await sleep(waits.at(-1)! - (performance.now() - began) + 20)
    }
    for (const [n, pause] of [500, 1_000, 2_000].entries()) {
      expect(waits[n]).toBeLessThanOrEqual(pause)
      expect(waits[n]).toBeGreaterThan(pause / 2)
    }
    const said = lines().filter(({ level }) => level === 'warn')
    expect(said.map(({ server, wait_ms, reason }) => [server, wait_ms, reason])).toEqual(
      [500, 1_000, 2_000].map((pause) => ['a', pause, 'It ended with exit code 9.']),
    )
  })

  it('wait as well where they cannot be started at all, and start at once when that is changed', async () => {
    const { programs } = open()
    const missing = runs({ command: 'tokenwright-no-such-program', args: [] })
    await expect(talkTo(programs.open('a', missing))).rejects.toThrow('ENOENT')
    await expect(talkTo(programs.open('a', missing))).rejects.toThrow(/may start again in \d+ ms/)
    const { initialize } = await talkTo(programs.open('a', runs(fixture)))
    expect(await initialize()).toHaveProperty('result')
  })

  it('do not wait after they were let go, however short they ran', async () => {
    const { programs } = open()
    for (let n = 0; n < 3; n++) {
      const { conduit } = await talkTo(programs.open('a', runs(fixture)))
      await conduit.close()
    }
  })

  it('end within 3 s of the close, all of them, and none starts after it', async () => {
    const { programs, started } = open()
    const deaf = runs({ ...fixture, args: [...fixture.args, '--deaf', '--stays'] })
    const talks = await Promise.all(
      ['a', 'b', 'c'].map((slug) => talkTo(programs.open(slug, slug === 'b' ? runs(fixture) : deaf))),
    )
    await Promise.all(talks.map((talk) => talk.initialize()))
    const pids = started()
    expect(pids.filter(isAlive)).toHaveLength(3)
    const began = performance.now()
    await programs.close()
    expect(performance.now() - began).toBeLessThan(3_000)
    expect(pids.filter(isAlive)).toEqual([])
    await expect(talkTo(programs.open('a', deaf))).rejects.toMatchObject({ problem: 'busy' })
  })

  it('R34: without the permission of the operator none starts, and none waits', async () => {
    const { programs, started } = open({ allowed: false, most: 0 })
    for (let n = 0; n < 3; n++)
      await expect(talkTo(programs.open('a', runs(fixture)))).rejects.toMatchObject({
        problem: 'commands_off',
      })
    expect(started()).toEqual([])
  })

  it('that speak no MCP are as crashed as those that end', async () => {
    const { programs } = open()
    const garbage = runs(script('setInterval(() => console.log("no"), 1)'))
    const talk = await talkTo(programs.open('a', garbage))
    expect(problemOf(await talk.initialize())).toBe('garbage')
    await expect(talkTo(programs.open('a', garbage))).rejects.toMatchObject({ problem: 'crashed' })
  })
})

describe('programs of a process that ends', () => {
  let bin: Bin
  beforeAll(async () => {
    bin = await openBin()
  })
  afterAll(() => bin?.remove())

  /** A real server with two programs of its own, one of which would stay. */
  async function serving(): Promise<{ server: ReturnType<typeof spawn>; pids: number[] }> {
    const flags = ['serve', '--port', '0', '--data', bin.dataDir, '--allow-commands']
    const server = spawn(process.execPath, [bin.main, ...flags])
    let stdout = ''
    server.stderr.resume()
    for await (const chunk of server.stdout) {
      stdout += chunk
      if (stdout.includes('Ctrl-C')) break
    }
    const url = /MCP +(http:\/\/127\.0\.0\.1:\d+)\/mcp/.exec(stdout)![1]!
    const key = readFileSync(join(bin.dataDir, 'admin.key'), 'utf8').trim()
    const post = async (path: string, bearer: string, body: object) => {
      const response = await fetch(`${url}${path}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${bearer}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
        },
        body: JSON.stringify(body),
      })
      const text = await response.text()
      expect(response.status, text).toBeLessThan(300)
      return JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? text)
    }
    const name = `n${Math.random().toString(36).slice(2)}`
    const { config } = await post('/v1/create_config', key, { name })
    const slugs: string[] = []
    for (const more of [[], ['--deaf']]) {
      const { server } = await post('/v1/add_config_server', key, {
        config_id: config.id,
        name: `one ${more}`,
        runs: { command: fixture.command, args: [...fixture.args, ...more] },
      })
      slugs.push(server.slug)
    }
    const made = await post('/v1/create_token', key, {
      name,
      access: { all_servers: true },
      delivery: 'inline',
    })
    const pids: number[] = []
    for (const slug of slugs) {
      const path = `/servers/${slug}/mcp`
      const answer = await post(path, made.delivery.secret, {
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'pid', arguments: {} },
      })
      pids.push(Number(answer.result.content[0].text))
    }
    expect(pids.filter(isAlive)).toHaveLength(2)
    return { server, pids }
  }

  it.each(['SIGTERM', 'SIGKILL'] as const)('are gone after %s', async (signal) => {
    const { server, pids } = await serving()
    server.kill(signal)
    expect(await soon(() => pids.every((pid) => !isAlive(pid)), 6_000)).toBeLessThan(6_000)
    await soon(() => server.exitCode !== null || server.signalCode !== null)
  })

  it('are gone after an exit without a close, even those that would stay', async () => {
    const { outputFiles } = buildSync({
      stdin: {
        contents: `
          import { makePrograms } from './src/gateway/program/programs.ts'
          import { makeLog } from './src/log.ts'
          const programs = makePrograms({ log: makeLog('silent'), allowed: true, inherited: {} })
          const runs = { kind: 'program', env: {}, ...JSON.parse(process.argv[1]) }
          const conduit = await programs.open('a', runs)({
            message({ result }) {
              if (result.content === undefined) return ask(2, 'tools/call', { name: 'pid' })
              process.stdout.write(result.content[0].text, () => process.exit(1))
            },
            failed() {},
            closed() {},
          })
          const ask = (id, method, params) => conduit.send({ jsonrpc: '2.0', id, method, params })
          await ask(1, 'initialize', ${JSON.stringify(hello)})`,
        resolveDir: fileURLToPath(new URL('../..', import.meta.url)),
      },
      bundle: true,
      write: false,
      platform: 'node',
      format: 'esm',
      packages: 'external',
    })
    const deaf = { ...fixture, args: [...fixture.args, '--deaf', '--stays'] }
    const { command, args } = script(outputFiles[0]!.text, JSON.stringify(deaf))
    const parent = spawn(command, args, { cwd: fileURLToPath(new URL('../..', import.meta.url)) })
    let pid = ''
    for await (const chunk of parent.stdout) pid += chunk
    expect(Number(pid)).toBeGreaterThan(1)
    await soon(() => !isAlive(Number(pid)))
  })
})
