import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { statuses, wire } from '../../http/serving.ts'
import { database, databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { plantKey } from '../../support/world.ts'
import { description, invalidToken, openWorld, refused, told, type World } from './world.ts'

const plainTime = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/

describe.each(databases)('GET /mcp/validate on $name', (one) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(one)
  })
  afterAll(() => world.close())

  it(`${verifies('gassapi:validate:success:envelope', 'gassapi:validate:success:token-id', 'gassapi:validate:success:creator', 'gassapi:validate:success:project', 'gassapi:validate:success:environments', 'gassapi:project:id:format')} tells the token itself what it stands for, member by member`, async () => {
    const { secret, id } = await world.make()
    const { project } = await world.op('get_project', { project_id: world.project_id })
    world.clock.now = Date.parse('2031-02-03T04:05:06.789Z')
    const { status, json, headers } = await world.validate(secret)
    world.clock.now = Date.now()
    const plain = (iso: string) => iso.slice(0, 19).replace('T', ' ')
    const times = { created_at: plain(project.created_at), updated_at: plain(project.updated_at) }
    expect(times.created_at).toMatch(plainTime)
    expect(status).toBe(200)
    expect(json).toEqual({
      success: true,
      status_code: 200,
      message: 'Token valid',
      timestamp: '2031-02-03 04:05:06',
      request_id: expect.stringMatching(/^req_[\w-]+$/),
      data: {
        project: {
          id: world.project_id,
          name: 'Test Project',
          description,
          owner_id: null,
          is_public: 0,
          last_sync_at: null,
          ...times,
        },
        environments: [
          {
            id: expect.stringMatching(/^env_[0-9A-Za-z]+$/),
            project_id: world.project_id,
            name: 'development',
            description: null,
            variables: {},
            is_default: true,
            created_at: expect.stringMatching(plainTime),
            updated_at: expect.stringMatching(plainTime),
          },
        ],
        user: {
          id: world.user_id,
          email: world.email,
          project_id: world.project_id,
          token_type: 'mcp',
          mcp_token_id: id,
        },
      },
    })
    expect(headers.get('content-type')).toBe('application/json')
    expect(headers.get('cache-control')).toBe('no-store')
    expect((await world.op('get_token', { token_id: id })).token.id).toBe(id)
  })

  it(`${verifies('gassapi:validate:success:environments', 'gassapi:validate:success:project')} shows all environments of its project and of no other, and neither keys nor settings`, async () => {
    const project_id = (await world.op('create_project', { name: 'Several' })).project.id
    await world.op('add_project_member', { project_id, user_id: world.user_id })
    await world.op('set_environment', {
      project_id: world.project_id,
      name: 'elsewhere',
      variables: { A: 'foreign' },
    })
    await world.op('set_environment', {
      project_id,
      name: 'production',
      description: 'The real one',
      variables: { BASE_URL: 'https://api.example', EMPTY: '' },
      is_default: true,
    })
    const { secret } = await world.make({ project_id })
    const { json, text } = await world.validate(secret)
    const shown = json.data.environments.map((each: Record<string, unknown>) => [
      each['name'],
      each['description'],
      each['variables'],
      each['is_default'],
      each['project_id'],
    ])
    expect(shown).toEqual([
      ['development', null, {}, false, project_id],
      ['production', 'The real one', { BASE_URL: 'https://api.example', EMPTY: '' }, true, project_id],
    ])
    expect(text).not.toMatch(/api_key|settings|foreign|secret|argon2/)
    await world.op('delete_environment', { project_id: world.project_id, name: 'elsewhere' })
  })

  it(`${verifies('gassapi:validate:success:other-tokens')} answers a valid token of another dialect with null for what it has not, and takes no management key for one`, async () => {
    const bare = await world.op('create_token', { name: 'bare', delivery: 'inline' })
    const owner_id = world.user_id
    const owned = await world.op('create_token', { name: 'owned', owner_id, delivery: 'inline' })
    const project_id = world.project_id
    const bound = await world.op('create_token', { name: 'bound', project_id, delivery: 'inline' })
    const key = await world.op('generate_user_key', { user_id: owner_id, project_id, delivery: 'inline' })
    const magic = await plantKey(world.beside, 'access', { all_servers: 1 })
    const data = async (secret: string) => {
      const { status, json } = await world.validate(secret)
      const { project, environments, user } = json.data
      return [status, project?.id ?? null, environments.length, user]
    }
    const user = (id: string, more: object = {}) => ({
      id: null,
      email: null,
      project_id: null,
      token_type: 'mcp',
      mcp_token_id: id,
      ...more,
    })
    const owner = { id: owner_id, email: world.email }
    expect(await data(bare.delivery.secret)).toEqual([200, null, 0, user(bare.token.id)])
    expect(await data(magic.secret)).toEqual([200, null, 0, user(magic.id)])
    expect(await data(owned.delivery.secret)).toEqual([200, null, 0, user(owned.token.id, owner)])
    expect(await data(bound.delivery.secret)).toEqual([
      200,
      project_id,
      1,
      user(bound.token.id, { project_id }),
    ])
    expect(await data(key.delivery.secret)).toEqual([
      200,
      project_id,
      1,
      user(key.token.id, { ...owner, project_id }),
    ])

    const reader = (await world.op('create_management_key', { name: 'r', role: 'reader' })).secret
    const elsewhere = await plantKey(world.beside, 'management', {
      role: 'admin',
      allowed_ips: '["192.0.2.1"]',
    })
    for (const secret of [world.adminKey, reader, elsewhere.secret]) {
      for (const method of ['GET', 'POST', 'DELETE'])
        expect(refused(await world.validate(secret, { method }))).toEqual(invalidToken)
    }
  })

  it(`${verifies('gassapi:validate:success:last-used')} a success is the token's last use: the first at once, a later one within a minute`, async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const apart = await openWorld(one)
    const { token } = (await apart.generate()).json.mcpClient
    const { tokens } = await apart.op('list_magic_tokens', {})
    const lastUse = async () => (await apart.op('get_token', { token_id: tokens[0].id })).token.last_used_at
    const pass = () => {
      apart.clock.pass(5_000)
      return new Date(apart.clock.now).toISOString()
    }
    expect(await lastUse()).toBeNull()
    const first = pass()
    await apart.validate(token)
    expect(await lastUse()).toBe(first)
    const second = pass()
    await apart.validate(token)
    await vi.advanceTimersByTimeAsync(60_000)
    await vi.waitFor(async () => expect(await lastUse()).toBe(second))
    vi.useRealTimers()
    await apart.close()
  })

  it(`${verifies('gassapi:validate:refused:one-body', 'gassapi:validate:refused:never-200', 'gassapi:validate:refused:first')} R30, R33: everything that is no valid token is one 401 body, from whatever address and by whatever method`, async () => {
    const { beside, project_id } = world
    const past = new Date(world.clock.now - 60_000).toISOString()
    const future = new Date(world.clock.now + 3_600_000).toISOString()
    const here = { allowed_ips: '["192.0.2.0/24"]' }
    const secretOf = async (columns: object) => (await plantKey(beside, 'access', columns)).secret
    const disabled = await world.person(`disabled@example.com`)
    const gone = await world.person(`gone@example.com`)
    const ofDisabled = (await world.make({ email: 'disabled@example.com' })).secret
    const ofGone = (await world.make({ email: 'gone@example.com' })).secret
    const boundToGone = await secretOf({ owner_id: gone, project_id, ...here })
    await world.op('update_user', { user_id: disabled, enabled: false })
    await world.op('remove_project_member', { project_id, user_id: gone })
    const { secret, id } = await world.make()
    const refusedOnes = {
      malformed: 'nonsense',
      'a known one with one more character': `${secret}x`,
      'in capitals': secret.toUpperCase(),
      'all but the last character': secret.slice(0, -1),
      'an id': id,
      'a shown prefix': secret.slice(0, 12),
      'a project': project_id,
      unknown: 'mcpt_ExampleSecretDoNotUse00000000000000013drjit',
      revoked: await secretOf({ revoked_at: past, ...here }),
      'disabled itself': await secretOf({ enabled: 0, ...here }),
      'not yet valid': await secretOf({ not_before: future, ...here }),
      expired: await secretOf({ expires_at: past, ...here }),
      'of a disabled owner': ofDisabled,
      'of somebody who left': ofGone,
      'of an owner who left': boundToGone,
    }
    for (const [n, [what, bad]] of Object.entries(refusedOnes).entries()) {
      // Each from its own pair of addresses: many failures of one are told to wait.
      for (const from of [`192.0.2.${n}`, `198.51.100.${n}`]) {
        for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
          const answer = await world.validate(bad, { from, method })
          expect([what, method, ...refused(answer)]).toEqual([what, method, ...invalidToken])
          expect(answer.headers.get('content-type')).toBe('application/json')
          expect(answer.headers.get('access-control-allow-origin')).toBeNull()
        }
        const head = await world.validate(bad, { from, method: 'HEAD' })
        expect([what, head.status, head.text]).toEqual([what, 401, ''])
      }
    }
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const answer = await world.validate(null, { method })
      expect([method, ...refused(answer)]).toEqual([method, 401, told.token, 'Bearer', null, null])
    }
    expect((await world.validate(secret)).status).toBe(200)
  })
})

describe('what /mcp/validate looks at', () => {
  let world: World
  let secret: string
  let host: string
  beforeAll(async () => {
    world = await openWorld(database('sqlite'))
    secret = (await world.make()).secret
    host = `host: 127.0.0.1:${world.port}`
  })
  afterAll(() => world.close())

  const ask = async (headers: string[], method = 'GET', path = '/mcp/validate', body = '') => {
    const heard = await world.raw(wire(`${method} ${path} HTTP/1.1`, headers, body))
    const [head = '', text = ''] = heard.split('\r\n\r\n')
    return { status: statuses(heard), head, text }
  }

  it(`${verifies('gassapi:validate:refused:bearer-only', 'gassapi:validate:refused:never-200')} reads the token from the header and from nowhere else`, async () => {
    const elsewhere: [path: string, headers: Record<string, string>][] = [
      [`/mcp/validate?token=${secret}`, {}],
      [`/mcp/validate?access_token=${secret}&api_key=${secret}`, {}],
      ['/mcp/validate', { cookie: `token=${secret}; Authorization=Bearer%20${secret}` }],
      [
        '/mcp/validate',
        { 'x-api-key': secret, 'x-token': secret, 'proxy-authorization': `Bearer ${secret}` },
      ],
    ]
    for (const [path, headers] of elsewhere) {
      const answer = await world.send(path, { headers })
      expect([path, ...refused(answer)]).toEqual([path, 401, told.token, 'Bearer', null, null])
      const bad = { ...headers, authorization: 'Bearer mcpt_nothing' }
      expect(refused(await world.send(path, { headers: bad }))).toEqual(invalidToken)
    }
    const body = JSON.stringify({ token: secret })
    const json = { 'content-type': 'application/json' }
    expect((await world.send('/mcp/validate', { method: 'POST', body, headers: json })).text).toBe(told.token)
    expect((await ask([host], 'GET', '/mcp/validate', body)).status).toEqual([401])
    // What is not read does no harm either.
    const good = await world.validate(secret, { headers: { cookie: 'token=x' } })
    expect(good.status).toBe(200)
    const query = await world.send('/mcp/validate?token=x', {
      headers: { authorization: `Bearer ${secret}` },
    })
    expect(query.status).toBe(200)
    expect(
      (await ask([host, `authorization: Bearer ${secret}`], 'GET', '/mcp/validate', '{"broken')).status,
    ).toEqual([200])
  })

  it(`${verifies('gassapi:validate:refused:bearer-only', 'gassapi:token:format:exact')} R21: takes the scheme in any letter case behind any number of blanks, and the token as it is`, async () => {
    for (const value of [`bearer ${secret}`, `BEARER ${secret}`, `bEaReR    ${secret}`])
      expect([value, (await ask([host, `authorization: ${value}`])).status]).toEqual([value, [200]])
    const wrong = [
      secret,
      `Bearer${secret}`,
      `Token ${secret}`,
      `Basic ${Buffer.from(`x:${secret}`).toString('base64')}`,
      `Bearer ${secret.toUpperCase()}`,
      `Bearer ${secret.toLowerCase()}`,
      `Bearer "${secret}"`,
      `Bearer ${secret},`,
      `Bearer ${secret} ${secret}`,
      `Bearer\t${secret}`,
      'Bearer',
      '',
    ]
    for (const value of wrong) {
      const { status, text, head } = await ask([host, `authorization: ${value}`])
      expect([value, status, text]).toEqual([value, [401], told.token])
      expect(head).toMatch(/^www-authenticate: Bearer error="invalid_token"\r?$/im)
    }
    const two = await ask([host, `authorization: Bearer ${secret}`, `authorization: Bearer ${secret}`])
    expect([two.status, two.text]).toEqual([[401], told.token])
  })

  it(`${verifies('gassapi:validate:method:405', 'gassapi:validate:refused:first')} with a valid token another method is 405, whatever its body`, async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD']) {
      for (const body of method === 'HEAD' || method === 'OPTIONS' ? [''] : ['', '{', 'x'.repeat(300_000)]) {
        const answer = await world.validate(secret, { method, ...(body === '' ? {} : { body }) })
        const text = method === 'HEAD' ? '' : told.onlyGet
        expect([method, ...refused(answer)]).toEqual([method, 405, text, null, 'GET', null])
        expect(answer.headers.get('content-type')).toBe('application/json')
        expect(answer.headers.get('access-control-allow-origin')).toBeNull()
      }
    }
  })

  it(`${verifies('gassapi:validate:refused:first')} R22: a Host or Origin that is not listed is 403 before the token is looked at, and no page of another origin may read anything`, async () => {
    const credential = `authorization: Bearer ${secret}`
    const foreign = [
      ['host: evil.example'],
      ['host: evil.example', credential],
      [host, 'origin: http://evil.example', credential],
      [host, 'origin: null', credential],
      [host, `origin: http://127.0.0.1:${world.port}.evil.example`],
    ]
    for (const headers of foreign) {
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        const { status, text, head } = await ask(headers, method)
        expect([headers, status, text]).toEqual([headers, [403], told.foreign])
        expect(head).not.toMatch(/access-control|www-authenticate/i)
      }
    }
    const own = await ask([host, `origin: http://127.0.0.1:${world.port}`, credential])
    expect(own.status).toEqual([200])
    expect(own.head).not.toMatch(/access-control/i)
  })

  it(`${verifies('gassapi:validate:address:403')} a valid token from an address outside its list is 403, by whatever method, and from inside 200`, async () => {
    const made = await world.make()
    await world.op('update_token', { token_id: made.id, allowed_ips: ['192.0.2.0/28', '2001:db8::/32'] })
    for (const from of ['192.0.2.16', '198.51.100.1', '2001:db9::1']) {
      for (const method of ['GET', 'POST']) {
        const answer = await world.validate(made.secret, { from, method })
        expect([from, ...refused(answer)]).toEqual([from, 403, told.address, null, null, null])
      }
    }
    for (const from of ['192.0.2.15', '2001:db8:1::1'])
      expect((await world.validate(made.secret, { from })).status).toBe(200)
    await world.op('revoke_token', { token_id: made.id })
    expect(refused(await world.validate(made.secret, { from: '198.51.100.1' }))).toEqual(invalidToken)
  })

  it(`${verifies('gassapi:validate:refused:never-200', 'gassapi:client:status-only:safe')} no path like it answers 2xx without a valid token, and each answers JSON`, async () => {
    const paths = [
      '/mcp/validate',
      '/mcp/validate/',
      '/mcp/validate/x',
      '/mcp/validate.php',
      '/mcp//validate',
      '/mcp/%76alidate',
      '/MCP/validate',
      '/mcp/validate;x',
      '/?act=mcp_validate',
      '/mcp/validate?act=help',
    ]
    for (const path of paths) {
      for (const bearer of [[], ['authorization: Bearer mcpt_nothing']]) {
        for (const accept of ['*/*', 'text/html']) {
          const { status, head, text } = await ask([host, `accept: ${accept}`, ...bearer], 'GET', path)
          if (!path.startsWith('/?')) expect([path, Math.floor((status[0] ?? 0) / 100)]).toEqual([path, 4])
          expect([path, head.toLowerCase().includes('content-type: application/json')]).toEqual([path, true])
          JSON.parse(text)
        }
      }
    }
    const below = await world.send('/mcp/validate/x', { headers: { authorization: `Bearer ${secret}` } })
    expect([below.status, below.json.success]).toEqual([404, false])
  })

  it('R29: an address with many failures is told to wait, and a valid token from it works', async () => {
    const from = '203.0.113.77'
    for (let n = 0; n < 100; n++) await world.validate('mcpt_nothing', { from })
    const answer = await world.validate('mcpt_nothing', { from })
    expect([answer.status, answer.text, answer.headers.get('retry-after')]).toEqual([429, told.limited, '60'])
    expect((await world.validate(secret, { from })).status).toBe(200)
  })
})
