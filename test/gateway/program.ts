import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inheritedEnvironment } from '../../src/config.ts'
import type { Conduit } from '../../src/gateway/conduit.ts'
import { openProgram, type ProgramTarget } from '../../src/gateway/program/open.ts'
import { makeBudget } from '../../src/gateway/program/said.ts'
import { makeLog } from '../../src/log.ts'
import { type Talk, talkTo } from './conversation.ts'

/** The server for tests, as an entry runs it. */
export const fixture = {
  command: process.execPath,
  args: [new URL('fixtures/server.mjs', import.meta.url).pathname],
}

/** A program that is this script. */
export function script(text: string, ...args: string[]) {
  return { command: process.execPath, args: ['--input-type=module', '-e', text, ...args] }
}

export type LogLine = Record<string, unknown> & { level: string; msg: string }

/** A real log whose lines can be read. */
export function readableLog() {
  const texts: string[] = []
  const log = makeLog('debug', { write: (line) => texts.push(line) })
  return { log, texts, lines: () => texts.map((text) => JSON.parse(text) as LogLine) }
}

/** A conversation with a program, and how it went beside the protocol. */
export interface ProgramTalk extends Talk<Conduit> {
  pid: number
  lines(): LogLine[]
  /** The text a tool of the fixture answers. */
  tool(name: string, args?: object): Promise<string>
}

const open: Conduit[] = []

/** Ends every program of a test. */
export async function endPrograms(): Promise<void> {
  await Promise.all(open.splice(0).map((conduit) => conduit.close()))
}

/** Starts a program and speaks with it. */
export async function talkToProgram(
  target: Partial<ProgramTarget>,
  options: { inherited?: Record<string, string> } = {},
): Promise<ProgramTalk> {
  const { log, lines } = readableLog()
  let pid = 0
  const talk = await talkTo(
    openProgram(
      { slug: 'test', env: {}, ...fixture, ...target },
      {
        allowed: true,
        inherited: options.inherited ?? inheritedEnvironment(),
        log,
        budget: makeBudget(log, 'test'),
        started: ({ child }) => {
          pid = child.pid ?? 0
        },
      },
    ),
  )
  open.push(talk.conduit)
  return {
    ...talk,
    pid,
    lines,
    async tool(name, args = {}) {
      const answer = await talk.ask('tools/call', { name, arguments: args })
      // biome-ignore lint/suspicious/noExplicitAny: the answer of the fixture
      return (answer as any).result?.content[0].text ?? JSON.stringify(answer)
    },
  }
}

/** Whether a process is there; one that ended and was not collected is not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** Waits until it is so, at most so long; answers how long it took, ms. */
export async function soon(so: () => boolean, ms = 5_000): Promise<number> {
  const began = performance.now()
  while (!so()) {
    if (performance.now() - began > ms) throw new Error(`it was not so within ${ms} ms`)
    await sleep(10)
  }
  return performance.now() - began
}

/** A folder for one test file, and what removes it. */
export function scratch() {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-programs-'))
  return {
    path: (name: string) => join(folder, name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
