import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as audit from '../../../db/audit.ts'
import { defaultLimits } from '../../../src/http/limits.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { makeToken } from '../../support/world.ts'
import { openWorld, unauthorized, type World } from './world.ts'

describe.each(databases)('rotations at once on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database, { limits: { ...defaultLimits, failuresPerMinute: 100_000 } })
  })
  afterAll(() => world.close())

  const rotate = (id: string, as: string) => world.ask(`POST /api/tokens/${id}/rotate`, { as })
  const verdict = async (token: string) => (await world.op('validate_token', { token })).verdict
  /** Nobody writes until what was started has come in and waits for its turn. */
  async function whileHeld<T>(start: () => Promise<T>): Promise<T> {
    const { store } = world.beside.core
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    await new Promise<void>((taken) => {
      void store.write(async (db) => {
        await audit.takeHead(db, store.engine)
        taken()
        await gate
      })
    })
    const started = start()
    await new Promise((resolve) => setTimeout(resolve, 300))
    release()
    return started
  }
  const generation = async (token_id: string) => (await world.op('get_token', { token_id })).token.generation

  it(`${verifies('mctx:tokens:rotate:race')} of rotations of one token at once one wins, and the winner's secret is the valid one`, async () => {
    const lost: number[] = []
    for (let round = 0; round < 6; round++) {
      const made = await world.make()
      const all = () => Promise.all(Array.from({ length: 20 }, () => rotate(made.id, made.token)))
      const answers = round % 2 === 0 ? await all() : await whileHeld(all)
      const won = answers.filter(({ status }) => status === 200)
      expect(won).toHaveLength(1)
      for (const { status, text, json } of answers) {
        if (status === 200) continue
        expect([401, 409]).toContain(status)
        if (status === 401) expect(text).toBe(unauthorized)
        else expect(json.error.message).toBe('Conflict: the token was changed at the same time')
        lost.push(status)
      }
      expect((await rotate(made.id, made.token)).text).toBe(unauthorized)
      expect(await generation(made.id)).toBe(2)
      expect([await verdict(made.token), await verdict(won[0]?.json.token)]).toEqual(['unknown', 'valid'])
    }
    expect(lost).toContain(409)
  })

  it('R44: of a manager and an owner who read the same generation one wins; one after another all succeed', async () => {
    const { user_id: owner_id, project_id } = world.project
    const made = await makeToken(world.beside, { owner_id, project_id })
    const all = [world.keys.operator, world.keys.admin, world.userKey.secret]
    const answers = await Promise.all(
      Array.from({ length: 15 }, (_, at) => rotate(made.id, all[at % 3] ?? '')),
    )
    const won = answers.filter(({ status }) => status === 200)
    expect(answers.filter(({ status }) => status !== 200 && status !== 409)).toEqual([])
    expect(await generation(made.id)).toBe(1 + won.length)
    const verdicts = await Promise.all(won.map(({ json }) => verdict(json.token)))
    expect(verdicts.filter((one) => one === 'valid')).toHaveLength(1)
    let secret = won[verdicts.indexOf('valid')]?.json.token
    for (let turn = 0; turn < 5; turn++) {
      const next = await rotate(made.id, turn % 2 === 0 ? secret : world.keys.operator)
      expect(next.status).toBe(200)
      secret = next.json.token
    }
    expect([await verdict(secret), await generation(made.id)]).toEqual(['valid', 6 + won.length])
  })

  it(`${verifies('mctx:tokens:rotate:revoke-wins')} a revoke at the same time leaves the token revoked, whichever came first`, async () => {
    const outcomes = new Set<number>()
    for (let round = 0; round < 15; round++) {
      const made = await world.make()
      const revoke = () => world.ask(`DELETE /api/tokens/${made.id}`)
      const turn = () => rotate(made.id, round % 3 === 0 ? world.keys.operator : made.token)
      const [first, second] = round % 2 === 0 ? [revoke, turn] : [turn, revoke]
      const ordered = async () => {
        const before = first()
        await new Promise((resolve) => setTimeout(resolve, 150))
        return Promise.all([before, second()])
      }
      const answers = await (round % 3 === 2 ? whileHeld(ordered) : Promise.all([first(), second()]))
      const turned = answers[round % 2 === 0 ? 1 : 0]
      expect([200, 401, 409]).toContain(turned?.status)
      outcomes.add(turned?.status ?? 0)
      expect((await world.ask(`GET /api/tokens/${made.id}`)).json.status).toBe('revoked')
      const secrets = [made.token, ...(turned?.status === 200 ? [turned.json.token] : [])]
      for (const secret of secrets) expect(await verdict(secret)).not.toBe('valid')
    }
    expect(outcomes.size).toBeGreaterThan(1)
  })
})
