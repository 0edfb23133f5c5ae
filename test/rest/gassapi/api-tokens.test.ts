import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { sendAs } from '../support.ts'
import { invalidToken, openWorld, refused, type World } from './world.ts'

describe.each(databases)('the token below /api/tokens on $name', (one) => {
  let world: World
  let keys: { operator: string; own: string; ofOther: string; elsewhere: string; reader: string }
  beforeAll(async () => {
    world = await openWorld(one)
    const role = async (name: string) =>
      (await world.op('create_management_key', { name, role: name })).secret as string
    const { project_id, user_id } = world
    const userKey = async (input: object) =>
      (await world.op('generate_user_key', { delivery: 'inline', ...input })).delivery.secret as string
    const second = (await world.op('create_project', { name: 'Second' })).project.id
    await world.op('add_project_member', { project_id: second, user_id })
    const other = await world.person('keyholder@example.com')
    keys = {
      operator: await role('operator'),
      reader: await role('reader'),
      own: await userKey({ user_id, project_id }),
      ofOther: await userKey({ user_id: other, project_id }),
      elsewhere: await userKey({ user_id, project_id: second }),
    }
  })

  afterAll(() => world.close())

  const ask = (line: string, secret: string, body?: object) => sendAs(world, secret)(line, body)
  const valid = async (secret: string) => (await world.validate(secret)).status
  const tokenOf = async (id: string) => (await world.op('get_token', { token_id: id })).token

  it(`${verifies('gassapi:token:revoke:api', 'gassapi:token:revoke:id')} admin, operator and a user API key of its creator for its project revoke it by the id that validate tells, from the next request on`, async () => {
    for (const secret of [world.adminKey, keys.operator, keys.own]) {
      const token = (await world.generate()).json.mcpClient.token
      const id = (await world.validate(token)).json.data.user.mcp_token_id
      expect((await ask(`DELETE /api/tokens/${id}`, secret)).status).toBe(200)
      expect(refused(await world.validate(token))).toEqual(invalidToken)
    }
    const { secret, id } = await world.make()
    for (const [who, status] of [
      [keys.reader, 403],
      [secret, 403],
      [keys.ofOther, 404],
      [keys.elsewhere, 404],
      ['mcpm_nothing', 401],
    ] as const)
      expect((await ask(`DELETE /api/tokens/${id}`, who)).status).toBe(status)
    expect(await valid(secret)).toBe(200)
  })

  it(`${verifies('gassapi:token:revoke:id')} the list shows the id too, and the token revoked by it is the one`, async () => {
    const [first, second] = [await world.make(), await world.make()]
    const { tokens } = (await ask('GET /api/tokens', keys.own)).json
    expect(tokens.slice(0, 2).map((token: { id: string }) => token.id)).toEqual([second.id, first.id])
    await ask(`DELETE /api/tokens/${tokens[1].id}`, keys.operator)
    expect([await valid(first.secret), await valid(second.secret)]).toEqual([401, 200])
  })

  it(`${verifies('gassapi:token:rotate:api')} a rotation replaces the secret in place: project, creator and the missing expiry stay`, async () => {
    const { secret, id } = await world.make()
    const before = (await world.validate(secret)).json.data
    let current = secret
    for (const who of [world.adminKey, keys.operator, keys.own, 'itself']) {
      const answer = await ask(`POST /api/tokens/${id}/rotate`, who === 'itself' ? current : who)
      expect([answer.status, answer.json.id, answer.json.expires_at]).toEqual([200, id, null])
      expect([await valid(current), await valid(answer.json.token)]).toEqual([401, 200])
      current = answer.json.token
      expect((await world.validate(current)).json.data).toEqual(before)
    }
    expect(await tokenOf(id)).toMatchObject({
      owner_id: world.user_id,
      project_id: world.project_id,
      expires_at: null,
    })
    expect((await ask(`POST /api/tokens/${id}/rotate`, keys.ofOther)).status).toBe(404)
  })

  it(`${verifies('gassapi:token:rotate:grace')} R44: for its grace the replaced secret validates and reads its own token, and is 401 for everything else`, async () => {
    const { secret, id } = await world.make()
    const { json } = await ask(`POST /api/tokens/${id}/rotate`, secret, { grace_seconds: 60 })
    for (let turn = 0; turn < 2; turn++) {
      const own = await world.validate(secret)
      expect([own.status, own.json.data.user.mcp_token_id]).toEqual([200, id])
      expect((await ask(`GET /api/tokens/${id}`, secret)).status).toBe(200)
      expect((await world.call('get_token', { token_id: id }, secret)).status).toBe(200)
      for (const line of [
        `POST /api/tokens/${id}/rotate`,
        `DELETE /api/tokens/${id}`,
        `PATCH /api/tokens/${id}`,
        'GET /api/tokens',
        'POST /api/tokens',
      ])
        expect([line, (await ask(line, secret, line.startsWith('GET') ? undefined : {})).status]).toEqual([
          line,
          401,
        ])
      for (const name of ['rotate_token', 'list_magic_tokens', 'revoke_token'] as const) {
        const input = name.startsWith('list') ? {} : { token_id: id }
        expect([name, (await world.call(name, input, secret)).status]).toEqual([name, 401])
        expect([name, (await world.tool(name, input, secret)).status]).toEqual([name, 401])
      }
      expect(await valid(json.token)).toBe(200)
      world.clock.pass(59_000)
    }
    world.clock.pass(1_000)
    expect(refused(await world.validate(secret))).toEqual(invalidToken)
    expect(await valid(json.token)).toBe(200)
  })

  it(`${verifies('gassapi:token:rotate:grace')} a rotation of itself without grace whose answer was lost is recovered by a manager or the owner`, async () => {
    for (const rescuer of [keys.operator, keys.own]) {
      const { secret, id } = await world.make()
      expect((await ask(`POST /api/tokens/${id}/rotate`, secret)).status).toBe(200)
      expect((await ask(`POST /api/tokens/${id}/rotate`, secret)).status).toBe(401)
      const { json } = await ask(`POST /api/tokens/${id}/rotate`, rescuer)
      expect([await valid(secret), await valid(json.token)]).toEqual([401, 200])
    }
  })
})
