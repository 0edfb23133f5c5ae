import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, stateTables } from '../../support/world.ts'
import { play } from '../support.ts'
import { openWorld, type Thing, unknownId, type World } from './world.ts'

describe.each(databases)('groups of a token on $name', (database) => {
  let world: World
  let one: Thing
  let two: Thing
  let gone: Thing
  let server: Thing
  beforeAll(async () => {
    world = await openWorld(database)
    server = await world.server()
    one = await world.group({ name: 'One' })
    two = await world.group({ name: 'Two' })
    gone = await world.group()
    await world.admin(`POST /magic-mcp-groups/${one.id}/add-servers`, { magic_mcp_server_ids: [server.id] })
    one = (await world.admin(`GET /magic-mcp-groups/${one.id}`)).json
    await world.admin(`DELETE /magic-mcp-groups/${gone.id}`)
  })
  afterAll(() => world.close())

  const change = (verb: 'add' | 'remove', { id }: Thing, ids: unknown) =>
    world.operator(`POST /magic-mcp-tokens/${id}/${verb}-groups`, { magic_mcp_group_ids: ids })
  const get = async ({ id }: Thing) => (await world.admin(`GET /magic-mcp-tokens/${id}`)).json
  const valid = async ({ secret }: Thing, of: Thing) =>
    (await world.running.call('validate_token', { token: secret, server: of.id })).json.valid as boolean

  /** Expects an answer that changes nothing. */
  async function unchanged(work: () => Promise<{ json: unknown }>, has: object) {
    world.running.clock.pass(1_000)
    const before = await contents(world.beside, stateTables.slice(1))
    expect((await work()).json).toMatchObject(has)
    expect(await contents(world.beside, stateTables.slice(1))).toBe(before)
  }

  it.each(['add', 'remove'] as const)(
    `${verifies('metorial:tokens:add-groups:ok', 'metorial:tokens:remove-groups:ok')} %s answers the token with its groups, and one line is in the trail`,
    async (verb) => {
      const token = await world.token({ group_ids: verb === 'add' ? [] : [one.id, two.id] })
      const { json } = await play(world.running, world.beside, {
        it: verb,
        as: world.keys.operator,
        send: [`POST /magic-mcp-tokens/${token.id}/${verb}-groups`, { magic_mcp_group_ids: [two.id] }],
        status: 200,
        has: { object: 'magic_mcp.token', id: token.id, secret: '', groups: verb === 'add' ? [two] : [one] },
        audits: [{ action: `${verb}_groups`, outcome: 'ok', via: 'metorial', target_id: token.id }],
      })
      expect(await get(token)).toEqual(json)
      await change(verb, token, [one.id])
      expect((await get(token)).groups).toEqual(verb === 'add' ? [one, two] : [])
    },
  )

  it(`${verifies('metorial:tokens:add-groups:ids-required')} the ids are required, under this name and as an array of strings`, async () => {
    const token = await world.token({ group_ids: [one.id] })
    for (const verb of ['add', 'remove'] as const) {
      for (const body of [
        undefined,
        {},
        { group_ids: [two.id] },
        { magic_mcp_group_id: two.id },
        ...[two.id, null, 5, {}, [5], [null], [[two.id]], { 0: two.id }].map((ids) => ({
          magic_mcp_group_ids: ids,
        })),
      ]) {
        const send = () => world.operator(`POST /magic-mcp-tokens/${token.id}/${verb}-groups`, body)
        await unchanged(send, { status: 400, code: 'invalid_data', entity: 'body' })
      }
    }
    const missing = (await world.admin(`POST /magic-mcp-tokens/${token.id}/add-groups`, {})).json
    expect(missing.errors).toMatchObject([
      { code: 'invalid_type', message: 'Required', path: ['magic_mcp_group_ids'] },
    ])
  })

  it(`${verifies('metorial:tokens:add-groups:unknown-id')} one unknown id refuses them all`, async () => {
    const token = await world.token({ group_ids: [one.id] })
    for (const id of [unknownId.group, server.id, token.id, one.name, one.slug, 'nonsense']) {
      for (const ids of [[two.id, id], [id, two.id], [id]])
        await unchanged(() => change('add', token, ids), { status: 404, entity: 'magic_mcp.group', id })
    }
    for (const id of ['', 'a\u0000', '\udfff', 'x'.repeat(1_000)])
      await unchanged(() => change('add', token, [two.id, id]), { status: 404, entity: 'magic_mcp.group' })
  })

  it(`${verifies('metorial:tokens:add-groups:deleted-group')} a deleted group is 412 and refuses them all`, async () => {
    const token = await world.token({ group_ids: [one.id] })
    const told = { status: 412, code: 'precondition_failed', entity: 'magic_mcp.group', id: gone.id }
    await unchanged(() => change('add', token, [two.id, gone.id]), told)
    await unchanged(() => change('add', token, [gone.id]), told)
  })

  it(`${verifies('metorial:tokens:add-groups:idempotent')} a group twice or there already makes one membership and no other change`, async () => {
    const token = await world.token({ group_ids: [one.id] })
    const before = await get(token)
    for (const ids of [[one.id], [one.id, one.id], []])
      await unchanged(() => change('add', token, ids), before)
    expect((await change('add', token, [two.id, two.id, one.id, two.id])).json.groups).toEqual([one, two])
    await unchanged(() => change('remove', token, []), { groups: [one, two] })
    const open = await world.token()
    await unchanged(() => change('add', open, []), { access: { all_servers: true } })
    const many: string[] = []
    for (let n = 0; n < 120; n += 1) many.push((await world.group()).id)
    expect((await change('add', open, many)).json.groups).toHaveLength(120)
    expect((await change('remove', open, many)).json.groups).toEqual([])
  })

  it(`${verifies('metorial:tokens:add-groups:locks')} the first group of an unlocked token locks it`, async () => {
    const outside = await world.server()
    const token = await world.token()
    expect([await valid(token, server), await valid(token, outside)]).toEqual([true, true])
    const { json } = await change('add', token, [one.id])
    expect(json.access).toEqual({ all_servers: false, magic_mcp_server_ids: [] })
    expect([await valid(token, server), await valid(token, outside)]).toEqual([true, false])
  })

  it(`${verifies('metorial:tokens:add-groups:server-token')} a token with a server takes groups and reaches both`, async () => {
    const own = await world.server()
    const token = await world.token({ magic_mcp_server_id: own.id })
    const { status, json } = await change('add', token, [one.id])
    expect([status, json.groups]).toEqual([200, [one]])
    expect(json.access).toEqual({ all_servers: false, magic_mcp_server_ids: [own.id] })
    expect([await valid(token, own), await valid(token, server)]).toEqual([true, true])
  })

  it(`${verifies('metorial:tokens:add-groups:deleted-token')} on a deleted token both are 412`, async () => {
    const token = await world.token({ group_ids: [one.id] })
    await world.admin(`DELETE /magic-mcp-tokens/${token.id}`)
    const told = { status: 412, code: 'precondition_failed', entity: 'magic_mcp.token', id: token.id }
    for (const ids of [[two.id], [one.id], []]) {
      await unchanged(() => change('add', token, ids), told)
      await unchanged(() => change('remove', token, ids), told)
    }
    expect((await get(token)).groups).toEqual([one])
  })

  it(`${verifies('metorial:tokens:remove-groups:not-member')} what it is not in is ignored`, async () => {
    const token = await world.token({ group_ids: [one.id] })
    const before = await get(token)
    for (const id of [
      two.id,
      gone.id,
      unknownId.group,
      server.id,
      'nonsense',
      '',
      'a\u0000',
      '\ud800',
      'x'.repeat(999),
    ])
      await unchanged(() => change('remove', token, [id]), before)
    expect((await change('remove', token, [unknownId.group, one.id])).json.groups).toEqual([])
  })

  it(`${verifies('metorial:tokens:remove-groups:last-group')} without its last group it reaches nothing until someone changes it`, async () => {
    const token = await world.token({ group_ids: [one.id] })
    expect(await valid(token, server)).toBe(true)
    const { json } = await change('remove', token, [one.id])
    expect([json.groups, json.access]).toEqual([[], { all_servers: false, magic_mcp_server_ids: [] }])
    expect(await valid(token, server)).toBe(false)
    expect((await get(token)).access.all_servers).toBe(false)
    await change('add', token, [one.id])
    expect(await valid(token, server)).toBe(true)
  })
})
