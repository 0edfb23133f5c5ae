import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { inheritedEnvironment } from '../../src/config.ts'
import type { Conduit, Hears, UpstreamFault } from '../../src/gateway/conduit.ts'
import { makePrograms, type Programs } from '../../src/gateway/program/programs.ts'
import { isAlive, readableLog } from './program.ts'

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
