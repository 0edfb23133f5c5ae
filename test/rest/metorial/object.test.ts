import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { plantKey } from '../../support/world.ts'
import { openWorld, type Thing, unknownId, type World } from './world.ts'

const members = [
  'object',
  'id',
  'status',
  'secret',
  'secret_redacted',
  'server',
  'endpoint',
  'groups',
  'name',
  'description',
  'metadata',
  'created_at',
  'updated_at',
  'access',
  'disabled',
  'expires_at',
  'last_used_at',
  'deleted_at',
]

/** Base 62 of the contract, section 5, written again. */
function base62(number: number): string {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  let text = ''
  for (let rest = number; rest > 0; rest = Math.floor(rest / 62)) text = `${digits[rest % 62]}${text}`
  return text.padStart(6, '0')
}

describe.each(databases)('the token object on $name', (database) => {
  let world: World
  beforeAll(async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    world = await openWorld(database)
  })
  afterAll(async () => {
    vi.useRealTimers()
    await world.close()
  })

  /** The token in every answer that shows it, made by `change`. */
  async function everywhere(token: Thing): Promise<Thing[]> {
    const path = `/magic-mcp-tokens/${token.id}`
    const none = { magic_mcp_group_ids: [] }
    const listed = await world.admin('GET /magic-mcp-tokens?order=desc&limit=100')
    return [
      (await world.admin(`GET ${path}`)).json,
      listed.json.items.find(({ id }: Thing) => id === token.id),
      (await world.admin(`PATCH ${path}`, {})).json,
      (await world.admin(`POST ${path}/add-groups`, none)).json,
      (await world.admin(`POST ${path}/remove-groups`, none)).json,
    ]
  }

  it(`${verifies('metorial:token:object:object', 'metorial:token:object:id', 'metorial:token:object:name', 'metorial:token:object:description', 'metorial:token:object:metadata')} has its members in every answer, with what was given`, async () => {
    const plain = await world.token({ name: 'plain' })
    const full = await world.token({ name: 'full', description: 'of all', metadata: { a: [1] } })
    for (const token of [plain, full]) {
      for (const shown of [token, ...(await everywhere(token))]) {
        expect(Object.keys(shown).sort()).toEqual([...members].sort())
        expect(shown.object).toBe('magic_mcp.token')
        expect(shown.id).toBe(token.id)
      }
    }
    expect(plain).toMatchObject({ name: 'plain', description: null, metadata: {} })
    expect(full).toMatchObject({ name: 'full', description: 'of all', metadata: { a: [1] } })
    const rotated = (await world.admin(`POST /magic-mcp-tokens/${full.id}/rotate`)).json
    expect(rotated.id).toBe(full.id)
    const renamed = await world.admin(`PATCH /magic-mcp-tokens/${full.id}`, { name: 'new', description: 'd' })
    expect(renamed.json).toMatchObject({ id: full.id, name: 'new', description: 'd' })
  })

  it(`${verifies('metorial:token:object:name')} name is null only for a token made elsewhere without one`, async () => {
    const { id } = await plantKey(world.beside, 'access', { name: null })
    expect((await world.admin(`GET /magic-mcp-tokens/${id}`)).json.name).toBeNull()
    expect((await world.token({ name: '' })).name).toBe('')
  })

  it(`${verifies('metorial:token:object:status', 'metorial:token:object:extras')} status is active or deleted; the members beside it tell the rest`, async () => {
    const made = await world.running.call('create_token', { name: 'ends', expires_in_days: 1 })
    const { id } = made.json.token
    const get = async () => (await world.admin(`GET /magic-mcp-tokens/${id}`)).json
    expect(await get()).toMatchObject({ status: 'active', disabled: false, deleted_at: null })
    await world.running.call('set_token_enabled', { token_id: id, enabled: false })
    expect(await get()).toMatchObject({ status: 'active', disabled: true })
    world.running.clock.pass(2 * 86_400_000)
    const now = new Date(world.running.clock.now).toISOString()
    const expired = await get()
    expect(expired).toMatchObject({ status: 'active', disabled: true, deleted_at: null })
    expect(expired.expires_at < now).toBe(true)
    const deleted = (await world.admin(`DELETE /magic-mcp-tokens/${id}`)).json
    expect(deleted).toMatchObject({ status: 'deleted', deleted_at: now, updated_at: now })
    expect(await get()).toEqual(deleted)
  })

  it(`${verifies('metorial:token:object:secret', 'metorial:token:object:secret-redacted')} the secret is whole in the answers of create and rotate and "" in all others`, async () => {
    const token = await world.token()
    expect(token.secret).toMatch(/^mcpt_/)
    const rotated = (await world.admin(`POST /magic-mcp-tokens/${token.id}/rotate`)).json
    expect(rotated.secret).toMatch(/^mcpt_/)
    expect(rotated.secret).not.toBe(token.secret)
    const redacted = (secret: string) => `${secret.slice(0, 12)}\u2026${secret.slice(-4)}`
    expect([token.secret_redacted, rotated.secret_redacted]).toEqual([
      redacted(token.secret),
      redacted(rotated.secret),
    ])
    const shown = [
      ...(await everywhere(token)),
      (await world.as(rotated.secret)(`GET /magic-mcp-tokens/${token.id}`)).json,
      (await world.admin(`DELETE /magic-mcp-tokens/${token.id}`)).json,
      (await world.admin(`GET /magic-mcp-tokens/${token.id}`)).json,
    ]
    for (const one of shown) expect([one.secret, one.secret_redacted]).toEqual(['', redacted(rotated.secret)])
    const { items } = (await world.admin('GET /magic-mcp-tokens?limit=100')).json
    expect(new Set(items.map(({ secret }: Thing) => secret))).toEqual(new Set(['']))
  })

  it(`${verifies('metorial:token:object:secret-format')} a secret is prefix, 37 random characters and the checksum over both`, async () => {
    const example = 'mcpt_ExampleSecretDoNotUse00000000000000013drjit'
    const secrets = [example]
    for (let n = 0; n < 10; n += 1) secrets.push((await world.token()).secret)
    for (const secret of secrets) {
      expect(secret).toMatch(/^mcpt_[0-9A-Za-z]{43}$/)
      expect(secret).toHaveLength(48)
      expect(secret.slice(-6)).toBe(base62(crc32(secret.slice(0, -6))))
    }
    expect(new Set(secrets).size).toBe(11)
    await world.running.call('update_settings', { token_prefix: 'acme' })
    expect((await world.token()).secret).toMatch(/^acme_[0-9A-Za-z]{43}$/)
    await world.running.call('update_settings', { token_prefix: 'mcpt' })
  })

  it(`${verifies('metorial:token:object:groups')} groups are whole objects in id order, each once, and a deleted one leaves`, async () => {
    const groups = [
      await world.group({ name: 'A', metadata: { a: 1 } }),
      await world.group(),
      await world.group(),
    ]
    const [first, second, third] = groups as [Thing, Thing, Thing]
    const given = [third.id, first.id, second.id, first.id]
    const token = await world.token({ group_ids: given })
    expect(token.groups).toEqual(groups)
    for (const shown of await everywhere(token)) expect(shown.groups).toEqual(groups)
    await world.admin(`DELETE /magic-mcp-groups/${second.id}`)
    for (const shown of await everywhere(token)) expect(shown.groups).toEqual([first, third])
    expect((await world.token()).groups).toEqual([])
  })

  it(`${verifies('metorial:token:object:created-at', 'metorial:token:object:updated-at')} created_at never changes, updated_at with real changes and not by use`, async () => {
    const { clock } = world.running
    const group = await world.group()
    const token = await world.token()
    const path = `/magic-mcp-tokens/${token.id}`
    expect(token.created_at).toBe(token.updated_at)
    let last = token.updated_at
    const steps: [boolean, string, unknown?][] = [
      [true, `PATCH ${path}`, { name: 'renamed' }],
      [true, `PATCH ${path}`, { metadata: { a: 1 } }],
      [false, `PATCH ${path}`, {}],
      [false, `GET ${path}`],
      [true, `POST ${path}/add-groups`, { magic_mcp_group_ids: [group.id] }],
      [false, `POST ${path}/add-groups`, { magic_mcp_group_ids: [group.id] }],
      [false, `POST ${path}/add-groups`, { magic_mcp_group_ids: [] }],
      [true, `POST ${path}/remove-groups`, { magic_mcp_group_ids: [group.id] }],
      [false, `POST ${path}/remove-groups`, { magic_mcp_group_ids: [group.id] }],
      [true, `POST ${path}/rotate`],
      [true, `DELETE ${path}`],
    ]
    let { secret } = token
    for (const [changes, line, body] of steps) {
      clock.pass(1_000)
      const { json } = await world.admin(line, body)
      const now = new Date(clock.now).toISOString()
      expect([line, json.created_at, json.updated_at]).toEqual([line, token.created_at, changes ? now : last])
      last = json.updated_at
      if (line.endsWith('rotate')) secret = json.secret
      if (line.startsWith('DELETE')) continue
      clock.pass(1_000)
      const used = (await world.as(secret)(`GET ${path}`)).json
      expect([line, used.updated_at]).toEqual([line, last])
    }
  })

  it(`${verifies('metorial:token:object:server-endpoint')} server is shown for exactly one explicit server and no group`, async () => {
    const [one, two] = [await world.server({ name: 'One', description: 'of two' }), await world.server()]
    const group = await world.group()
    const linked = await world.token({ magic_mcp_server_id: one.id })
    const preview = {
      object: 'magic_mcp.server#preview',
      id: one.id,
      status: 'active',
      name: 'One',
      description: 'of two',
    }
    for (const shown of [linked, ...(await everywhere(linked))])
      expect([shown.server, shown.endpoint]).toEqual([preview, null])
    await world.admin(`POST /magic-mcp-tokens/${linked.id}/add-groups`, { magic_mcp_group_ids: [group.id] })
    for (const shown of await everywhere(linked)) expect(shown.server).toBeNull()
    await world.admin(`POST /magic-mcp-tokens/${linked.id}/remove-groups`, {
      magic_mcp_group_ids: [group.id],
    })
    for (const shown of await everywhere(linked)) expect(shown.server).toEqual(preview)
    await world.running.call('update_token', { token_id: linked.id, access: { servers: [one.id, two.id] } })
    for (const shown of await everywhere(linked)) expect(shown.server).toBeNull()
    await world.admin(`DELETE /magic-mcp-servers/${two.id}`)
    for (const shown of await everywhere(linked)) expect(shown.server).toEqual(preview)
    for (const other of [await world.token(), await world.token({ group_ids: [group.id] })])
      expect([other.server, other.endpoint]).toEqual([null, null])
  })

  it(`${verifies('metorial:token:object:access')} access tells what is reached, and nothing is nothing`, async () => {
    const [a, b] = [await world.server(), await world.server()]
    const group = await world.group()
    const reaches = async (secret: string, server: Thing) =>
      (await world.running.call('validate_token', { token: secret, server: server.id })).json.valid as boolean
    const open = await world.token()
    expect(open.access).toEqual({ all_servers: true, magic_mcp_server_ids: [] })
    expect(await reaches(open.secret, a)).toBe(true)
    const both = await world.running.call('create_token', { name: 'x', access: { servers: [b.id, a.id] } })
    const shown = (await world.admin(`GET /magic-mcp-tokens/${both.json.token.id}`)).json
    expect(shown.access).toEqual({ all_servers: false, magic_mcp_server_ids: [a.id, b.id] })
    expect(await reaches(both.json.delivery.secret, b)).toBe(true)
    const nothing = await world.token({ group_ids: [group.id] })
    const emptied = await world.admin(`POST /magic-mcp-tokens/${nothing.id}/remove-groups`, {
      magic_mcp_group_ids: [group.id],
    })
    expect([emptied.json.groups, emptied.json.access]).toEqual([
      [],
      { all_servers: false, magic_mcp_server_ids: [] },
    ])
    expect(await reaches(nothing.secret, a)).toBe(false)
    expect(await reaches(nothing.secret, b)).toBe(false)
  })

  it(`${verifies('metorial:token:object:extras')} the first use shows at once, later ones within a minute`, async () => {
    const { clock } = world.running
    const token = await world.token()
    const path = `GET /magic-mcp-tokens/${token.id}`
    const lastUse = async () => (await world.admin(path)).json.last_used_at
    expect([token.last_used_at, await lastUse()]).toEqual([null, null])
    clock.pass(1_000)
    const first = new Date(clock.now).toISOString()
    await world.as(token.secret)(`GET /magic-mcp-tokens/${unknownId.token}`)
    expect(await lastUse()).toBe(first)
    clock.pass(5_000)
    const second = new Date(clock.now).toISOString()
    await world.as(token.secret)(path)
    await vi.advanceTimersByTimeAsync(60_000)
    await vi.waitFor(async () => expect(await lastUse()).toBe(second))
  })
})
