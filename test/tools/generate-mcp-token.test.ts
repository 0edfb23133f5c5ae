import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { z } from 'zod'
import * as users from '../../db/users.ts'
import type { UserActor } from '../../src/core/actor.ts'
import { hashPassword, proofOf } from '../../src/core/password.ts'
import { invokeWithPassword } from '../../src/core/with-password.ts'
import { add_project_member } from '../../tools/projects/add_project_member.ts'
import { create_project } from '../../tools/projects/create_project.ts'
import { delete_project } from '../../tools/projects/delete_project.ts'
import { remove_project_member } from '../../tools/projects/remove_project_member.ts'
import { update_project } from '../../tools/projects/update_project.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { describe_credential } from '../../tools/tokens/describe_credential.ts'
import { generate_mcp_token } from '../../tools/tokens/generate_mcp_token.ts'
import { get_token } from '../../tools/tokens/get_token.ts'
import { list_magic_tokens } from '../../tools/tokens/list_magic_tokens.ts'
import { revoke_mcp_token } from '../../tools/tokens/revoke_mcp_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { delete_user } from '../../tools/users/delete_user.ts'
import { update_user } from '../../tools/users/update_user.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { verifies } from '../support/verifies.ts'
import { contents, leak, plantProject, plantUser, setPolicy, stateTables, trailOf } from '../support/world.ts'

const password = 'correct horse battery staple'

type Generated = z.output<typeof generate_mcp_token.output>

describe.each(databases)('generate_mcp_token on $name', (database) => {
  let instance: Instance
  let digest: string
  let made = 0
  beforeAll(async () => {
    instance = await openInstance(database)
    digest = await hashPassword(password)
  })
  afterAll(() => instance.close())

  /** A member with a password, and their project; the member signs in over HTTP. */
  const furnish = async (project: { name?: string; description?: string } = {}) => {
    made += 1
    const email = `member${made}@example.com`
    const user_id = await plantUser(instance, { email, name: `Member ${made}`, password_hash: digest })
    const { call } = instance
    const created = await call('admin', create_project, { name: `Project ${made}`, ...project })
    const project_id = created.project.id
    await call('admin', add_project_member, { project_id, user_id })
    return { email, user_id, project_id, created: created.project }
  }
  const from = { via: 'gassapi', ip: '192.0.2.1', client: null, request_id: 'req_test' } as const
  const generate = async (email: string, project_id: string, more: object = {}) =>
    (await invokeWithPassword(instance.core, from, generate_mcp_token, {
      email,
      password,
      project_id,
      ...more,
    })) as Generated
  const verdict = async (secret: string) => (await instance.core.verifier.verify(secret, {})).verdict
  /** Everything stored, uses of tokens included. */
  const state = async (tables: string[] = stateTables) => {
    await instance.core.uses.flush()
    return contents(instance, tables)
  }
  const user = async (id: string): Promise<UserActor> => {
    const row = await users.findLive(instance.core.store.read, {}, id)
    return { kind: 'user', id, name: row?.email ?? '', proof: proofOf(row?.password_hash ?? '') }
  }

  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: generate_mcp_token,
        roles: [],
        good: { project_id: 'x' },
        bad: [],
      },
      { operation: revoke_mcp_token, roles: [], good: { token_id: 'x' }, bad: [] },
    ],
  )

  it.each([
    {},
    { project_id: '' },
    { project_id: 1 },
    { project_id: 'x', kind: 'user_key' },
    { project_id: 'a\0' },
  ])('R20: refuses %j by the name of the member, before the password is looked at', async (input) => {
    const before = await state()
    const sent = { email: 'nobody@example.com', password: 'wrong', ...input }
    const call = invokeWithPassword(instance.core, from, generate_mcp_token, sent)
    const { code, field } = await refusalError(call)
    expect([code, typeof field]).toEqual(['invalid_input', 'string'])
    expect(await state()).toBe(before)
  })

  it.each([
    undefined,
    null,
    [],
    'text',
    {},
    { email: 'a@example.com' },
    { password },
    { email: '', password },
    { email: 1, password },
    { email: 'a@example.com', password: ['x'] },
  ])('refuses the credentials %j as bad input, and repeats nothing of them', async (body) => {
    const sent =
      body !== null && typeof body === 'object' && !Array.isArray(body) ? { ...body, project_id: 'x' } : body
    const error = await refusalError(invokeWithPassword(instance.core, from, generate_mcp_token, sent))
    expect(error.code).toBe('invalid_input')
    expect(error.message).not.toContain(password)
  })

  it(`${verifies('gassapi:token:format:prefixed', 'gassapi:token:life:name', 'gassapi:token:life:permanent', 'gassapi:generate:audit:event')} makes a permanent token of the project for the member who signs in, and one row for it`, async () => {
    const { email, user_id, project_id, created } = await furnish({ description: 'For tests' })
    let done: Generated | undefined
    const rows = await trailOf(instance, async () => {
      done = await generate(email.toUpperCase(), project_id)
    })
    expect(done?.secret).toMatch(/^mcpt_[0-9A-Za-z]{43}$/)
    expect(done).toEqual({
      user: { id: user_id, email, name: `Member ${made}` },
      project: {
        id: project_id,
        name: created.name,
        description: 'For tests',
        environments: [
          { id: created.environments[0]?.id, name: 'development', is_default: true, variables: {} },
        ],
      },
      token: expect.objectContaining({
        kind: 'access',
        name: `gassapi ${created.name}`,
        owner_id: user_id,
        created_by: user_id,
        project_id,
        expires_at: null,
        allowed_ips: null,
        status: 'active',
        access: { all_servers: true, servers: [], groups: [], tool_rules: null, limits: null },
      }),
      secret: done?.secret,
      public_url: null,
    })
    expect(rows).toMatchObject([
      {
        action: 'generate_mcp_token',
        outcome: 'ok',
        actor_kind: 'user',
        actor_id: user_id,
        actor_name: email,
        role: null,
        via: 'gassapi',
        ip: '192.0.2.1',
        target_id: done?.token.id,
      },
    ])
    expect(JSON.parse(rows[0]?.details ?? '')).toMatchObject({ project_id })
    for (const secret of [done?.secret ?? '', password])
      expect(leak(Buffer.from(JSON.stringify([rows, instance.log])), secret)).toBe(-1)
    expect(await verdict(done?.secret ?? '')).toBe('valid')
  })

  it(`${verifies('gassapi:token:format:exact')} compares the secret as the exact string`, async () => {
    const { email, project_id } = await furnish()
    const { secret } = await generate(email, project_id)
    const others = [
      secret.toUpperCase(),
      secret.toLowerCase(),
      secret.slice(0, -1),
      `${secret} `,
      secret.slice(5),
    ]
    for (const other of others) expect(await verdict(other)).toBe('unknown')
  })

  it(`${verifies('gassapi:token:life:name')} cuts the name to 200 characters and halves none`, async () => {
    const { email, project_id } = await furnish({ name: `${'é'.repeat(191)}😀${'x'.repeat(7)}` })
    const { token } = await generate(email, project_id)
    expect(token.name).toBe(`gassapi ${'é'.repeat(191)}`)
  })

  it(`${verifies('gassapi:token:life:many', 'gassapi:generate:login:parallel')} each sign-in makes another token, also at the same time, and the earlier ones stay`, async () => {
    const { email, project_id } = await furnish()
    const first = await generate(email, project_id)
    const many = await Promise.all(Array.from({ length: 10 }, () => generate(email, project_id)))
    const secrets = [first, ...many].map((one) => one.secret)
    expect(new Set(secrets).size).toBe(11)
    expect(await Promise.all(secrets.map(verdict))).toEqual(secrets.map(() => 'valid'))
  })

  it('R31: an unknown project, a foreign one and anything that is no id are one refusal, and leave one denied row', async () => {
    const { email, project_id, created } = await furnish()
    const foreign = await furnish()
    const asked = [
      foreign.project_id,
      'proj_0000000000000000000000',
      created.name,
      `${project_id}&act=help`,
      `${project_id} `,
      '../x',
      '%',
      "' or 1=1 --",
      'x'.repeat(10_000),
    ]
    const before = await state()
    for (const id of asked) {
      const rows = await trailOf(instance, async () => {
        const { code, message, reason, entity, id: about } = await refusalError(generate(email, id))
        expect({ code, message, reason, entity, about }).toEqual({
          code: 'forbidden',
          message: 'Project not found or access denied.',
          reason: 'project',
        })
      })
      expect(rows).toMatchObject([{ action: 'generate_mcp_token', outcome: 'denied', actor_name: email }])
    }
    expect(await state()).toBe(before)
  })

  it(`${verifies('gassapi:generate:login:no-side-effect')} a refused login or project makes no token and no session`, async () => {
    const { email, project_id } = await furnish()
    const foreign = await furnish()
    const tables = [...stateTables, 'project_members', 'environments', 'meta']
    const before = await state(tables)
    const wrong = { password: 'wrong password' }
    expect(await refusal(generate(email, project_id, wrong))).toBe('unauthenticated')
    expect(await refusal(generate('nobody@example.com', project_id))).toBe('unauthenticated')
    expect(await refusal(generate(email, foreign.project_id))).toBe('forbidden')
    expect(await refusal(generate(email, foreign.project_id, wrong))).toBe('unauthenticated')
    expect(await state(tables)).toBe(before)
  })

  it('refuses a token without an end once the operator has set max_lifetime_days, and makes none', async () => {
    const { email, project_id } = await furnish()
    await setPolicy(instance, { max_lifetime_days: 90 })
    const before = await state()
    const { code, reason, message } = await refusalError(generate(email, project_id))
    expect({ code, reason, message }).toEqual({
      code: 'invalid_input',
      reason: 'max_lifetime_days',
      message: 'Tokens without an expiry are not allowed here: max_lifetime_days is set.',
    })
    expect(await state()).toBe(before)
    await setPolicy(instance, { max_lifetime_days: null })
    await generate(email, project_id)
  })

  it('R47: the same key with the same body is the same answer for the same person, and for nobody else', async () => {
    const { email, user_id, project_id } = await furnish()
    const other = await furnish()
    await instance.call('admin', add_project_member, { project_id, user_id: other.user_id })
    const key = { idempotency_key: `a-random-key-of-test-${database.name}` }
    const first = await generate(email, project_id, key)
    expect(await generate(email, project_id, key)).toEqual(first)
    expect(await refusal(generate(email, project_id, { ...key, password: 'wrong' }))).toBe('unauthenticated')
    expect((await generate(other.email, project_id, key)).secret).not.toBe(first.secret)
    expect(await refusal(generate(email, other.project_id, key))).toBe('forbidden')
    await instance.call('admin', add_project_member, { project_id: other.project_id, user_id })
    expect(await refusal(generate(email, other.project_id, key))).toBe('conflict')
    instance.clock.pass(11 * 60_000)
    expect(await refusalError(generate(email, project_id, key))).toMatchObject({
      code: 'already_done',
      id: first.token.id,
    })
    const mine = await instance.call('reader', list_magic_tokens, { owner_id: user_id })
    expect(mine.tokens.map((one) => one.id)).toEqual([first.token.id])
  })

  it('R47: what a person may not any more is refused before a repeat gets its answer or is told of', async () => {
    const { email, user_id, project_id } = await furnish()
    const key = { idempotency_key: `another-key-of-test-${database.name}` }
    await generate(email, project_id, key)
    await setPolicy(instance, { max_lifetime_days: 90 })
    expect(await refusal(generate(email, project_id, key))).toBe('invalid_input')
    await setPolicy(instance, { max_lifetime_days: null })
    await instance.call('admin', remove_project_member, { project_id, user_id })
    const rows = await trailOf(instance, async () =>
      expect(await refusal(generate(email, project_id, key))).toBe('forbidden'),
    )
    expect(rows).toMatchObject([{ action: 'generate_mcp_token', outcome: 'denied', actor_id: user_id }])
  })

  it('a sign-in ends with the password it was made with, and with the account', async () => {
    const { user_id, project_id } = await furnish()
    const { call, core } = instance
    const early = await user(user_id)
    await core.store.write((db) => users.update(db, user_id, { password_hash: `${digest}x` }))
    expect(await refusal(call(early, generate_mcp_token, { project_id }))).toBe('unauthenticated')
    const late = await user(user_id)
    await call('admin', update_user, { user_id, enabled: false })
    expect(await refusalError(call(late, generate_mcp_token, { project_id }))).toMatchObject({
      code: 'forbidden',
      reason: 'project',
    })
    expect((await call('reader', list_magic_tokens, { owner_id: user_id })).tokens).toEqual([])
  })

  it(`${verifies('gassapi:token:life:creator-disabled')} disabling the creator refuses the token, and enabling revives it`, async () => {
    const { email, user_id, project_id } = await furnish()
    const { secret } = await generate(email, project_id)
    await instance.call('admin', update_user, { user_id, enabled: false })
    expect(await verdict(secret)).toBe('owner_inactive')
    expect(await refusal(generate(email, project_id))).toBe('unauthenticated')
    await instance.call('admin', update_user, { user_id, enabled: true })
    expect(await verdict(secret)).toBe('valid')
  })

  it(`${verifies('gassapi:token:life:creator-removed', 'gassapi:token:life:project-deleted')} removing or deleting the creator, and deleting the project, revokes it`, async () => {
    const { call } = instance
    const [removed, deleted, ended] = [await furnish(), await furnish(), await furnish()]
    const secrets: string[] = []
    for (const { email, project_id } of [removed, deleted, ended])
      secrets.push((await generate(email, project_id)).secret)
    await call('admin', remove_project_member, {
      project_id: removed.project_id,
      user_id: removed.user_id,
    })
    await call('admin', delete_user, { user_id: deleted.user_id, force: true })
    await call('admin', delete_project, { project_id: ended.project_id })
    expect(await Promise.all(secrets.map(verdict))).toEqual(['revoked', 'revoked', 'revoked'])
  })

  it(`${verifies('gassapi:token:scope:creator')} the token sees and rotates itself, and nothing else of its creator`, async () => {
    const { email, project_id } = await furnish()
    const { secret, token } = await generate(email, project_id)
    const sibling = await generate(email, project_id)
    const { call } = instance
    const holder = await instance.actor(secret)
    expect((await call(holder, get_token, { token_id: token.id })).token.id).toBe(token.id)
    const others = [
      call(holder, get_token, { token_id: sibling.token.id }),
      call(holder, list_magic_tokens, {}),
      call(holder, rotate_token, { token_id: sibling.token.id }),
      call(holder, revoke_mcp_token, { token_id: token.id }),
    ]
    expect(await Promise.all(others.map(refusal))).toEqual(others.map(() => 'forbidden'))
    const rotated = await call(holder, rotate_token, { token_id: token.id })
    expect(rotated.token).toMatchObject({ id: token.id, project_id, expires_at: null })
    expect(await verdict(rotated.delivery.secret ?? '')).toBe('valid')
  })

  it('the token makes no tokens', async () => {
    const { email, project_id } = await furnish()
    const holder = await instance.actor((await generate(email, project_id)).secret)
    const { call } = instance
    expect(await refusal(call(holder, create_token, { name: 'x' }))).toBe('forbidden')
    expect(await refusal(call(holder, generate_mcp_token, { project_id }))).toBe('forbidden')
  })

  describe('revoke_mcp_token', () => {
    const revoke = (email: string, token_id: string) =>
      invokeWithPassword(instance.core, from, revoke_mcp_token, { email, password, token_id })

    it('ends a token that the person generated, once, and leaves one row', async () => {
      const { email, project_id, user_id } = await furnish()
      const { secret, token } = await generate(email, project_id)
      const rows = await trailOf(instance, async () =>
        expect(await revoke(email, token.id)).toMatchObject({ changed: true, token: { status: 'revoked' } }),
      )
      expect(rows).toMatchObject([{ action: 'revoke_mcp_token', target_id: token.id, actor_id: user_id }])
      expect(await verdict(secret)).toBe('revoked')
      expect(await revoke(email, token.id)).toMatchObject({ changed: false })
    })

    it('finds no token of another person, none that somebody else made for this one, and none that is not there', async () => {
      const { email, project_id, user_id } = await furnish()
      const other = await furnish()
      const given = await instance.call('operator', create_token, {
        name: 'given',
        owner_id: user_id,
        project_id,
      })
      const foreign = await generate(other.email, other.project_id)
      for (const id of [given.token.id, foreign.token.id, 'mgtk_none'])
        expect(await refusal(revoke(email, id))).toBe('not_found')
      expect(await verdict(foreign.secret)).toBe('valid')
      expect(await verdict(given.delivery.secret ?? '')).toBe('valid')
    })
  })

  describe('describe_credential', () => {
    it('tells the holder what the token stands for, and changes of the project with the next call', async () => {
      const { email, user_id, project_id, created } = await furnish()
      const { secret, token } = await generate(email, project_id)
      const holder = await instance.actor(secret)
      const { call } = instance
      expect(await call(holder, describe_credential, {})).toEqual({
        token: { id: token.id, kind: 'access' },
        project: {
          id: project_id,
          name: created.name,
          description: null,
          created_at: created.created_at,
          updated_at: expect.any(String),
        },
        environments: created.environments.map((one) => ({ ...one, project_id })),
        user: { id: user_id, email },
      })
      await call('admin', update_project, { project_id, name: `Renamed ${made}` })
      expect((await call(holder, describe_credential, {})).project?.name).toBe(`Renamed ${made}`)
    })

    it('is empty for a token without project and owner, and answers a predecessor in its grace', async () => {
      const { call, actor } = instance
      const made = await call('operator', create_token, { name: 'bare' })
      const secret = made.delivery.secret ?? ''
      const bare = {
        token: { id: made.token.id, kind: 'access' },
        project: null,
        environments: [],
        user: null,
      }
      expect(await call(await actor(secret), describe_credential, {})).toEqual(bare)
      await call('operator', rotate_token, { token_id: made.token.id, grace_seconds: 60 })
      expect(await call(await actor(secret), describe_credential, {})).toEqual(bare)
    })

    it('R13: is for tokens alone, and takes no member', async () => {
      const { call } = instance
      const { project_id, user_id } = await plantProject(instance)
      expect(project_id && user_id).toBeTruthy()
      for (const role of ['admin', 'operator', 'reader', 'validator'] as const)
        expect(await refusal(call(role, describe_credential, {}))).toBe('forbidden')
      expect(await refusal(call(await user(user_id), describe_credential, {}))).toBe('forbidden')
      expect(await refusal(call({ kind: 'nobody' }, describe_credential, {}))).toBe('unauthenticated')
      const { delivery } = await call('operator', create_token, { name: 'x' })
      const holder = await instance.actor(delivery.secret ?? '')
      expect(await refusal(call(holder, describe_credential, { token_id: 'x' } as never))).toBe(
        'invalid_input',
      )
    })
  })
})
