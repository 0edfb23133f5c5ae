import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { contents, leak, plantKey, trailOf } from '../../support/world.ts'
import { unchanged as unchangedIn } from './state.ts'
import { isoTime, made, openWorld, refused, told, unauthorized, unknownId, type World } from './support.ts'

const gone: [number, string] = [404, 'User not found']

describe.each(databases)('users of the Enkrypt dialect on $name', (database) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(database)
  })
  afterAll(() => world.close())

  const unchanged = (work: () => Promise<unknown>) => unchangedIn(world.beside, work)
  const opens = async (secret: string) => (await world.as(secret)('GET /projects')).status

  it(`${verifies('enkrypt:users:create:ok', 'enkrypt:users:get:ok')} a new user is answered as id and e-mail, and found by either in any letter case`, async () => {
    const answer = await world.admin('POST /users', { email: 'developer@example.com' })
    expect([answer.status, answer.json]).toEqual([
      201,
      {
        message: 'User created successfully',
        data: { user_id: expect.stringMatching(/^usr_[0-9A-Za-z]+$/), email: 'developer@example.com' },
      },
    ])
    const { user_id } = answer.json.data
    for (const name of [
      user_id,
      'developer@example.com',
      'DEVELOPER@Example.COM',
      'developer%40example%2Ecom',
    ]) {
      const { message, data } = told(await world.reader(`GET /users/${name}`))
      expect(message).toBe('User retrieved successfully')
      expect(data).toEqual({
        user_id,
        email: 'developer@example.com',
        name: null,
        created_at: expect.stringMatching(isoTime),
        projects: [],
        api_keys: [],
      })
    }
  })

  it(`${verifies('enkrypt:users:get:ok')} a user that is not there is 404 in the same words on every route of one user`, async () => {
    const lines: [string, object?][] = [
      ['GET /users/:u'],
      ['PUT /users/:u', { new_email: 'other@example.com' }],
      ['DELETE /users/:u'],
      ['DELETE /users/:u', { force: true }],
      ['GET /users/:u/projects'],
      ['POST /users/:u/api-keys', { project_name: 'any' }],
      ['GET /users/:u/api-keys'],
      ['DELETE /users/:u/api-keys'],
      ['POST /users/:u/reset-password', { new_password: 'long enough' }],
    ]
    const deleted = await world.user()
    await world.admin(`DELETE /users/${deleted.user_id}`)
    const nobody = [
      unknownId.user,
      unknownId.project,
      'nobody@example.com',
      'nobody',
      `${'x'.repeat(300)}@example.com`,
      '%00',
      '%ff',
      deleted.user_id,
      deleted.email,
    ]
    await unchanged(async () => {
      for (const [line, body] of lines) {
        for (const name of nobody) {
          expect([line, name, refused(await world.admin(line.replace(':u', name), body))]).toEqual([
            line,
            name,
            gone,
          ])
        }
      }
    })
  })

  it(`${verifies('enkrypt:users:create:ok')} the list shows every user, oldest first, with projects and number of keys`, async () => {
    const { user_id, email, project_id, project_name, key } = await world.project()
    const second = await world.user({ name: 'Second Person' })
    await world.admin(`POST /api-keys/${key.api_key_id}/disable`)
    const { message, data } = told(await world.reader('GET /users'))
    expect(message).toBe('Users retrieved successfully')
    expect(data.slice(-2)).toEqual([
      {
        user_id,
        email,
        name: null,
        created_at: expect.stringMatching(isoTime),
        projects: [{ project_id, project_name }],
        api_keys: 1,
      },
      {
        user_id: second.user_id,
        email: second.email,
        name: 'Second Person',
        created_at: expect.stringMatching(isoTime),
        projects: [],
        api_keys: 0,
      },
    ])
    const one = await made(world.reader(`GET /users/${email}`))
    expect(one).toEqual({
      ...data.at(-2),
      api_keys: [expect.objectContaining({ api_key_id: key.api_key_id })],
    })
  })

  it(`${verifies('enkrypt:users:create:email')} an address is kept in lower case and has local part, host and top-level domain, 254 characters at most`, async () => {
    const { email } = await made(world.admin('POST /users', { email: 'Mixed.Case+tag@Sub.Example.ORG' }))
    expect(email).toBe('mixed.case+tag@sub.example.org')
    // As long as one may be, with labels as long as they may be.
    const host = [...Array(3).fill('h'.repeat(59)), 'org'].join('.')
    const longest = `${'l'.repeat(254 - host.length - 1)}@${host}`
    expect(longest).toHaveLength(254)
    const long = await made(world.admin('POST /users', { email: longest }))
    expect(long.email).toBe(longest)
    expect((await made(world.reader(`GET /users/${longest}`)))['user_id']).toBe(long['user_id'])
    await unchanged(async () => {
      const bad: unknown[] = [
        '',
        ' ',
        'plain',
        '@example.com',
        'a@',
        'a@localhost',
        'a b@example.com',
        ' a@example.com',
        'a@example.com ',
        'a@b@example.com',
        'a@example.com\n',
        'a\u0000@example.com',
        `l${longest}`,
        5,
        null,
        ['a@example.com'],
        { email: 'a@example.com' },
      ]
      for (const email of bad) {
        const [status, detail] = refused(await world.admin('POST /users', { email }))
        expect([email, status, detail]).toEqual([email, 400, expect.stringContaining('email')])
      }
      for (const body of [{}, undefined, [], 'text']) {
        expect(refused(await world.admin('POST /users', body))[0]).toBe(400)
      }
    })
  })

  it(`${verifies('enkrypt:users:create:duplicate')} an e-mail that is taken is 409 whatever its letter case, and of two at once one wins`, async () => {
    const { email } = await world.user()
    await unchanged(async () => {
      for (const same of [email, email.toUpperCase()]) {
        const [status, detail] = refused(await world.admin('POST /users', { email: same }))
        expect([status, detail]).toEqual([409, expect.stringContaining('e-mail')])
      }
    })
    const twice = await Promise.all(
      ['race@example.com', 'RACE@example.com'].map((email) => world.admin('POST /users', { email })),
    )
    expect(twice.map(({ status }) => status).sort()).toEqual([201, 409])
  })

  it(`${verifies('enkrypt:users:create:optional')} name and password have their bounds, users have no role, and no answer shows a password`, async () => {
    const { running } = world
    const password = 'p4ssw0rd of 8 or more'
    const shown: string[] = []
    for (const more of [
      { name: 'n' },
      { name: 'n'.repeat(200) },
      { password: '8 chars!' },
      { password: 'p'.repeat(256) },
      { name: 'Both', password },
    ]) {
      const email = `${world.fresh('optional').replace(' ', '-')}@example.com`
      const answer = await world.admin('POST /users', { email, ...more })
      expect([answer.status, answer.json.data]).toEqual([201, { user_id: expect.any(String), email }])
      const one = await world.reader(`GET /users/${email}`)
      expect(one.json.data.name).toBe(more.name ?? null)
      shown.push(answer.text, one.text)
    }
    shown.push((await world.reader('GET /users')).text)
    for (const text of shown)
      for (const secret of [password, 'argon2', 'password']) expect(text).not.toContain(secret)
    for (const line of running.log) expect(line).not.toContain(password)
    await unchanged(async () => {
      for (const more of [
        { name: '' },
        { name: ' ' },
        { name: 'n'.repeat(201) },
        { name: 5 },
        { name: null },
        { password: '7 chars' },
        { password: 'p'.repeat(257) },
        { password: 12345678 },
        { role: 'admin' },
        { role: 'user' },
        { enabled: false },
        { user_id: unknownId.user },
      ]) {
        const answer = refused(await world.admin('POST /users', { email: 'refused@example.com', ...more }))
        expect([more, ...answer]).toEqual([more, 400, expect.stringContaining(Object.keys(more)[0] ?? '')])
      }
    })
  })

  it(`${verifies('enkrypt:users:create:optional')} without a password nobody signs in as that user in any dialect`, async () => {
    const { running } = world
    const { project_id, email, user_id } = await world.project()
    const signIn = (password: string) =>
      running.send('/public/generate-mcp-token', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email, password, project_id }),
      })
    for (const guess of ['', 'null', 'undefined', 'password', email])
      expect((await signIn(guess)).status).toBeGreaterThanOrEqual(400)
    await world.admin(`POST /users/${user_id}/reset-password`, { new_password: 'now there is one' })
    expect((await signIn('now there is one')).status).toBe(201)
  })

  it(`${verifies('enkrypt:users:update:ok')} a new e-mail leaves id, keys and memberships; taken 409, its own 200, malformed 400`, async () => {
    const { user_id, email, project_id, key } = await world.project()
    const other = await world.user()
    const put = (body: unknown, as = world.admin) => as(`PUT /users/${user_id}`, body)
    const done = await put({ new_email: 'Moved@Example.com' })
    expect([done.status, done.json]).toEqual([
      200,
      { message: 'User updated successfully', data: { user_id, email: 'moved@example.com' } },
    ])
    const one = await made(world.reader('GET /users/moved@example.com'))
    expect(one).toMatchObject({
      user_id,
      projects: [{ project_id }],
      api_keys: [{ api_key_id: key.api_key_id }],
    })
    expect(refused(await world.reader(`GET /users/${email}`))).toEqual(gone)
    expect(await opens(key.api_key)).toBe(200)
    await unchanged(async () => {
      expect(refused(await put({ new_email: other.email.toUpperCase() }))[0]).toBe(409)
      for (const new_email of ['moved@example.com', 'MOVED@example.com'])
        expect((await put({ new_email })).json.data).toEqual({ user_id, email: 'moved@example.com' })
      for (const body of [
        {},
        { new_email: 'nonsense' },
        { new_email: null },
        { new_email: '' },
        { email: 'a@example.com' },
        { new_email: 'a@example.com', name: 'x' },
      ])
        expect(refused(await put(body))[0]).toBe(400)
    })
    // The old e-mail is free for somebody else.
    expect((await world.admin('POST /users', { email })).status).toBe(201)
  })

  it(`${verifies('enkrypt:users:delete:ok')} a user in no project is deleted without a body or with force false, every token revoked, and then is 404`, async () => {
    for (const body of [undefined, {}, { force: false }]) {
      const { user_id, email, project_id, key } = await world.project()
      const { token, delivery } = await world.op('create_token', { name: 'own', owner_id: user_id })
      await world.op('remove_project_member', { project_id, user_id })
      // A key that outlived its membership in an older version.
      const planted = await plantKey(world.beside, 'user_key', { owner_id: user_id, project_id })
      const answer = await world.admin(`DELETE /users/${email}`, body)
      expect([answer.status, answer.json]).toEqual([
        200,
        { message: 'User deleted successfully', data: { revoked_api_keys: 1 } },
      ])
      for (const secret of [key.api_key, delivery.secret, planted.secret])
        expect(refused(await world.as(secret)('GET /configs'))).toEqual(unauthorized)
      expect((await world.op('get_token', { token_id: token.id }))['token'].status).toBe('revoked')
      for (const name of [user_id, email])
        expect(refused(await world.admin(`DELETE /users/${name}`, body))).toEqual(gone)
    }
  })

  it(`${verifies('enkrypt:users:delete:in-project', 'enkrypt:users:delete:force')} a member is deleted by force alone, which ends memberships and tokens, each with a row`, async () => {
    const first = await world.project()
    const second = await world.project()
    const { user_id, email } = first
    await world.op('add_project_member', { project_id: second.project_id, user_id })
    const there = await made(
      world.admin(`POST /users/${user_id}/api-keys`, { project_id: second.project_id }),
    )
    const { token, delivery } = await world.op('create_token', { name: 'own', owner_id: user_id })
    await unchanged(async () => {
      for (const body of [undefined, {}, { force: false }])
        expect(refused(await world.admin(`DELETE /users/${user_id}`, body))).toEqual([
          409,
          expect.stringContaining('member'),
        ])
      for (const force of ['true', 1, 0, null, 'false', []])
        expect(refused(await world.admin(`DELETE /users/${user_id}`, { force }))).toEqual([
          400,
          expect.stringContaining('force'),
        ])
      expect(refused(await world.admin(`DELETE /users/${user_id}`, { forced: true }))[0]).toBe(400)
      expect(refused(await world.operator(`DELETE /users/${user_id}`, { force: true }))[0]).toBe(403)
    })
    expect(await opens(first.key.api_key)).toBe(200)
    const rows = await trailOf(world.beside, async () => {
      const answer = await world.admin(`DELETE /users/${user_id}`, { force: true })
      expect([answer.status, answer.json.data]).toEqual([200, { revoked_api_keys: 2 }])
    })
    const ended = [first.key.api_key_id, there['api_key_id'], token.id]
    expect(rows.map((row) => `${row.action} ${row.target_id}`).sort()).toEqual(
      [`delete_user ${user_id}`, ...ended.map((id) => `revoke_token ${id}`)].sort(),
    )
    for (const secret of [first.key.api_key, there['api_key'], delivery.secret])
      expect(refused(await world.as(secret)('GET /configs'))).toEqual(unauthorized)
    for (const { project_id } of [first, second]) {
      const { members } = (await world.op('get_project', { project_id }))['project']
      expect(members.map((one: { id: string }) => one.id)).not.toContain(user_id)
    }
    expect(refused(await world.admin(`GET /users/${email}`))).toEqual(gone)
    // Whoever gets the e-mail next is somebody else, and nothing comes back.
    expect((await made(world.admin('POST /users', { email })))['user_id']).not.toBe(user_id)
    expect(refused(await world.as(first.key.api_key)('GET /configs'))).toEqual(unauthorized)
  })

  it(`${verifies('enkrypt:users:disabled:effect')} a user disabled elsewhere has no working token from the next request on, until enabled again`, async () => {
    const { user_id, project_id, key } = await world.project()
    const { delivery } = await world.op('create_token', { name: 'own', owner_id: user_id, project_id })
    const accepted = async () => [
      await opens(key.api_key),
      (await world.running.send('/mcp/validate', { headers: { authorization: `Bearer ${delivery.secret}` } }))
        .status,
    ]
    expect(await accepted()).toEqual([200, 200])
    for (let times = 0; times < 2; times++) {
      await world.op('update_user', { user_id, enabled: false })
      expect(await accepted()).toEqual([401, 401])
      expect(refused(await world.as(key.api_key)('GET /configs'))).toEqual(unauthorized)
      await world.op('update_user', { user_id, enabled: true })
      expect(await accepted()).toEqual([200, 200])
    }
    // What this dialect has no route for is changed there too, and shown here.
    await world.op('update_user', { user_id, name: 'Renamed Elsewhere' })
    expect((await made(world.reader(`GET /users/${user_id}`)))['name']).toBe('Renamed Elsewhere')
    await world.op('update_project', { project_id, description: 'Described elsewhere' })
    await world.op('set_environment', { project_id, name: 'staging', variables: { A: 'b' } })
    const exported = await made(world.admin(`POST /projects/${project_id}/export`))
    expect(exported['project']).toMatchObject({
      description: 'Described elsewhere',
      environments: [{ name: 'development' }, { name: 'staging', variables: { A: 'b' } }],
    })
  })

  it(`${verifies('enkrypt:users:projects:ok')} the projects of a user, each with how many keys this user has there`, async () => {
    const first = await world.project()
    const second = await world.project()
    const { user_id, email } = first
    await world.op('add_project_member', { project_id: second.project_id, user_id })
    for (const { project_id } of [first, first, second])
      await made(world.admin(`POST /users/${user_id}/api-keys`, { project_id }))
    const [off] = (await made(world.reader(`GET /users/${user_id}/api-keys`))) as unknown as {
      api_key_id: string
    }[]
    await world.admin(`POST /api-keys/${off?.api_key_id}/disable`)
    for (const name of [user_id, email]) {
      const { message, data } = told(await world.reader(`GET /users/${name}/projects`))
      expect(message).toBe('User projects retrieved successfully')
      expect(data).toEqual([
        {
          project_id: first.project_id,
          project_name: first.project_name,
          api_keys: 3,
          created_at: expect.stringMatching(isoTime),
        },
        {
          project_id: second.project_id,
          project_name: second.project_name,
          api_keys: 1,
          created_at: expect.stringMatching(isoTime),
        },
      ])
    }
    expect((await world.reader(`GET /users/${(await world.user()).user_id}/projects`)).json.data).toEqual([])
  })

  it(`${verifies('enkrypt:users:search:ok')} a search finds by part of the e-mail, else of the name of a project, letter case and wildcards plain`, async () => {
    const { user_id, email, project_id } = await world.project()
    await world.op('update_project', { project_id, name: 'Wombat_100%' })
    const other = await made(world.admin('POST /users', { email: 'wombat@example.com' }))
    const search = async (search_term: string) => {
      const { message, data } = told(await world.reader('POST /users/search', { search_term }))
      expect(message).toBe('Search completed successfully')
      return data
    }
    expect(await search('WOMBAT')).toEqual([
      { user_id, email, match_type: 'project_name', api_keys: 1 },
      { user_id: other['user_id'], email: 'wombat@example.com', match_type: 'email', api_keys: 0 },
    ])
    expect(await search('bat_100%')).toMatchObject([{ user_id }])
    for (const none of ['wombat_ex', 'w%t', 'bat-100', ' wombat']) expect(await search(none)).toEqual([])
    const everybody = (await world.reader('GET /users')).json.data
    expect(await search('')).toHaveLength(everybody.length)
    for (const body of [{}, undefined, { search_term: 5 }, { search_term: null }, { search_term: 'a', x: 1 }])
      expect(refused(await world.reader('POST /users/search', body))[0]).toBe(400)
  })

  it(`${verifies('enkrypt:users:reset-password:ok')} a reset password is the one that signs in, and every token of the user is dead in every dialect`, async () => {
    const { running } = world
    const { project_id, user_id, email, key } = await world.project()
    const other = await world.project()
    const [first, second] = ['the first password', 'the second password']
    const reset = (new_password: string) =>
      world.admin(`POST /users/${email}/reset-password`, { new_password })
    const generate = (password: string) =>
      running.send('/public/generate-mcp-token', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email, password, project_id }),
      })
    const done = await reset(first)
    expect([done.status, done.json]).toEqual([
      200,
      { message: 'Password reset successfully', data: { user_id, revoked_tokens: 1 } },
    ])
    expect(refused(await world.as(key.api_key)('GET /configs'))).toEqual(unauthorized)
    const generated = (await generate(first)).json.mcpClient.token
    const { api_key } = await made(world.admin(`POST /users/${user_id}/api-keys`, { project_id }))
    const { delivery } = await world.op('create_token', { name: 'own', owner_id: user_id })
    const mctx = await running.send('/api/tokens', {
      method: 'POST',
      headers: { authorization: `Bearer ${api_key}` },
      body: JSON.stringify({ name: 'own' }),
    })
    expect(mctx.status).toBe(201)
    const secrets = [generated, api_key, delivery.secret, mctx.json.token]
    const validity = async () =>
      Promise.all(
        secrets.map(async (secret) => {
          const headers = { authorization: `Bearer ${secret}` }
          return (await running.send('/mcp/validate', { headers })).status
        }),
      )
    expect(await validity()).toEqual([200, 200, 200, 200])
    const texts: string[] = []
    const rows = await trailOf(world.beside, async () => {
      const again = await reset(second)
      texts.push(again.text)
      expect(again.json.data).toEqual({ user_id, revoked_tokens: 4 })
    })
    expect(rows.map((row) => row.action).sort()).toEqual(['reset_password', ...Array(4).fill('revoke_token')])
    expect(await validity()).toEqual([401, 401, 401, 401])
    for (const [method, path] of [
      ['GET', '/magic-mcp-tokens'],
      ['GET', '/api/tokens'],
      ['GET', '/api/v1/configs'],
      ['GET', '/mcp/validate'],
    ]) {
      for (const secret of secrets) {
        const answer = await running.send(path ?? '', {
          method: method ?? '',
          headers: { authorization: `Bearer ${secret}` },
        })
        expect([path, answer.status]).toEqual([path, 401])
      }
    }
    expect(await opens(other.key.api_key)).toBe(200)
    expect((await generate(first)).status).toBe(401)
    expect((await generate(second)).status).toBe(201)
    texts.push(JSON.stringify(rows), running.log.join('\n'))
    for (const text of texts)
      for (const never of [first, second, '$argon2']) expect(text).not.toContain(never)
    await unchanged(async () => {
      for (const body of [
        {},
        { new_password: '7 chars' },
        { new_password: 'p'.repeat(257) },
        { new_password: null },
        { password: 'long enough' },
        { new_password: 'long enough', force: true },
      ])
        expect(refused(await world.admin(`POST /users/${user_id}/reset-password`, body))[0]).toBe(400)
      expect(
        refused(
          await world.operator(`POST /users/${user_id}/reset-password`, { new_password: 'long enough' }),
        )[0],
      ).toBe(403)
    })
    expect(leak(Buffer.from(await contents(world.beside, ['users', 'audit'])), second)).toBe(-1)
  })
})
