import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { trailOf } from '../../support/world.ts'
import { unchanged } from './state.ts'
import { forbidden, made, openWorld, refused, unauthorized, type World } from './support.ts'

const gone: [number, string] = [404, 'API key not found']
const day = 86_400_000

describe.each(databases)('states of an API key of the Enkrypt dialect on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const generate = (user: string, body: unknown = {}, as = world.operator) =>
    as(`POST /users/${user}/api-keys`, body)
  const opens = async (secret: string) => (await world.as(secret)('GET /configs')).status
  const list = async (line: string) =>
    (await made(world.reader(line))) as unknown as Record<string, unknown>[]
  const verdict = async (token: string) => (await world.op('validate_token', { token }))['verdict']

  it(`${verifies('enkrypt:keys:state:expired')} a key given an end elsewhere is 401 after it, changes nothing but by deletion, and can be prolonged elsewhere`, async () => {
    const { key } = await world.project()
    const token_id = key.api_key_id
    await world.op('update_token', { token_id, expires_in_days: 1 })
    expect(await opens(key.api_key)).toBe(200)
    world.running.clock.pass(day)
    expect(refused(await world.as(key.api_key)('GET /configs'))).toEqual(unauthorized)
    await unchanged(world.beside, async () => {
      for (const name of [token_id, key.prefix, key.api_key]) {
        for (const [line, body] of [
          ['POST /api-keys/rotate', { api_key: name }],
          [`POST /api-keys/${name}/disable`],
          [`POST /api-keys/${name}/enable`],
        ] as const)
          expect(refused(await world.operator(line, body))).toEqual([409, expect.stringContaining('expired')])
      }
    })
    await world.op('update_token', { token_id, expires_in_days: 1 })
    expect(await opens(key.api_key)).toBe(200)
    world.running.clock.pass(day)
    expect(await opens(key.api_key)).toBe(401)
    expect((await world.operator(`DELETE /api-keys/${token_id}`)).status).toBe(200)
    expect(refused(await world.operator(`DELETE /api-keys/${token_id}`))).toEqual(gone)
  })

  it(`${verifies('enkrypt:keys:disable:effect', 'enkrypt:keys:enable:effect')} disabled is 401 on REST and /mcp, a predecessor too, enabled the same secret works again; each of them twice is 200`, async () => {
    const { key } = await world.project()
    const path = `/api-keys/${key.api_key_id}`
    const rotated = await made(
      world.operator('POST /api-keys/rotate', { api_key: key.api_key_id, grace_seconds: 600 }),
    )
    const [fresh, old] = [rotated['api_key'] as string, key.api_key]
    const mcp = async (secret: string) =>
      (
        await world.running.send('/mcp', {
          method: 'POST',
          headers: {
            authorization: `Bearer ${secret}`,
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
          },
          body: JSON.stringify({
            jsonrpc: '2.0',
            id: 1,
            method: 'initialize',
            params: {
              protocolVersion: '2025-06-18',
              capabilities: {},
              clientInfo: { name: 't', version: '1' },
            },
          }),
        })
      ).status
    const validate = async (secret: string) =>
      (await world.running.send('/mcp/validate', { headers: { authorization: `Bearer ${secret}` } })).status
    const state = async () => [
      await opens(fresh),
      await mcp(fresh),
      await validate(fresh),
      await validate(old),
      await verdict(old),
    ]
    const on = [200, 200, 200, 200, 'valid']
    expect(await state()).toEqual(on)
    for (let times = 0; times < 2; times++) {
      for (let twice = 0; twice < 2; twice++) {
        const rows = await trailOf(world.beside, async () => {
          const answer = await world.operator(`POST ${path}/disable`)
          expect([answer.status, answer.json]).toEqual([
            200,
            { message: 'API key disabled successfully', data: null },
          ])
        })
        expect(rows).toMatchObject([
          { action: 'set_token_enabled', target_id: key.api_key_id, outcome: 'ok' },
        ])
        expect(await state()).toEqual([401, 401, 401, 401, 'disabled'])
      }
      for (let twice = 0; twice < 2; twice++) {
        const answer = await world.operator(`POST ${path}/enable`)
        expect([answer.status, answer.json]).toEqual([
          200,
          { message: 'API key enabled successfully', data: null },
        ])
        expect(await state()).toEqual(on)
      }
    }
    await made(world.operator(`DELETE ${path}`))
    for (const name of [key.api_key_id, rotated['prefix'], fresh])
      for (const way of ['enable', 'disable'])
        expect(refused(await world.operator(`POST /api-keys/${name}/${way}`))).toEqual(gone)
    expect(await opens(fresh)).toBe(401)
  })

  it(`${verifies('enkrypt:keys:delete:effect')} deleted is 401 for ever and in no list, and a second time 404`, async () => {
    for (const state of ['active', 'disabled']) {
      const { key, user_id, project_id } = await world.project()
      const id = key.api_key_id
      if (state === 'disabled') await made(world.operator(`POST /api-keys/${id}/disable`))
      const rows = await trailOf(world.beside, async () => {
        const answer = await world.operator(`DELETE /api-keys/${id}`)
        expect([answer.status, answer.json]).toEqual([
          200,
          { message: 'API key deleted successfully', data: null },
        ])
      })
      expect(rows).toMatchObject([{ action: 'revoke_token', target_id: id, outcome: 'ok' }])
      expect(refused(await world.as(key.api_key)('GET /configs'))).toEqual(unauthorized)
      expect(await list(`GET /users/${user_id}/api-keys`)).toEqual([])
      expect((await list('GET /api-keys')).map((one) => one['api_key_id'])).not.toContain(id)
      expect((await made(world.reader(`GET /users/${user_id}`)))['api_keys']).toEqual([])
      for (const name of [id, key.prefix, key.api_key])
        expect(refused(await world.operator(`DELETE /api-keys/${name}`))).toEqual(gone)
      // Neither another key nor leaving and coming back brings it to life.
      await made(generate(user_id, { project_id }))
      await world.op('update_token', { token_id: id, expires_in_days: 5 }).catch(() => undefined)
      await world.op('set_token_enabled', { token_id: id, enabled: true }).catch(() => undefined)
      world.running.clock.pass(400 * day)
      expect(refused(await world.as(key.api_key)('GET /configs'))).toEqual(unauthorized)
    }
  })

  it(`${verifies('enkrypt:keys:delete-all:ok')} all keys of one user go, disabled ones too, with a row each, also when there are none; those of others stay`, async () => {
    const { user_id, email, project_id, key } = await world.project()
    const other = await world.project()
    await world.op('add_project_member', { project_id, user_id: other.user_id })
    const beside = await made(generate(other.user_id, { project_id }))
    const second = await made(generate(user_id, { project_id }))
    await made(world.operator(`POST /api-keys/${second['api_key_id']}/disable`))
    const { delivery } = await world.op('create_token', { name: 'plain', owner_id: user_id, project_id })
    const rows = await trailOf(world.beside, async () => {
      const answer = await world.operator(`DELETE /users/${email}/api-keys`)
      expect([answer.status, answer.json]).toEqual([
        200,
        { message: 'All user API keys deleted successfully', data: { deleted: 2 } },
      ])
    })
    expect(rows.map((row) => `${row.action} ${row.target_id}`).sort()).toEqual(
      [
        `revoke_user_keys ${user_id}`,
        `revoke_token ${key.api_key_id}`,
        `revoke_token ${second['api_key_id']}`,
      ].sort(),
    )
    for (const secret of [key.api_key, second['api_key']]) expect(await opens(secret)).toBe(401)
    for (const secret of [other.key.api_key, beside['api_key']]) expect(await opens(secret)).toBe(200)
    expect(await verdict(delivery.secret)).toBe('valid')
    const again = await world.operator(`DELETE /users/${user_id}/api-keys`)
    expect([again.status, again.json.data]).toEqual([200, { deleted: 0 }])
    expect(refused(await world.reader(`DELETE /users/${user_id}/api-keys`))).toEqual(forbidden)
  })
})
