import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, leak, plantKey, plantProject, stateTables, trailOf } from '../../support/world.ts'
import { openWorld, type Thing, unauthorized, type World } from './world.ts'

const minute = 60_000
const hour = 60 * minute

describe.each(databases)('Idempotency-Key on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const path = ({ id }: { id: string }) => `/magic-mcp-tokens/${id}`
  const named = (key: string) => ({ 'idempotency-key': key })
  const count = async (): Promise<number> =>
    (await world.running.call('list_magic_tokens', { include_total: true })).json.total
  const generation = async ({ id }: { id: string }): Promise<number> =>
    (await world.running.call('get_token', { token_id: id })).json.token.generation

  it(`${verifies('metorial:tokens:retry:same-answer')} a create sent again within 10 minutes gets the same bytes, and one token is made`, async () => {
    const group = await world.group()
    const key = randomUUID()
    const send = () =>
      world.operator(
        'POST /magic-mcp-tokens',
        { name: 'once', metadata: { a: 1 }, group_ids: [group.id] },
        named(key),
      )
    const before = await count()
    const first = await send()
    expect([first.status, await count()]).toEqual([200, before + 1])
    const trail = await trailOf(world.beside, async () => {
      world.running.clock.pass(10 * minute - 1)
      const again = await send()
      expect([again.status, again.text]).toEqual([200, first.text])
      // Whatever has become of it meanwhile.
      await world.admin(`GET ${path(first.json)}`)
    })
    expect(trail).toEqual([])
    expect(await count()).toBe(before + 1)
    expect(first.json.secret).toMatch(/^mcpt_/)
    // Nothing of the secret or of the key stands in the store while the answer is kept.
    const stored = await contents(world.beside, [...stateTables, 'audit'])
    for (const text of [first.json.secret, key]) expect(leak(Buffer.from(stored), text)).toBe(-1)
  })

  it(`${verifies('metorial:tokens:retry:same-answer')} so does a rotation, by a manager, by the token, and by its predecessor in grace`, async () => {
    const { project_id, user_id } = await plantProject(world.beside)
    const userKey = await plantKey(world.beside, 'user_key', { owner_id: user_id, project_id })
    for (const token of [await world.token(), userKey]) {
      const key = randomUUID()
      const turn = (as: string, grace_seconds: number, its = key) =>
        world.as(as)(`POST ${path(token)}/rotate`, { grace_seconds }, named(its))
      const first = await turn(token.secret, 300)
      expect([first.status, await generation(token)]).toEqual([200, 2])
      for (const secret of [token.secret, first.json.secret]) {
        const again = await turn(secret, 300)
        expect([again.status, again.text]).toEqual([200, first.text])
      }
      expect(await generation(token)).toBe(2)
      const other = await turn(token.secret, 300, randomUUID())
      expect([other.status, other.text]).toEqual([401, unauthorized])
      world.running.clock.pass(300_000)
      expect((await turn(token.secret, 300)).status).toBe(401)
      expect((await turn(first.json.secret, 300)).text).toBe(first.text)
      expect(await generation(token)).toBe(2)
    }
    const token = await world.token()
    const key = named(randomUUID())
    const first = await world.operator(`POST ${path(token)}/rotate`, {}, key)
    expect((await world.operator(`POST ${path(token)}/rotate`, {}, key)).text).toBe(first.text)
    expect(await generation(token)).toBe(2)
  })

  it(`${verifies('metorial:tokens:retry:same-answer')} nobody else gets it, and without the key everything is done again`, async () => {
    const key = named(randomUUID())
    const body = { name: 'mine' }
    const mine = await world.operator('POST /magic-mcp-tokens', body, key)
    const theirs = await world.admin('POST /magic-mcp-tokens', body, key)
    expect([theirs.status, theirs.json.id === mine.json.id]).toEqual([200, false])
    expect((await world.reader('POST /magic-mcp-tokens', body, key)).status).toBe(403)
    const [one, two] = [
      await world.operator('POST /magic-mcp-tokens', body),
      await world.operator('POST /magic-mcp-tokens', body),
    ]
    expect(one.json.id).not.toBe(two.json.id)
  })

  it(`${verifies('metorial:tokens:retry:same-answer')} twenty at once are done once`, async () => {
    const key = named(randomUUID())
    const before = await count()
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => world.operator('POST /magic-mcp-tokens', { name: 'x' }, key)),
    )
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(await count()).toBe(before + 1)
  })

  it(`${verifies('metorial:tokens:retry:already-done')} after 10 minutes and up to 24 hours it is 409 already_done with the id`, async () => {
    const token = await world.token()
    const keys = [named(randomUUID()), named(randomUUID())] as const
    const create = () => world.operator('POST /magic-mcp-tokens', { name: 'late' }, keys[0])
    const turn = () => world.operator(`POST ${path(token)}/rotate`, {}, keys[1])
    const made = (await create()).json as Thing
    const turned = (await turn()).json as Thing
    world.running.clock.pass(10 * minute)
    const check = async () => {
      for (const [send, { id, secret }] of [
        [create, made],
        [turn, turned],
      ] as const) {
        const { json, text } = await send()
        const told = {
          object: 'error',
          ok: false,
          status: 409,
          code: 'already_done',
          entity: 'magic_mcp.token',
          id,
        }
        expect(json).toMatchObject(told)
        expect(json.message).toContain(id)
        expect(text).not.toContain(secret)
      }
    }
    const before = await count()
    await check()
    world.running.clock.pass(24 * hour - 10 * minute - 1)
    await check()
    expect([await count(), await generation(token)]).toEqual([before, 2])
    world.running.clock.pass(1)
    expect((await create()).json.id).not.toBe(made.id)
    expect((await turn()).status).toBe(200)
    expect(await generation(token)).toBe(3)
  })

  it(`${verifies('metorial:tokens:retry:other-body')} the same key with another body is 409 and does nothing`, async () => {
    const token = await world.token()
    const keys = [named(randomUUID()), named(randomUUID())] as const
    const first = await world.operator('POST /magic-mcp-tokens', { name: 'a', metadata: { x: 1 } }, keys[0])
    await world.operator(`POST ${path(token)}/rotate`, { grace_seconds: 1 }, keys[1])
    await world.beside.core.uses.flush()
    const before = await contents(world.beside, stateTables)
    for (const [line, body, key] of [
      ['POST /magic-mcp-tokens', { name: 'b', metadata: { x: 1 } }, keys[0]],
      ['POST /magic-mcp-tokens', { name: 'a', metadata: { x: 2 } }, keys[0]],
      ['POST /magic-mcp-tokens', { name: 'a' }, keys[0]],
      ['POST /magic-mcp-tokens', { name: 'a', metadata: { x: 1 }, description: '' }, keys[0]],
      [`POST ${path(token)}/rotate`, { grace_seconds: 2 }, keys[1]],
      [`POST ${path(token)}/rotate`, {}, keys[1]],
      [`POST ${path(first.json)}/rotate`, { grace_seconds: 1 }, keys[1]],
    ] as const) {
      const { json } = await world.operator(line, body, key)
      expect(json).toMatchObject({ object: 'error', status: 409, code: 'conflict' })
    }
    expect(await contents(world.beside, stateTables)).toBe(before)
  })

  it(`${verifies('metorial:tokens:retry:lost-answer')} a lost answer without grace is recovered by a manager who rotates again`, async () => {
    const token = await world.token()
    const key = named(randomUUID())
    const lost = await world.as(token.secret)(`POST ${path(token)}/rotate`, {}, key)
    expect(lost.status).toBe(200)
    const retry = await world.as(token.secret)(`POST ${path(token)}/rotate`, {}, key)
    expect([retry.status, retry.text]).toEqual([401, unauthorized])
    const recovered = await world.operator(`POST ${path(token)}/rotate`)
    expect(recovered.status).toBe(200)
    expect((await world.as(recovered.json.secret)(`GET ${path(token)}`)).status).toBe(200)
    expect((await world.as(lost.json.secret)(`GET ${path(token)}`)).status).toBe(401)
  })

  it('R47: a key that is too short, too long or sent twice is 400, and other routes take none', async () => {
    for (const key of ['', 'short', 'x'.repeat(129), 'with a blank in the middle']) {
      const { json } = await world.operator('POST /magic-mcp-tokens', { name: 'refused' }, named(key))
      const error = { code: 'invalid_type', path: ['Idempotency-Key'] }
      expect([key, json]).toMatchObject([key, { status: 400, code: 'invalid_data', errors: [error] }])
    }
    const key = named(randomUUID())
    const [one, two] = [
      await world.operator('POST /magic-mcp-groups', { name: 'g' }, key),
      await world.operator('POST /magic-mcp-groups', { name: 'g' }, key),
    ]
    expect([one.status, two.status, one.json.id === two.json.id]).toEqual([200, 200, false])
  })
})
