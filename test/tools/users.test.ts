import { execFileSync } from 'node:child_process'
import { verify } from 'argon2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Via } from '../../src/core/context.ts'
import { invokeDialect } from '../../src/core/invoke.ts'
import { signIn } from '../../src/core/sign-in.ts'
import { add_project_member } from '../../tools/projects/add_project_member.ts'
import { create_project } from '../../tools/projects/create_project.ts'
import { delete_project } from '../../tools/projects/delete_project.ts'
import { get_project } from '../../tools/projects/get_project.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { generate_mcp_token } from '../../tools/tokens/generate_mcp_token.ts'
import { validate_token } from '../../tools/tokens/validate_token.ts'
import { create_user } from '../../tools/users/create_user.ts'
import { delete_user } from '../../tools/users/delete_user.ts'
import { get_user } from '../../tools/users/get_user.ts'
import { list_users } from '../../tools/users/list_users.ts'
import { reset_password } from '../../tools/users/reset_password.ts'
import { update_user } from '../../tools/users/update_user.ts'
import { databases } from '../support/databases.ts'
import { type Instance, openInstance, refusal, refusalError } from '../support/instance.ts'
import { refusesOthersAndBadInput } from '../support/refusals.ts'
import { verifies } from '../support/verifies.ts'
import { makeToken, plantKey, plantProject, plantUser, trailOf } from '../support/world.ts'

const readers = ['admin', 'operator', 'reader'] as const
const writers = ['admin'] as const
const password = 'correct horse battery staple'

describe.each(databases)('users on $name', (database) => {
  let instance: Instance
  let made = 0
  beforeAll(async () => {
    instance = await openInstance(database)
  })
  afterAll(() => instance.close())

  const make = async () => {
    made += 1
    return (
      await instance.call('admin', create_user, { email: `user${made}@example.com`, name: `User ${made}` })
    ).user
  }
  const verdict = async (token: string) => (await instance.call('reader', validate_token, { token })).verdict

  refusesOthersAndBadInput(
    () => instance,
    [
      {
        operation: create_user,
        roles: writers,
        good: { email: 'a@example.com' },
        bad: [
          {},
          { email: 'nobody' },
          { email: `${'x'.repeat(250)}@example.com` },
          { email: 'a@example.com', password: 'short' },
          { email: 'a@example.com', password: 'x'.repeat(257) },
          { email: 'a@example.com', password: 'half \ud800 character' },
          { email: 'a@example.com', role: 'admin' },
          { email: 'a@example.com', name: '' },
        ],
      },
      { operation: get_user, roles: readers, good: { user_id: 'x' }, bad: [{}, { user_id: '' }] },
      {
        operation: list_users,
        roles: readers,
        good: {},
        bad: [{ enabled: 'yes' }, { limit: Number.POSITIVE_INFINITY }],
      },
      {
        operation: update_user,
        roles: writers,
        good: { user_id: 'x' },
        bad: [
          {},
          { user_id: 'x', email: 'nobody' },
          { user_id: 'x', enabled: 0 },
          { user_id: 'x', password_hash: 'x' },
        ],
      },
      {
        operation: delete_user,
        roles: writers,
        good: { user_id: 'x' },
        bad: [{}, { user_id: 'x', force: 'yes' }],
      },
      {
        operation: reset_password,
        roles: writers,
        good: { user_id: 'x', new_password: 'long enough' },
        bad: [
          {},
          { user_id: 'x' },
          { user_id: 'x', new_password: 'short' },
          { user_id: 'x', new_password: 'x'.repeat(257) },
          { user_id: 'x', new_password: 'half \udc00 character' },
          { user_id: 'x', new_password: 'long enough', password_hash: 'x' },
        ],
      },
    ],
  )

  it('creates a user with an e-mail in lower case that nobody else can have, and one row for it', async () => {
    const { call } = instance
    let id = ''
    const rows = await trailOf(instance, async () => {
      const { user } = await call('admin', create_user, { email: 'Dev@Example.COM', name: 'Dev' })
      expect(user).toMatchObject({
        email: 'dev@example.com',
        name: 'Dev',
        enabled: true,
        has_password: false,
        projects: [],
        user_key_count: 0,
      })
      id = user.id
    })
    expect(rows).toMatchObject([{ action: 'create_user', target_id: id, outcome: 'ok' }])
    expect(await refusal(call('admin', create_user, { email: 'dev@EXAMPLE.com' }))).toBe('conflict')
    const other = await make()
    expect(await refusal(call('admin', update_user, { user_id: other.id, email: 'DEV@example.com' }))).toBe(
      'conflict',
    )
    expect(await call('admin', update_user, { user_id: id, email: 'DEV@example.com' })).toMatchObject({
      changed: false,
    })
    for (const user_id of [id, 'dev@example.com', 'DEV@example.com']) {
      expect((await call('reader', get_user, { user_id })).user.id).toBe(id)
    }
    expect(await refusal(call('reader', get_user, { user_id: 'none@example.com' }))).toBe('not_found')
  })

  it('R2: keeps a password as an argon2id digest of 19 MiB, and it is in no answer, no row of the trail and no log', async () => {
    const { call, core, log } = instance
    const told: unknown[] = []
    const rows = await trailOf(instance, async () => {
      told.push(await call('admin', create_user, { email: 'secret@example.com', password }))
      told.push(await call('admin', get_user, { user_id: 'secret@example.com' }))
      told.push(
        (await refusalError(call('admin', create_user, { email: 'secret@example.com', password }))).message,
      )
      told.push((await refusalError(call('admin', create_user, { email: 'bad', password }))).message)
    })
    const { password_hash } = await core.store.read
      .selectFrom('users')
      .select('password_hash')
      .where('email', '=', 'secret@example.com')
      .executeTakeFirstOrThrow()
    expect(password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,p=1,t=2\$|^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    expect(await verify(password_hash ?? '', password)).toBe(true)
    const everything = JSON.stringify([told, rows, log])
    expect(everything).toContain('has_password')
    for (const never of [password, password_hash, '$argon2']) expect(everything).not.toContain(never)
    expect(told[0]).toMatchObject({ user: { has_password: true } })
  })

  it('changes name and e-mail, and leaves one row with the user as its target', async () => {
    const { call } = instance
    const user = await make()
    const rows = await trailOf(instance, async () => {
      const done = await call('admin', update_user, {
        user_id: user.id,
        name: null,
        email: `new-${user.email}`,
      })
      expect(done).toMatchObject({ changed: true, user: { name: null, email: `new-${user.email}` } })
    })
    expect(rows).toMatchObject([{ action: 'update_user', target_id: user.id }])
    expect(rows).toHaveLength(1)
    expect(await refusal(call('admin', update_user, { user_id: 'usr_none', name: 'x' }))).toBe('not_found')
  })

  it('refuses every token of a disabled user from the next call on, and lets them work again when enabled', async () => {
    const { call } = instance
    const user = await make()
    const tokens = [
      await makeToken(instance, { owner_id: user.id }),
      await makeToken(instance, { owner_id: user.id }),
    ]
    const verdicts = () => Promise.all(tokens.map((one) => verdict(one.secret)))
    expect(await verdicts()).toEqual(['valid', 'valid'])
    await call('admin', update_user, { user_id: user.id, enabled: false })
    expect(await verdicts()).toEqual(['owner_inactive', 'owner_inactive'])
    expect((await call('reader', list_users, { enabled: false })).users.map((one) => one.id)).toEqual([
      user.id,
    ])
    await call('admin', update_user, { user_id: user.id, enabled: true })
    expect(await verdicts()).toEqual(['valid', 'valid'])
  })

  it('refuses to delete a member of a project unless forced, and then ends memberships and tokens with a row each', async () => {
    const { call } = instance
    const user = await make()
    const { project } = await call('admin', create_project, { name: `home of ${user.id.slice(4)}` })
    await call('admin', add_project_member, { project_id: project.id, user_id: user.id })
    const tokens = [
      await makeToken(instance, { owner_id: user.id }),
      await makeToken(instance, { owner_id: user.id, project_id: project.id }),
      await plantKey(instance, 'user_key', { owner_id: user.id, project_id: project.id }),
    ]
    const bystander = await makeToken(instance, { project_id: project.id })
    expect(await refusal(call('admin', delete_user, { user_id: user.id }))).toBe('conflict')
    expect(await verdict(tokens[0]!.secret)).toBe('valid')
    const rows = await trailOf(instance, async () => {
      const done = await call('admin', delete_user, { user_id: user.id, force: true })
      expect(done).toEqual({
        user: { id: user.id, email: user.email },
        revoked_tokens: 3,
        revoked_user_keys: 1,
      })
    })
    expect(rows.map((row) => `${row.action} ${row.target_id}`).sort()).toEqual(
      [`delete_user ${user.id}`, ...tokens.map((one) => `revoke_token ${one.id}`)].sort(),
    )
    expect(await Promise.all(tokens.map((one) => verdict(one.secret)))).toEqual(tokens.map(() => 'revoked'))
    expect(await verdict(bystander.secret)).toBe('valid')
    expect((await call('reader', get_project, { project_id: project.id })).project.members).toEqual([])
    expect(await refusal(call('admin', delete_user, { user_id: user.id }))).toBe('not_found')
    expect(await refusal(call('operator', create_token, { name: 'x', owner_id: user.id }))).toBe('not_found')
    const again = await call('admin', create_user, { email: user.email })
    expect(again.user.id).not.toBe(user.id)
  })

  it(`${verifies('enkrypt:users:reset-password:ok', 'gassapi:token:life:password-reset', 'mctx:tokens:revoke:password-reset')} a reset password is the one that signs in, and every token of the user is revoked with a row each`, async () => {
    const { call, core } = instance
    const user = await make()
    const enter = (secret: string) =>
      signIn(core, { email: user.email, password: secret, via: 'v1', ip: '192.0.2.1' })
    const { project_id } = await plantProject(instance)
    await call('admin', add_project_member, { project_id, user_id: user.id })
    const [first, second] = ['the first password', 'the second password']
    const reset = (new_password: string) => call('admin', reset_password, { user_id: user.id, new_password })
    expect(await refusal(enter(first))).toBe('unauthenticated')
    expect(await reset(first)).toMatchObject({
      user: { id: user.id, has_password: true },
      revoked_tokens: 0,
      revoked_user_keys: 0,
    })
    const actor = await enter(first)
    const generated = await call(actor, generate_mcp_token, { project_id })
    const owned = [
      { id: generated.token.id, secret: generated.secret },
      await makeToken(instance, { owner_id: user.id }),
      await plantKey(instance, 'user_key', { owner_id: user.id, project_id, enabled: 0 }),
    ]
    const stays = [await makeToken(instance), await makeToken(instance, { project_id })]
    const told: unknown[] = []
    const rows = await trailOf(instance, async () => told.push(await reset(second)))
    expect(told).toMatchObject([{ user: { id: user.id }, revoked_tokens: 3, revoked_user_keys: 1 }])
    expect(rows.map((row) => `${row.action} ${row.target_id}`).sort()).toEqual(
      [`reset_password ${user.id}`, ...owned.map((one) => `revoke_token ${one.id}`)].sort(),
    )
    expect(await Promise.all(owned.map((one) => verdict(one.secret)))).toEqual(owned.map(() => 'revoked'))
    expect(await Promise.all(stays.map((one) => verdict(one.secret)))).toEqual(['valid', 'valid'])
    expect(await refusal(enter(first))).toBe('unauthenticated')
    expect((await enter(second)).id).toBe(user.id)
    expect(await refusal(call(actor, generate_mcp_token, { project_id }))).toBe('unauthenticated')
    for (const never of [first, second, '$argon2'])
      expect(JSON.stringify([told, rows, instance.log])).not.toContain(never)
    expect(await refusal(call('admin', reset_password, { user_id: 'usr_none', new_password: second }))).toBe(
      'not_found',
    )
  })

  it('R47: creating a user again with the same key is the same answer, also at the same time', async () => {
    const { call } = instance
    const create = (more: object = {}) =>
      call('admin', create_user, {
        email: 'once@example.com',
        password,
        idempotency_key: 'a-random-string-of-some-length',
        ...more,
      })
    const [first, second] = await Promise.all([create(), create()])
    expect(second).toEqual(first)
    expect(await create()).toEqual(first)
    expect(await refusal(create({ password: 'another password' }))).toBe('conflict')
    expect((await call('reader', list_users, { text: 'once@' })).users).toHaveLength(1)
  })

  it('counts the user keys that are not revoked, disabled ones included, within the reach of the caller', async () => {
    const { call, actor } = instance
    const { project_id, user_id } = await plantProject(instance)
    const elsewhere = await plantProject(instance)
    const columns = { owner_id: user_id, project_id }
    await plantKey(instance, 'user_key', columns)
    await plantKey(instance, 'user_key', { ...columns, enabled: 0 })
    await plantKey(instance, 'user_key', { ...columns, revoked_at: new Date().toISOString() })
    await plantKey(instance, 'user_key', { ...columns, project_id: elsewhere.project_id })
    await plantKey(instance, 'access', columns)
    expect((await call('reader', get_user, { user_id })).user.user_key_count).toBe(3)
    const { secret } = await plantKey(instance, 'management', { role: 'reader', project_id })
    const bound = await call(await actor(secret), list_users, {})
    expect(bound.users).toMatchObject([{ id: user_id, user_key_count: 2 }])
  })

  it('users are named by their e-mail in the Enkrypt dialect alone, and shown by it everywhere', async () => {
    const { call } = instance
    const user = await make()
    const named = user.email.toUpperCase()
    const changes = (via: Via) => [
      () => call('admin', update_user, { user_id: named, name: `by ${via}` }, via),
      () => call('admin', reset_password, { user_id: named, new_password: password }, via),
      () => call('admin', delete_user, { user_id: named }, via),
    ]
    for (const change of changes('v1')) expect(await refusal(change())).toBe('not_found')
    for (const via of ['v1', 'enkrypt'] as const)
      expect((await call('reader', get_user, { user_id: named }, via)).user.id).toBe(user.id)
    for (const change of changes('enkrypt')) {
      const rows = await trailOf(instance, async () =>
        expect((await change()).user).toMatchObject({ id: user.id, email: user.email }),
      )
      expect(rows).toMatchObject([{ target_id: user.id, outcome: 'ok' }])
    }
    expect(await refusal(call('reader', get_user, { user_id: named }, 'enkrypt'))).toBe('not_found')
  })

  it(`${verifies('enkrypt:users:search:ok')} a search of a dialect finds users by e-mail, else by the name of a project, and says by which`, async () => {
    const { core, call } = instance
    const { project } = await call('admin', create_project, { name: '100%_Quokka' })
    const gone = await call('admin', create_project, { name: 'Quokka that is gone' })
    const [member, former] = [await make(), await make()]
    const { user } = await call('admin', create_user, { email: 'quokka@example.com' })
    await call('admin', add_project_member, { project_id: project.id, user_id: member.id })
    await call('admin', add_project_member, { project_id: project.id, user_id: user.id })
    await call('admin', add_project_member, { project_id: gone.project.id, user_id: former.id })
    await call('admin', delete_project, { project_id: gone.project.id })
    const caller = {
      actor: { kind: 'local', id: 'tester', role: 'reader' },
      via: 'enkrypt',
      ip: null,
      client: null,
      request_id: 'req_test',
    } as const
    const search = async (text: string) => {
      const { users, matches } = (await invokeDialect(core, caller, list_users, {
        all: true,
        search: text,
      })) as { users: { id: string }[]; matches: string[] }
      expect(matches).toHaveLength(users.length)
      return users.map((one, at) => [one.id, matches[at]])
    }
    expect(await search('QUOKKA')).toEqual([
      [member.id, 'project_name'],
      [user.id, 'email'],
    ])
    expect(await search('100%_')).toEqual([
      [member.id, 'project_name'],
      [user.id, 'project_name'],
    ])
    for (const plain of ['q_okka@', '%quokka', '100_']) expect(await search(plain)).toEqual([])
    const everybody = await call('reader', list_users, { include_total: true })
    const all = await search('')
    expect(all).toHaveLength(everybody.total ?? -1)
    expect(all.every(([, by]) => by === 'email')).toBe(true)
    expect(everybody).not.toHaveProperty('matches')
    expect(await refusal(call('reader', list_users, { search: 'x' } as never))).toBe('invalid_input')
  })

  it('lists users in pages, by text, by project and with a total', async () => {
    const { call } = instance
    const { project_id, user_id } = await plantProject(instance)
    expect((await call('reader', list_users, { project_id })).users).toMatchObject([
      { id: user_id, projects: [{ id: project_id }] },
    ])
    const all = await call('reader', list_users, { limit: 100, order: 'asc' })
    expect(all.total).toBe(all.users.length)
    const seen: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await call('reader', list_users, {
        limit: 3,
        order: 'asc',
        ...(cursor === undefined ? {} : { cursor }),
      })
      seen.push(...page.users.map((one) => one.id))
      if (page.next_cursor === null) break
      cursor = page.next_cursor
    }
    expect(seen).toEqual(all.users.map((one) => one.id))
    expect((await call('reader', list_users, { text: 'SECRET@' })).users).toHaveLength(1)
  })

  it('R15: a key bound to a project knows the members of that project alone, and changes no user', async () => {
    const { call, actor } = instance
    const mine = await plantProject(instance)
    const stranger = await plantUser(instance)
    const elsewhere = await plantProject(instance)
    await call('admin', add_project_member, { project_id: elsewhere.project_id, user_id: mine.user_id })
    const { secret } = await plantKey(instance, 'management', { role: 'admin', project_id: mine.project_id })
    const bound = await actor(secret)
    const { users, total } = await call(bound, list_users, {})
    expect([users.map((one) => one.id), total]).toEqual([[mine.user_id], 1])
    expect(users[0]?.projects.map((one) => one.id)).toEqual([mine.project_id])
    expect(await refusal(call(bound, get_user, { user_id: stranger }))).toBe('not_found')
    const email = `${stranger.toLowerCase()}@example.com`
    expect(await refusal(call(bound, get_user, { user_id: email }))).toBe('not_found')
    const changes = [
      call(bound, create_user, { email: 'mine@example.com' }),
      call(bound, create_user, { email }),
      call(bound, update_user, { user_id: mine.user_id, enabled: false }),
      call(bound, delete_user, { user_id: mine.user_id, force: true }),
      call(bound, reset_password, { user_id: mine.user_id, new_password: password }),
    ]
    expect(await Promise.all(changes.map(refusal))).toEqual(Array(5).fill('forbidden'))
  })
})

describe('passwords', () => {
  it('R51: argon2 is loaded by the first password and not by listing every operation', () => {
    const script = `
      const { createRequire } = await import('node:module')
      const loaded = () => Object.keys(createRequire(process.cwd() + '/x.js').cache).some((file) => /argon2/.test(file))
      await import('./tools/index.ts')
      const before = loaded()
      const { hashPassword } = await import('./src/core/password.ts')
      await hashPassword('long enough')
      console.log(before, loaded())`
    const flags = ['--import', 'tsx', '--input-type=module', '-e', script]
    const root = new URL('../..', import.meta.url).pathname
    expect(execFileSync(process.execPath, flags, { cwd: root, encoding: 'utf8' }).trim()).toBe('false true')
  })
})
