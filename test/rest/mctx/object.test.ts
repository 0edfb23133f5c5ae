import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openApp } from '../../../src/app.ts'
import { StartRefused } from '../../../src/core/master-key.ts'
import { wellFormed } from '../../../src/domain/secret.ts'
import { makeLog } from '../../../src/log.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { leak, plantGroup, plantServer, setPolicy } from '../../support/world.ts'
import { openWorld, type Token, told, unauthorized, type World } from './world.ts'

const members = [
  'id',
  'name',
  'prefix',
  'status',
  'expires_at',
  'allowed_ips',
  'all_servers',
  'scopes',
  'last_used_at',
  'created_at',
  'revoked_at',
]

/** CRC-32 (IEEE) of the text as 6 digits of base 62: written here again, as a scanner would. */
function checksumOf(text: string): string {
  let crc = 0xffffffff
  for (const byte of Buffer.from(text)) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  let rest = (crc ^ 0xffffffff) >>> 0
  let out = ''
  for (let at = 0; at < 6; at++) {
    out = digits[rest % 62] + out
    rest = Math.floor(rest / 62)
  }
  return out
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

  const get = async (id: string, as?: string): Promise<Token> =>
    (await world.ask(`GET /api/tokens/${id}`, as === undefined ? {} : { as })).json
  const validate = async (token: string) => (await world.op('validate_token', { token })).verdict

  it(`${verifies('mctx:wire:success:flat', 'mctx:token:object:token-once', 'mctx:token:object:extra')} is flat, and holds the secret in the answers of create and rotate and in no other`, async () => {
    const made = await world.ask('POST /api/tokens', { body: { name: 'once' } })
    expect(Object.keys(made.json)).toEqual(['token', ...members])
    const { id, token: first } = made.json
    const rotated = await world.ask(`POST /api/tokens/${id}/rotate`)
    expect(Object.keys(rotated.json)).toEqual(['token', ...members])
    const secrets = [first, rotated.json.token]
    const others = [
      await world.ask(`GET /api/tokens/${id}`),
      await world.ask(`GET /api/tokens/${id}`, { as: rotated.json.token }),
      await world.ask(`PATCH /api/tokens/${id}`, { body: { name: 'renamed' } }),
      await world.ask(`DELETE /api/tokens/${id}`),
      await world.ask(`DELETE /api/tokens/${id}`),
    ]
    for (const { status, json, text } of others) {
      expect([status, Object.keys(json)]).toEqual([200, members])
      for (const secret of secrets) expect(leak(Buffer.from(text), secret)).toBe(-1)
    }
    const list = await world.ask('GET /api/tokens?status=all')
    for (const item of list.json.tokens) expect(Object.keys(item)).toEqual(members)
    for (const secret of secrets) expect(leak(Buffer.from(list.text), secret)).toBe(-1)
  })

  it(`${verifies('mctx:token:object:id')} keeps its id through rotation and edits, and has the same one in every dialect`, async () => {
    const { id } = await world.make()
    expect(id).toMatch(/^mgtk_/)
    expect((await world.ask(`POST /api/tokens/${id}/rotate`)).json.id).toBe(id)
    expect((await world.ask(`PATCH /api/tokens/${id}`, { body: { expires_in_days: 3 } })).json.id).toBe(id)
    const authorization = `Bearer ${world.keys.operator}`
    const elsewhere = await world.send(`/magic-mcp-tokens/${id}`, { headers: { authorization } })
    expect([elsewhere.json.id, (await world.op('get_token', { token_id: id })).token.id]).toEqual([id, id])
  })

  it(`${verifies('mctx:token:object:prefix')} shows the first 12 characters of the current secret`, async () => {
    const made = await world.make()
    expect(made.prefix).toBe(made.token.slice(0, 12))
    const { json } = await world.ask(`POST /api/tokens/${made.id}/rotate`)
    expect(json.prefix).toBe(json.token.slice(0, 12))
    expect(json.prefix).not.toBe(made.prefix)
    expect((await get(made.id)).prefix).toBe(json.prefix)
  })

  it(`${verifies('mctx:token:object:expires-at')} ends at a time, or never if another dialect made it so`, async () => {
    expect((await world.make()).expires_at).toMatch(/Z$/)
    const { token } = await world.op('create_token', { name: 'permanent', expires_at: null })
    expect((await get(token.id)).expires_at).toBeNull()
  })

  it(`${verifies('mctx:token:object:scopes')} lists what it reaches now, each once: explicit, by groups, or all in its range`, async () => {
    const [a, b, c] = [
      await plantServer(world.beside, { name: 'My App' }),
      await plantServer(world.beside),
      await plantServer(world.beside),
    ]
    const nameless = (await world.op('create_server', { name: null })).server
    const group = await plantGroup(world.beside, [a.id, b.id])
    const { token } = await world.op('create_token', {
      name: 'both',
      access: { servers: [a.id, nameless.id], groups: [group] },
    })
    const { scopes } = await get(token.id)
    expect(scopes).toHaveLength(3)
    expect(scopes).toContainEqual({ server_id: a.id, server_name: 'My App', server_slug: a.slug })
    expect(scopes).toContainEqual({
      server_id: nameless.id,
      server_name: nameless.slug,
      server_slug: nameless.slug,
    })
    expect(scopes.map((scope) => scope.server_id)).toContain(b.id)
    await world.op('add_group_servers', { group_id: group, server_ids: [c.id] })
    await world.op('delete_server', { server_id: b.id })
    const now = (await get(token.id)).scopes.map((scope) => scope.server_id)
    expect(now.sort()).toEqual([a.id, c.id, nameless.id].sort())
    await world.op('delete_group', { group_id: group })
    expect((await get(token.id)).scopes.map((scope) => scope.server_id).sort()).toEqual(
      [a.id, nameless.id].sort(),
    )
    const all = await world.make({ server_ids: 'all' })
    const { servers } = await world.op('list_servers', { limit: 100 })
    expect(all.scopes.map((scope) => scope.server_id).sort()).toEqual(
      servers.map((server: { id: string }) => server.id).sort(),
    )
    const ranged = await world.make({ server_ids: 'all' }, world.userKey.secret)
    expect(ranged.scopes.map((scope) => scope.server_id)).toEqual([world.project.server.id])
    expect((await world.make()).scopes).toEqual([])
  })

  it(`${verifies('mctx:token:object:status')} is revoked before disabled before expired before active`, async () => {
    const soon = { expires_at: world.later(60_000) }
    const { token: waiting } = await world.op('create_token', {
      name: 'waits',
      not_before: world.later(30_000),
    })
    expect((await get(waiting.id)).status).toBe('active')
    const [expired, disabled, revoked] = [
      await world.make(soon),
      await world.make(soon),
      await world.make(soon),
    ]
    expect(expired.status).toBe('active')
    for (const { id } of [disabled, revoked])
      await world.op('set_token_enabled', { token_id: id, enabled: false })
    expect((await get(disabled.id)).status).toBe('disabled')
    await world.ask(`DELETE /api/tokens/${revoked.id}`)
    world.clock.pass(60_000)
    const states = await Promise.all(
      [expired, disabled, revoked].map(async ({ id }) => (await get(id)).status),
    )
    expect(states).toEqual(['expired', 'disabled', 'revoked'])
  })

  it(`${verifies('mctx:token:object:last-used')} tells of the first use of a secret on the next read, of later ones within a minute`, async () => {
    const { id, token } = await world.make()
    expect((await get(id)).last_used_at).toBeNull()
    const first = world.later(0)
    expect(await validate(token)).toBe('valid')
    expect((await get(id)).last_used_at).toBe(first)
    world.clock.pass(5_000)
    const { json } = await world.ask(`POST /api/tokens/${id}/rotate`)
    const second = world.later(0)
    expect(await validate(json.token)).toBe('valid')
    expect((await get(id)).last_used_at).toBe(second)
    world.clock.pass(5_000)
    const third = world.later(0)
    expect(await validate(json.token)).toBe('valid')
    await vi.advanceTimersByTimeAsync(60_000)
    await vi.waitFor(async () => expect((await get(id)).last_used_at).toBe(third))
  })

  describe('its secret', () => {
    it(`${verifies('mctx:token:format:length', 'mctx:token:format:scannable')} is a prefix, 37 random characters and a checksum anybody can verify offline`, async () => {
      const secrets = await Promise.all(Array.from({ length: 30 }, async () => (await world.make()).token))
      for (const secret of secrets) {
        expect(secret).toMatch(/^mcpt_[0-9A-Za-z]{43}$/)
        expect(secret).toHaveLength(48)
        const found = `export X=${secret}; # ${secret}, "${secret}"`.match(
          /\b[a-z0-9]{2,8}_[0-9A-Za-z]{43}\b/g,
        )
        expect(found).toEqual([secret, secret, secret])
        expect(checksumOf(secret.slice(0, -6))).toBe(secret.slice(-6))
      }
      expect(new Set(secrets).size).toBe(30)
      expect(37 * Math.log2(62)).toBeGreaterThan(220)
      await world.ask('GET /api/tokens', { as: secrets[0]! })
      await world.send(`/api/tokens/${secrets[0]}?token=${secrets[0]}`, {
        headers: { authorization: `Bearer ${secrets[0]}`, cookie: `t=${secrets[0]}` },
      })
      const everything = Buffer.from(world.log.join('\n'))
      for (const secret of secrets) expect(leak(everything, secret)).toBe(-1)
    })

    it(`${verifies('mctx:token:format:exact-match')} is compared as the exact string`, async () => {
      const { id, token } = await world.make()
      const flipped = [...token].findIndex((char, at) => at > 5 && char !== char.toUpperCase())
      const variants = [
        token.toUpperCase(),
        token.slice(0, flipped) + token[flipped]!.toUpperCase() + token.slice(flipped + 1),
        `MCPT${token.slice(4)}`,
        `${token.slice(0, 20)} ${token.slice(20)}`,
        token.slice(0, -1),
        token.slice(1),
        `${token}a`,
        `${token}${token}`,
        `"${token}"`,
        id,
        token.slice(0, 12),
      ]
      for (const as of variants) {
        const refused = await world.ask(`GET /api/tokens/${id}`, { as })
        expect([as, refused.status, refused.text]).toEqual([as, 401, unauthorized])
      }
      expect((await world.ask(`GET /api/tokens/${id}`, { as: token })).status).toBe(200)
    })

    it(`${verifies('mctx:token:format:prefix')} has the prefix that is set, older secrets stay valid, and one prefix for both kinds is refused`, async () => {
      const older = await world.make()
      for (const token_prefix of ['mctx', 'ab', '12345678']) {
        await world.op('update_settings', { token_prefix })
        const made = await world.make()
        expect(made.token).toMatch(new RegExp(`^${token_prefix}_[0-9A-Za-z]{43}$`))
        expect(wellFormed(made.token)).toBe(true)
        expect([await validate(made.token), await validate(older.token)]).toEqual(['valid', 'valid'])
      }
      const key_prefix: string = (await world.op('get_settings', {})).settings.key_prefix
      for (const token_prefix of [key_prefix, 'a', '123456789', 'UPPER', 'a_b', '', 'é1'])
        expect((await world.call('update_settings', { token_prefix })).status).toBe(400)
      // What a secret is comes from its row: one with the prefix of a management key manages nothing.
      await world.op('update_settings', { key_prefix: 'keys', token_prefix: 'mcpm' })
      const disguised = await world.make({ server_ids: 'all' })
      expect(disguised.token).toMatch(/^mcpm_/)
      expect(told(await world.ask('GET /api/tokens', { as: disguised.token }))).toEqual([
        403,
        -32003,
        'Forbidden',
      ])
      expect((await world.ask('GET /api/tokens', { as: world.keys.operator })).status).toBe(200)
      // No operation stores it; a process that finds it does not start.
      await setPolicy(world.beside, { token_prefix: 'same', key_prefix: 'same' })
      const { dataDir, location } = world.place
      const start = openApp({ dataDir, location, serving: true, log: makeLog('silent') })
      await expect(start).rejects.toThrow(StartRefused)
      await expect(start).rejects.toThrow('key_prefix must differ from token_prefix')
      await setPolicy(world.beside, { token_prefix: 'mcpt', key_prefix: 'mcpm' })
    })
  })
})
