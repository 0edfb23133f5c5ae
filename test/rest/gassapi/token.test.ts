import { createHmac } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnyOperation } from '../../../src/core/operation.ts'
import { operations } from '../../../tools/index.ts'
import { sampleInput } from '../../http/sample.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, leak, stateTables, trailAfter } from '../../support/world.ts'
import { sendAs } from '../support.ts'
import { invalidToken, openWorld, refused, told, type World } from './world.ts'

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

describe.each(databases)('the token on $name', (one) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(one)
  })
  afterAll(() => world.close())

  const ask = (line: string, secret: string, body?: object) => sendAs(world, secret)(line, body)
  let people = 0
  /** A member of their own, with a token. */
  const creator = async () => {
    people += 1
    const email = `creator${people}@example.com`
    const user_id = await world.person(email)
    return { email, user_id, ...(await world.make({ email })) }
  }
  const valid = async (secret: string) => (await world.validate(secret)).status
  const tokenOf = async (id: string) => (await world.op('get_token', { token_id: id })).token

  it(`${verifies('gassapi:token:format:prefixed')} is a prefix, 37 random characters and a checksum of all before it`, async () => {
    const secrets = await Promise.all(Array.from({ length: 6 }, async () => (await world.make()).secret))
    for (const secret of secrets) {
      expect(secret).toMatch(/^mcpt_[0-9A-Za-z]{43}$/)
      let rest = crc32(secret.slice(0, 42))
      let sum = ''
      for (let n = 0; n < 6; n++) {
        sum = `${digits[rest % 62]}${sum}`
        rest = Math.floor(rest / 62)
      }
      expect(secret.slice(42)).toBe(sum)
    }
    expect(new Set(secrets).size).toBe(6)
    // The example of the contract, which is nobody's.
    expect(crc32('mcpt_ExampleSecretDoNotUse0000000000000001')).toBe(
      [...'3drjit'].reduce((sum, digit) => sum * 62 + digits.indexOf(digit), 0),
    )
    await world.op('update_settings', { token_prefix: 'gass' })
    expect((await world.make()).secret).toMatch(/^gass_[0-9A-Za-z]{43}$/)
    await world.op('update_settings', { token_prefix: 'mcpt' })
  })

  it(`${verifies('gassapi:token:life:permanent', 'gassapi:token:life:name', 'gassapi:token:life:many')} has no expiry, the name of its project, and leaves earlier ones as they are`, async () => {
    const first = await world.make()
    const others = []
    for (let n = 0; n < 12; n++) others.push(await world.make())
    expect(await tokenOf(first.id)).toMatchObject({
      name: 'gassapi Test Project',
      expires_at: null,
      not_before: null,
      kind: 'access',
      owner_id: world.user_id,
      created_by: world.user_id,
      project_id: world.project_id,
    })
    const [listed] = (await ask('GET /api/tokens?limit=1', world.adminKey)).json.tokens
    expect([listed.id, listed.name]).toEqual([others.at(-1)?.id, 'gassapi Test Project'])
    for (const { secret } of [first, ...others]) expect(await valid(secret)).toBe(200)
    const ten = 10 * 365 * 86_400_000
    world.clock.pass(ten)
    expect(await valid(first.secret)).toBe(200)
    world.clock.pass(-ten)
  })

  it(`${verifies('gassapi:token:life:shown-once')} R2, R5: is in the answer that made it and nowhere else; the store holds its HMAC-SHA-256`, async () => {
    const { secret, id } = await world.make()
    const answers = [
      (await world.validate(secret)).text,
      (await ask('GET /api/tokens', world.adminKey)).text,
      (await ask(`GET /api/tokens/${id}`, world.adminKey)).text,
      (await ask(`GET /api/tokens/${id}`, secret)).text,
      (await ask(`GET /magic-mcp-tokens/${id}`, world.adminKey)).text,
      (await world.call('get_token', { token_id: id })).text,
      (await world.call('get_token', { token_id: id }, secret)).text,
      (await world.call('list_magic_tokens', { project_id: world.project_id, limit: 100 })).text,
      (await world.call('get_project', { project_id: world.project_id })).text,
      (await world.call('list_audit_events', { limit: 100 })).text,
      (await world.tool('get_token', { token_id: id })).text,
      JSON.stringify([world.log, await trailAfter(world.beside, 0), await world.state()]),
    ]
    expect(answers[1]).toContain(id)
    for (const answer of answers) {
      // The first 12 characters may be shown, for people to tell tokens apart.
      expect(leak(Buffer.from(answer), secret)).toBe(-1)
    }
    const { core } = world.beside
    const row = await core.store.read
      .selectFrom('tokens')
      .select('secret_hash')
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    const hmac = createHmac('sha256', core.keys.pepper).update(secret).digest()
    expect(row.secret_hash.equals(hmac)).toBe(true)
  })

  it(`${verifies('gassapi:token:scope:creator')} acts as its creator and over management routes sees and rotates itself alone`, async () => {
    const { secret, id, user_id, email } = await creator()
    const sibling = await world.make({ email })
    const other = await world.make()
    expect((await world.validate(secret)).json.data.user).toMatchObject({ id: user_id, email })
    expect((await tokenOf(id)).access).toEqual({
      all_servers: true,
      servers: [],
      groups: [],
      tool_rules: null,
      limits: null,
    })
    expect((await ask(`GET /api/tokens/${id}`, secret)).status).toBe(200)
    for (const line of [
      `GET /api/tokens/${sibling.id}`,
      `GET /api/tokens/${other.id}`,
      `POST /api/tokens/${sibling.id}/rotate`,
      `DELETE /api/tokens/${id}`,
      `DELETE /api/tokens/${sibling.id}`,
      'GET /api/tokens',
      'GET /magic-mcp-tokens',
    ])
      expect([line, (await ask(line, secret)).status]).toEqual([line, 403])
    for (const name of [
      'list_magic_tokens',
      'list_users',
      'list_projects',
      'list_servers',
      'list_audit_events',
    ])
      expect([name, (await world.call(name, {}, secret)).status]).toEqual([name, 403])
    const members = { project_id: world.project_id, user_id: world.user_id }
    expect((await world.call('remove_project_member', members, secret)).status).toBe(403)
    const rotated = await ask(`POST /api/tokens/${id}/rotate`, secret)
    expect(rotated.status).toBe(200)
    expect((await world.validate(rotated.json.token)).json.data.user).toMatchObject({ id: user_id, email })
  })

  it(`${verifies('gassapi:token:scope:no-chaining')} makes nothing: every operation that creates and every creating route is 403 to it`, async () => {
    const { secret } = await world.make()
    // Its own last use may change, and nothing else.
    const others = async () => [
      await contents(
        world.beside,
        stateTables.filter((table) => table !== 'tokens'),
      ),
      (await world.op('list_magic_tokens', { include_total: true, limit: 1 })).total,
    ]
    const before = await others()
    const offered = (operation: AnyOperation) =>
      operation.faces === undefined || operation.faces.includes('rest')
    const creating = operations.filter(
      (operation) =>
        operation.effect === 'create' && operation.credential === undefined && offered(operation),
    )
    expect(creating.length).toBeGreaterThan(8)
    for (const operation of creating) {
      const { status, json } = await world.call(operation.name, sampleInput(operation), secret)
      expect([operation.name, status, json.error]).toEqual([operation.name, 403, 'forbidden'])
    }
    for (const line of ['POST /api/tokens', 'POST /magic-mcp-tokens', 'POST /magic-mcp-groups'])
      expect([line, (await ask(line, secret, { name: 'x' })).status]).toEqual([line, 403])
    const headers = { authorization: `Bearer ${secret}` }
    expect((await world.generate('{}', { headers })).status).toBe(400)
    expect((await world.generate({ password: 'wrong' }, { headers, from: '192.0.2.90' })).status).toBe(401)
    expect(await others()).toEqual(before)
  })

  it(`${verifies('gassapi:token:life:creator-removed')} removing its creator from the project revokes it for good, and so does deleting the creator`, async () => {
    const [left, deleted, stays] = [await creator(), await creator(), await creator()]
    const member = { project_id: world.project_id, user_id: left.user_id }
    await world.op('remove_project_member', member)
    await world.op('delete_user', { user_id: deleted.user_id, force: true })
    for (const { secret, id } of [left, deleted]) {
      expect(refused(await world.validate(secret))).toEqual(invalidToken)
      expect((await tokenOf(id)).status).toBe('revoked')
    }
    await world.op('add_project_member', member)
    expect(await valid(left.secret)).toBe(401)
    expect(await valid((await world.make({ email: left.email })).secret)).toBe(200)
    expect(await valid(stays.secret)).toBe(200)
  })

  it(`${verifies('gassapi:token:life:project-deleted')} deleting its project revokes it, and no other`, async () => {
    const project_id = (await world.op('create_project', { name: 'Ends' })).project.id
    await world.op('add_project_member', { project_id, user_id: world.user_id })
    const [ends, stays] = [await world.make({ project_id }), await world.make()]
    await world.op('delete_project', { project_id })
    expect(refused(await world.validate(ends.secret))).toEqual(invalidToken)
    expect((await world.generate({ project_id })).text).toBe(told.project)
    expect(await valid(stays.secret)).toBe(200)
  })

  it(`${verifies('gassapi:token:life:password-reset')} resetting its creator's password revokes it, and the new password makes another`, async () => {
    const { secret, user_id, email } = await creator()
    await world.op('reset_password', { user_id, new_password: 'another password' })
    expect(refused(await world.validate(secret))).toEqual(invalidToken)
    expect((await world.generate({ email }, { from: '192.0.2.110' })).text).toBe(told.login)
    expect(await valid((await world.make({ email, password: 'another password' })).secret)).toBe(200)
  })

  it(`${verifies('gassapi:project:id:format', 'gassapi:project:create:environment')} ids are their prefix and a part of letters and digits that grows with time, and a project begins with an environment`, async () => {
    const ids: string[] = []
    for (let n = 0; n < 5; n++) {
      const project_id = (await world.op('create_project', { name: `Numbered ${n}` })).project.id
      await world.op('add_project_member', { project_id, user_id: world.user_id })
      const { secret } = await world.make({ project_id })
      const { project, environments, user } = (await world.validate(secret)).json.data
      expect(project.id).toMatch(/^proj_[0-9A-Za-z]+$/)
      expect(environments).toHaveLength(1)
      expect(environments[0].id).toMatch(/^env_[0-9A-Za-z]+$/)
      expect(environments[0]).toMatchObject({ name: 'development', is_default: true, variables: {} })
      expect(user.id).toMatch(/^usr_[0-9A-Za-z]+$/)
      expect(user.mcp_token_id).toMatch(/^mgtk_[0-9A-Za-z]+$/)
      ids.push(project.id)
      world.clock.pass(10)
    }
    expect([...ids].sort()).toEqual(ids)
    for (const id of ids) expect(encodeURIComponent(id)).toBe(id)
  })
})
