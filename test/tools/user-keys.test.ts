import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { create_project } from '../../tools/projects/create_project.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { list_magic_tokens } from '../../tools/tokens/list_magic_tokens.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { set_token_enabled } from '../../tools/tokens/set_token_enabled.ts'
import { update_token } from '../../tools/tokens/update_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { generate_user_key } from '../../tools/users/generate_user_key.ts'
import { revoke_user_keys } from '../../tools/users/revoke_user_keys.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { verifies } from '../support/verifies.ts'
import {
  contents,
  leak,
  makeToken,
  plantKey,
  plantProject,
  plantServer,
  plantUser,
  setPolicy,
  stateTables,
  trailOf,
} from '../support/world.ts'

const operators = ['admin', 'operator'] as const
const both = { user_id: 'x', project_id: 'y' }
const kind = 'user_key' as const

describe.each(databases)('user keys on $name', (database) => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  const generate = async (where: { user_id: string; project_id: string }) => {
    const { token, delivery } = await instance.call('operator', generate_user_key, {
      user_id: where.user_id,
      project_id: where.project_id,
    })
    return { token, secret: delivery.secret ?? '' }
  }
  const verdict = async (token: string, server?: string) =>
    (await instance.call('reader', validate_token, { token, ...(server === undefined ? {} : { server }) }))
      .verdict

  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: generate_user_key,
        roles: operators,
        good: both,
        bad: [
          {},
          { user_id: 'x' },
          { ...both, kind: 'access' },
          { ...both, expires_in_days: 5 },
          { ...both, all_servers: false },
          { ...both, name: '' },
          { ...both, idempotency_key: 'short' },
        ],
      },
      { operation: revoke_user_keys, roles: operators, good: { user_id: 'x' }, bad: [{}, { user_id: 5 }] },
    ],
  )

  it(`${verifies('enkrypt:keys:generate:kind', 'enkrypt:keys:generate:format')} makes a user key without an end, which works at once, and of which only a digest is stored`, async () => {
    const { call } = instance
    const where = await plantProject(instance)
    let made = await generate(where)
    const rows = await trailOf(instance, async () => {
      made = await generate(where)
    })
    const { token, secret } = made
    expect(rows).toMatchObject([{ action: 'generate_user_key', target_id: token.id, outcome: 'ok' }])
    expect(secret).toMatch(/^mcpt_[0-9A-Za-z]{43}$/)
    expect(token).toMatchObject({
      kind: 'user_key',
      name: null,
      owner_id: where.user_id,
      owner_email: `${where.user_id.toLowerCase()}@example.com`,
      project_id: where.project_id,
      project_name: where.project_id,
      expires_at: null,
      status: 'active',
      prefix: secret.slice(0, 12),
      access: { all_servers: true },
      disabled_at: null,
      enabled_at: null,
    })
    expect(await verdict(secret)).toBe('valid')
    expect(await instance.actor(secret)).toMatchObject({ kind: 'user_key', id: token.id })
    const stored = await contents(instance, ['tokens', 'audit', 'links', 'idempotency'])
    expect(leak(Buffer.from(stored), secret)).toBe(-1)
    for (const operation of [create_token, update_token]) {
      const input = { token_id: token.id, name: 'x', kind: 'user_key' }
      expect(await refusal(call('admin', operation as typeof create_token, input as never))).toBe(
        'invalid_input',
      )
    }
  })

  it("reaches every server of its project's configuration and no other", async () => {
    const where = await plantProject(instance)
    const { secret } = await generate(where)
    const elsewhere = await plantServer(instance)
    expect(await verdict(secret, where.server.slug)).toBe('valid')
    expect(await verdict(secret, elsewhere.slug)).toBe('server_not_in_scope')
    const later = await plantServer(instance, { config_id: where.config_id })
    expect(await verdict(secret, later.slug)).toBe('valid')
  })

  it('refuses a user who is no member, and users and projects that are not there', async () => {
    const { call } = instance
    const { user_id, project_id } = await plantProject(instance)
    const stranger = await plantUser(instance)
    const ask = (input: object) =>
      refusalError(call('operator', generate_user_key, { user_id, project_id, ...input }))
    expect(await ask({ user_id: stranger })).toMatchObject({ code: 'conflict', reason: 'not_member' })
    expect(await ask({ user_id: 'usr_none' })).toMatchObject({ code: 'not_found', entity: 'user' })
    expect(await ask({ project_id: 'proj_none' })).toMatchObject({ code: 'not_found', entity: 'project' })
  })

  it('R15: makes none once max_lifetime_days is set, and none that outlives or outreaches the caller', async () => {
    const { call, actor } = instance
    const where = await plantProject(instance)
    const input = { user_id: where.user_id, project_id: where.project_id }
    await setPolicy(instance, { max_lifetime_days: 30 })
    const before = await contents(instance, stateTables)
    expect(await refusalError(call('operator', generate_user_key, input))).toMatchObject({
      code: 'invalid_input',
      reason: 'max_lifetime_days',
      message: 'Tokens without an expiry are not allowed here: max_lifetime_days is set.',
    })
    expect(await contents(instance, stateTables)).toBe(before)
    await setPolicy(instance, { max_lifetime_days: null })
    const soon = new Date(instance.clock.now + 86_400_000).toISOString()
    const expiring = await plantKey(instance, 'management', { expires_at: soon })
    expect(await refusal(call(await actor(expiring.secret), generate_user_key, input))).toBe('forbidden')
    const limited = await plantKey(instance, 'management', { allowed_ips: '["10.0.0.0/8"]' })
    const { token } = await call(await actor(limited.secret, '10.0.0.1'), generate_user_key, input)
    expect(token.allowed_ips).toEqual(['10.0.0.0/8'])
    const theirs = await plantProject(instance)
    const bound = await plantKey(instance, 'management', { project_id: theirs.project_id })
    expect(await refusal(call(await actor(bound.secret), generate_user_key, input))).toBe('not_found')
  })

  it('R7, R47: hands a model a link, and answers a repeat the same', async () => {
    const { call } = instance
    const { user_id, project_id } = await plantProject(instance)
    const input = { user_id, project_id, idempotency_key: 'repeated-0123456789' }
    const first = await call('operator', generate_user_key, input, 'mcp')
    expect(first.delivery).toMatchObject({ kind: 'link', code: expect.stringMatching(/^once_/) })
    expect(first.delivery.secret).toBeUndefined()
    expect(await call('operator', generate_user_key, input, 'mcp')).toEqual(first)
    expect((await call('reader', list_magic_tokens, { project_id })).total).toBe(1)
  })

  it('revokes all keys of a user, also when there are none, and neither access tokens nor keys of others', async () => {
    const { call } = instance
    const where = await plantProject(instance)
    const other = await plantProject(instance)
    const keys = [await generate(where), await generate(where)]
    const theirs = await generate(other)
    const plain = await makeToken(instance, { owner_id: where.user_id, project_id: where.project_id })
    const rows = await trailOf(instance, async () => {
      const done = await call('operator', revoke_user_keys, { user_id: where.user_id })
      expect(done).toMatchObject({ user: { id: where.user_id }, revoked: 2 })
    })
    expect(rows.map((row) => `${row.action} ${row.target_id}`).sort()).toEqual(
      [`revoke_user_keys ${where.user_id}`, ...keys.map(({ token }) => `revoke_token ${token.id}`)].sort(),
    )
    expect(await Promise.all(keys.map((key) => verdict(key.secret)))).toEqual(['revoked', 'revoked'])
    expect([await verdict(theirs.secret), await verdict(plain.secret)]).toEqual(['valid', 'valid'])
    expect((await call('operator', revoke_user_keys, { user_id: where.user_id })).revoked).toBe(0)
    expect(await refusal(call('operator', revoke_user_keys, { user_id: 'usr_none' }))).toBe('not_found')
  })

  it('R15: an operator key bound to a project revokes the keys of that project alone', async () => {
    const { call, actor } = instance
    const where = await plantProject(instance)
    const elsewhere = await plantProject(instance)
    await instance.core.store.write((db) =>
      db
        .insertInto('project_members')
        .values({
          project_id: elsewhere.project_id,
          user_id: where.user_id,
          created_at: new Date().toISOString(),
        })
        .execute(),
    )
    const here = await generate(where)
    const there = await generate({ user_id: where.user_id, project_id: elsewhere.project_id })
    const { secret } = await plantKey(instance, 'management', { project_id: where.project_id })
    const bound = await actor(secret)
    expect((await call(bound, revoke_user_keys, { user_id: where.user_id })).revoked).toBe(1)
    expect([await verdict(here.secret), await verdict(there.secret)]).toEqual(['revoked', 'valid'])
    expect(await refusal(call(bound, revoke_user_keys, { user_id: elsewhere.user_id }))).toBe('not_found')
  })

  describe('as a dialect names them', () => {
    it(`${verifies('enkrypt:keys:address:three-forms')} by id, by the prefix of one key, or by the whole secret`, async () => {
      const { dialect } = instance
      const where = await plantProject(instance)
      const { token, secret } = await generate(where)
      for (const token_id of [token.id, token.prefix, secret]) {
        const found = await dialect('reader', get_token, { token_id, kind })
        expect([found.token.id, found.config]).toEqual([
          token.id,
          { id: where.config_id, name: where.config_id },
        ])
      }
      const lost = [
        'mgtk_0000000000000000000001',
        'mcpt_Example',
        secret.slice(0, 11),
        secret.slice(0, 13),
        `${secret.slice(0, -1)}x`,
        where.project_id,
        'no such key',
      ]
      for (const token_id of lost) {
        const error = await refusalError(dialect('reader', get_token, { token_id, kind }))
        expect([token_id, error.code, error.entity]).toEqual([token_id, 'not_found', 'user key'])
        expect(JSON.stringify([error.message, error.id ?? ''])).not.toContain(token_id.slice(0, 11))
      }
    })

    it('refuses a prefix that two keys have, in every operation, and does nothing', async () => {
      const { dialect } = instance
      const where = await plantProject(instance)
      const columns = { owner_id: where.user_id, project_id: where.project_id, prefix: 'mcpt_Twofold' }
      await plantKey(instance, 'user_key', columns)
      await plantKey(instance, 'user_key', columns)
      const named = { token_id: 'mcpt_Twofold', kind }
      const before = await contents(instance, stateTables)
      const calls = [
        dialect('operator', get_token, named),
        dialect('operator', rotate_token, named),
        dialect('operator', revoke_token, named),
        dialect('operator', set_token_enabled, { ...named, enabled: false }),
      ]
      for (const error of await Promise.all(calls.map(refusalError)))
        expect(error).toMatchObject({ code: 'conflict', reason: 'ambiguous' })
      expect(await contents(instance, stateTables)).toBe(before)
    })

    it('finds no access token, no management key and no key that is revoked', async () => {
      const { dialect } = instance
      const where = await plantProject(instance)
      const plain = await makeToken(instance, { owner_id: where.user_id, project_id: where.project_id })
      const management = await plantKey(instance, 'management')
      const { token, secret } = await generate(where)
      await dialect('operator', revoke_token, { token_id: token.id, kind })
      const named = [
        plain.id,
        plain.secret,
        plain.token.prefix,
        management.secret,
        token.id,
        secret,
        token.prefix,
      ]
      for (const token_id of named) {
        const calls = [
          dialect('operator', get_token, { token_id, kind }),
          dialect('operator', rotate_token, { token_id, kind }),
          dialect('operator', revoke_token, { token_id, kind }),
          dialect('operator', set_token_enabled, { token_id, kind, enabled: true }),
        ]
        expect(await Promise.all(calls.map(refusal))).toEqual(Array(4).fill('not_found'))
      }
      expect(await verdict(plain.secret)).toBe('valid')
    })

    it('changes a key by its secret, and the trail holds its id and never the secret', async () => {
      const { dialect } = instance
      const where = await plantProject(instance)
      const { token, secret } = await generate(where)
      let next = ''
      const rows = await trailOf(instance, async () => {
        await dialect('operator', set_token_enabled, { token_id: secret, kind, enabled: false })
        expect(await verdict(secret)).toBe('disabled')
        const off = await dialect('operator', set_token_enabled, { token_id: secret, kind, enabled: false })
        expect(off).toMatchObject({ changed: false, token: { disabled_at: expect.any(String) } })
        const on = await dialect('operator', set_token_enabled, { token_id: secret, kind, enabled: true })
        expect(on.token.enabled_at).toBeTruthy()
        const turned = await dialect('operator', rotate_token, { token_id: secret, kind })
        next = turned.delivery.secret ?? ''
        expect([await verdict(secret), await verdict(next)]).toEqual(['unknown', 'valid'])
        await dialect('operator', revoke_token, { token_id: next, kind })
        expect(await verdict(next)).toBe('revoked')
      })
      expect(rows.map((row) => [row.action, row.target_id])).toEqual([
        ...Array(3).fill(['set_token_enabled', token.id]),
        ['rotate_token', token.id],
        ['revoke_token', token.id],
      ])
      const denied = await trailOf(instance, () =>
        refusal(dialect('reader', revoke_token, { token_id: next, kind })),
      )
      expect(denied).toMatchObject([{ action: 'revoke_token', outcome: 'denied' }])
      for (const text of [secret, next])
        expect(leak(Buffer.from(JSON.stringify([rows, denied])), text)).toBe(-1)
    })

    it('R44: of concurrent rotations by the secret one wins; the others are conflicts, or come too late for that secret', async () => {
      const { dialect } = instance
      const { secret } = await generate(await plantProject(instance))
      const tries = await Promise.allSettled(
        Array.from({ length: 10 }, () => dialect('operator', rotate_token, { token_id: secret, kind })),
      )
      const lost = tries.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []))
      expect(tries.length - lost.length).toBe(1)
      expect(lost.filter((code) => !['conflict', 'not_found'].includes(code))).toEqual([])
    })

    it('an expired key is neither rotated nor switched, and can be revoked', async () => {
      const { dialect, call } = instance
      const { token } = await generate(await plantProject(instance))
      const named = { token_id: token.prefix, kind }
      await call('operator', update_token, { token_id: token.id, expires_in_days: 1 })
      instance.clock.pass(86_400_000)
      const calls = [
        dialect('operator', rotate_token, named),
        dialect('operator', set_token_enabled, { ...named, enabled: false }),
        dialect('operator', set_token_enabled, { ...named, enabled: true }),
      ]
      for (const error of await Promise.all(calls.map(refusalError)))
        expect(error).toMatchObject({ code: 'conflict', reason: 'expired' })
      expect((await dialect('operator', revoke_token, named)).changed).toBe(true)
    })

    it('lists user keys or access tokens apart, of a user and a project that must be there', async () => {
      const { dialect, call } = instance
      const where = await plantProject(instance)
      const other = (await call('admin', create_project, { name: `beside ${where.project_id}` })).project
      const first = await generate(where)
      const second = await generate(where)
      const plain = await makeToken(instance, { owner_id: where.user_id, project_id: where.project_id })
      const list = async (more: object) => {
        const { tokens } = await dialect('reader', list_magic_tokens, { all: true, ...more })
        return tokens.map((one) => one.id)
      }
      const email = `${where.user_id}@EXAMPLE.com`
      for (const owner_id of [where.user_id, email]) {
        expect(await list({ kind, owner_id })).toEqual([first.token.id, second.token.id])
      }
      expect(await list({ kind: 'access', owner_id: where.user_id })).toEqual([plain.id])
      expect(await list({ kind, project_id: where.project_id })).toHaveLength(2)
      expect(await list({ kind, project_id: other.name })).toEqual([])
      for (const [more, entity] of [
        [{ owner_id: 'nobody@example.com' }, 'user'],
        [{ project_id: 'no such project' }, 'project'],
      ] as const) {
        const error = await refusalError(list({ kind, ...more }))
        expect([error.code, error.entity]).toEqual(['not_found', entity])
      }
      expect(await refusal(call('reader', list_magic_tokens, { kind } as never))).toBe('invalid_input')
    })
  })
})
