import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { inheritedEnvironment } from '../../src/config.ts'
import type { Conduit, Hears, UpstreamFault } from '../../src/gateway/conduit.ts'
import { openProgram } from '../../src/gateway/program/open.ts'
import { makePrograms, type Programs } from '../../src/gateway/program/programs.ts'
import { makeBudget } from '../../src/gateway/program/said.ts'
import { isAlive, readableLog, script, soon } from './program.ts'

const deaf: Hears = { message() {}, failed() {}, closed() {} }
const stays = { kind: 'program' as const, command: 'sleep', args: ['60'], env: {} }

describe('places for programs', () => {
  let programs: Programs
  let pids: () => number[]
  const made = (most: number) => {
    const { log, lines } = readableLog()
    programs = makePrograms({ log, allowed: true, inherited: inheritedEnvironment(), most })
    pids = () => lines().flatMap(({ msg, pid }) => (msg === 'a program was started' ? [pid as number] : []))
  }
  afterEach(() => programs.close())

  /** Opens all at the same moment, and answers the problems of those that were refused. */
  async function openAll(slugs: string[]) {
    const outcomes = await Promise.allSettled(slugs.map((slug) => programs.open(slug, stays)(deaf)))
    return {
      open: outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value as Conduit] : [])),
      refused: outcomes.flatMap((one) =>
        one.status === 'rejected' ? [(one.reason as UpstreamFault).problem] : [],
      ),
    }
  }

  it('are no more than there are, however many ask at the same moment, and are free again once a program is gone', async () => {
    made(4)
    const first = await openAll([...Array(12).keys()].map((n) => `server-${n}`))
    expect([first.open.length, first.refused]).toEqual([4, Array(8).fill('busy')])
    expect(pids().filter(isAlive)).toHaveLength(4)
    await first.open[0]?.close()
    await sleep(0)
    const second = await openAll(['one', 'two'])
    expect([second.open.length, second.refused]).toEqual([1, ['busy']])
  })

  it('are not all taken by one server', async () => {
    made(4)
    const one = await openAll(Array(12).fill('one'))
    expect([one.open.length, one.refused]).toEqual([3, Array(9).fill('busy')])
    expect((await openAll(['two', 'three'])).refused).toEqual(['busy'])
  })

  it('are not lost to programs that do not start', async () => {
    made(2)
    for (let n = 0; n < 8; n++)
      await expect(
        programs.open(`server-${n}`, { ...stays, command: '/no/such/program' })(deaf),
      ).rejects.toMatchObject({ problem: 'crashed' })
    expect((await openAll(['one', 'two'])).refused).toEqual([])
  })

  it('are all left when the gateway ends, also by a program that was about to start', async () => {
    made(4)
    const opening = openAll(['one', 'two', 'three'])
    await programs.close()
    await opening
    expect(pids()).toHaveLength(3)
    expect(pids().filter(isAlive)).toEqual([])
    expect((await openAll(['one'])).refused).toEqual(['busy'])
  })
})

describe('the last words of a program', () => {
  it('are read to their end, though it is gone and we were busy', async () => {
    const { log, lines } = readableLog()
    const heard: unknown[] = []
    let over: UpstreamFault | undefined
    const say = (message: string) => `writeSync(1, JSON.stringify({ jsonrpc: '2.0', ${message} }) + '\\n')`
    const conduit = await openProgram(
      {
        slug: 'test',
        env: {},
        ...script(`
          import { writeSync } from 'node:fs'
          process.stdin.once('data', () => {
            ${say("id: 1, result: { n: 'first' }")}
            ${say("id: 2, result: { n: 'x'.repeat(150_000) }")}
            writeSync(2, 'why it ends, without a line end')
            process.exit(4)
          })`),
      },
      { allowed: true, inherited: inheritedEnvironment(), log, budget: makeBudget(log, 'test') },
    )({
      message(message) {
        heard.push((message as { id?: unknown }).id)
        // Nothing is read until the program is gone.
        for (const until = performance.now() + 500; heard.length === 1 && performance.now() < until; );
      },
      failed() {},
      closed(fault) {
        over = fault
      },
    })
    await conduit.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
    await soon(() => over !== undefined)
    expect(heard).toEqual([1, 2])
    expect(over).toMatchObject({ problem: 'crashed', message: 'It ended with exit code 4.' })
    await soon(() => lines().some(({ msg }) => msg === 'why it ends, without a line end'))
  })
})
