import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { statuses, wire } from '../../http/serving.ts'
import { database, databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { description, openWorld, password, paths, route, told, type World } from './world.ts'

const secretForm = /^mcpt_[0-9A-Za-z]{43}$/

describe.each(databases)('POST /public/generate-mcp-token on $name', (one) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld(one)
  })
  afterAll(() => world.close())

  it.each(paths)(
    `${verifies('gassapi:generate:request:alias', 'gassapi:generate:success:status', 'gassapi:generate:success:shape', 'gassapi:generate:success:no-store', 'gassapi:generate:success:json', 'gassapi:generate:method:cors')} %s answers 201 with exactly the seed's members, as JSON that is never kept and any page may read`,
    async (path) => {
      const { status, text, json, headers } = await world.generate({}, { path })
      const { token } = json.mcpClient
      expect(token).toMatch(secretForm)
      const project = { id: world.project_id, name: 'Test Project', description }
      expect([status, text]).toEqual([201, JSON.stringify({ project, mcpClient: { token } })])
      expect(headers.get('content-type')).toBe('application/json')
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('access-control-allow-origin')).toBe('*')
      expect(headers.get('access-control-allow-credentials')).toBeNull()
      expect(headers.get('location')).toBeNull()
    },
  )

  it(`${verifies('gassapi:generate:success:works-at-once')} the token validates with the next request, each time`, async () => {
    for (let n = 0; n < 10; n++) {
      const { token } = (await world.generate()).json.mcpClient
      expect((await world.validate(token)).status).toBe(200)
    }
  })

  it(`${verifies('gassapi:generate:success:description')} the description is a text, or null where the project has none`, async () => {
    const { id } = (await world.op('create_project', { name: 'Bare' })).project
    await world.op('add_project_member', { project_id: id, user_id: world.user_id })
    const bare = await world.generate({ project_id: id })
    expect(bare.json.project).toEqual({ id, name: 'Bare', description: null })
    await world.op('update_project', { project_id: id, description: 'Now it has one' })
    expect((await world.generate({ project_id: id })).json.project.description).toBe('Now it has one')
  })

  it(`${verifies('gassapi:generate:request:public')} needs no credential, and ignores one that is sent, good or bad`, async () => {
    const { secret } = await world.make()
    const sent = [
      `Bearer ${world.adminKey}`,
      `Bearer ${secret}`,
      'Bearer mcpt_nothing',
      'Basic dXNlcjpwdw==',
      '',
    ]
    for (const authorization of sent) {
      const headers = { authorization }
      const good = await world.generate({}, { headers })
      expect([authorization, good.status]).toEqual([authorization, 201])
      const wrong = await world.generate({ password: 'wrong' }, { headers, from: '192.0.2.9' })
      expect([wrong.status, wrong.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
      // The body is judged before anybody's credential is.
      const bare = await world.generate('{}', { headers })
      expect([bare.status, bare.text]).toEqual([400, told.json])
    }
    const { owner_id } = (await world.op('get_token', { token_id: (await world.make()).id })).token
    expect(owner_id).toBe(world.user_id)
  })

  it(`${verifies('gassapi:generate:request:body')} takes the fields from a JSON object whatever Content-Type says`, async () => {
    for (const type of [
      'application/json; charset=utf-8',
      'text/plain',
      'application/x-www-form-urlencoded',
      'nonsense',
    ]) {
      const answer = await world.generate({}, { headers: { 'content-type': type } })
      expect([type, answer.status]).toEqual([type, 201])
    }
    const { email, project_id } = world
    const body = JSON.stringify({ email, password, project_id })
    const host = `host: 127.0.0.1:${world.port}`
    expect(statuses(await world.raw(wire(`POST ${route} HTTP/1.1`, [host], body)))).toEqual([201])
  })

  it(`${verifies('gassapi:generate:request:unknown-fields')} ignores other members, and none of them does anything`, async () => {
    const project = await world.op('get_project', { project_id: world.project_id })
    const more = {
      name: 'mine',
      kind: 'user_key',
      expires_in_days: 1,
      allowed_ips: ['192.0.2.1'],
      owner_id: 'usr_other',
      idempotency_key: 'too short',
      delivery: 'link',
      access: { all_servers: false },
      nested: { email: 'other@example.com', list: [null, 1, true] },
      '': 0,
    }
    const body = JSON.stringify({ email: world.email, password, project_id: world.project_id, ...more })
    const answer = await world.generate(body.replace('{', '{"__proto__":{"email":"x"},"constructor":1,'))
    expect(Object.keys(answer.json)).toEqual(['project', 'mcpClient'])
    const { mcp_token_id } = (await world.validate(answer.json.mcpClient.token)).json.data.user
    expect((await world.op('get_token', { token_id: mcp_token_id })).token).toMatchObject({
      name: 'gassapi Test Project',
      kind: 'access',
      owner_id: world.user_id,
      expires_at: null,
      allowed_ips: null,
      access: { all_servers: true },
    })
    expect(await world.op('get_project', { project_id: world.project_id })).toEqual(project)
  })

  it(`${verifies('gassapi:generate:request:query')} reads nothing from the query string and no form body`, async () => {
    const { email, project_id } = world
    const form = new URLSearchParams({ email, password, project_id }).toString()
    const before = await world.state()
    const asQuery = { path: `${route}?${form}` }
    expect((await world.generate('', asQuery)).text).toBe(told.json)
    expect((await world.generate('{}', asQuery)).text).toBe(told.json)
    expect((await world.generate('{"email":"x"}', asQuery)).text).toBe(told.missing)
    const urlencoded = { headers: { 'content-type': 'application/x-www-form-urlencoded' } }
    const asForm = await world.generate(form, urlencoded)
    expect([asForm.status, asForm.text]).toEqual([400, told.json])
    const multipart = { headers: { 'content-type': 'multipart/form-data; boundary=x' } }
    const parts = Object.entries({ email, password, project_id }).map(
      ([name, value]) => `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    )
    expect((await world.generate(`${parts.join('')}--x--`, multipart)).status).toBe(400)
    expect(await world.state()).toBe(before)
    const other = new URLSearchParams({ email: 'other@example.com', password: 'x', project_id: 'proj_x' })
    expect((await world.generate({}, { path: `${route}?${other}` })).status).toBe(201)
  })

  it(`${verifies('gassapi:generate:login:parallel')} six right logins of one user at once all answer 201, each with its own token`, async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => world.generate()))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201))
    const secrets = answers.map(({ json }) => json.mcpClient.token)
    expect(new Set(secrets).size).toBe(6)
    for (const secret of secrets) expect((await world.validate(secret)).status).toBe(200)
  })

  it(`${verifies('gassapi:generate:login:email-case')} the e-mail is taken in any letter case, and nothing is trimmed`, async () => {
    expect((await world.generate({ email: 'User@Example.COM' })).status).toBe(201)
    const from = '192.0.2.30'
    for (const email of [' user@example.com', 'user@example.com ', '\tuser@example.com'])
      expect((await world.generate({ email }, { from })).text).toBe(told.login)
    for (const other of [` ${password}`, `${password} `, password.toUpperCase()])
      expect((await world.generate({ password: other }, { from })).text).toBe(told.login)
    expect((await world.generate({ project_id: ` ${world.project_id}` }, { from })).text).toBe(told.project)
  })
})

describe('the methods, Hosts and Origins of the public route', () => {
  let world: World
  let host: string
  beforeAll(async () => {
    world = await openWorld(database('sqlite'))
    host = `127.0.0.1:${world.port}`
  })
  afterAll(() => world.close())

  const body = () => JSON.stringify({ email: world.email, password, project_id: world.project_id })

  it.each(paths)(
    `${verifies('gassapi:generate:method:options', 'gassapi:generate:method:cors', 'gassapi:generate:success:json')} OPTIONS %s answers a preflight from anywhere, with an empty body`,
    async (path) => {
      for (const headers of [
        {},
        {
          origin: 'https://anywhere.example',
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'content-type',
        },
      ]) {
        const answer = await world.send(path, { method: 'OPTIONS', headers })
        expect([answer.status, answer.text]).toEqual([200, ''])
        const allowed = ['origin', 'methods', 'headers', 'credentials'].map((name) =>
          answer.headers.get(`access-control-allow-${name}`),
        )
        expect(allowed).toEqual(['*', 'POST, OPTIONS', 'Content-Type', null])
      }
    },
  )

  it.each(paths)(
    `${verifies('gassapi:generate:method:405', 'gassapi:generate:method:cors', 'gassapi:generate:success:json')} every other method on %s is 405, whatever its body`,
    async (path) => {
      const before = await world.state()
      for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'HEAD']) {
        const bodies = method === 'GET' || method === 'HEAD' ? [''] : ['', body(), '{', 'x'.repeat(20_000)]
        for (const sent of bodies) {
          const answer = await world.send(path, {
            method,
            headers: { origin: 'https://anywhere.example' },
            ...(sent === '' ? {} : { body: sent }),
          })
          expect([method, answer.status, answer.headers.get('allow')]).toEqual([method, 405, 'POST, OPTIONS'])
          expect(answer.text).toBe(method === 'HEAD' ? '' : told.method)
          expect(answer.headers.get('content-type')).toBe('application/json')
          expect(answer.headers.get('access-control-allow-origin')).toBe('*')
          expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
        }
      }
      expect(await world.state()).toBe(before)
    },
  )

  it.each(paths)(
    `${verifies('gassapi:generate:method:host', 'gassapi:generate:method:cors')} R22: %s refuses a Host that is not listed before everything else, and makes nothing`,
    async (path) => {
      const before = await world.state()
      const foreign = [
        'evil.example',
        `evil.example:${world.port}`,
        `127.0.0.1:1`,
        `${host}.evil.example`,
        '',
      ]
      for (const name of foreign) {
        for (const [method, sent] of [
          ['POST', body()],
          ['POST', '{'],
          ['POST', 'x'.repeat(20_000)],
          ['OPTIONS', ''],
          ['DELETE', ''],
        ] as const) {
          const heard = await world.raw(wire(`${method} ${path} HTTP/1.1`, [`host: ${name}`], sent))
          expect([name, method, statuses(heard)]).toEqual([name, method, [403]])
          expect(heard.split('\r\n\r\n')[1]).toBe(told.host)
          expect(heard).toContain('access-control-allow-origin: *\r\n')
          expect(heard).not.toMatch(/www-authenticate|allow-credentials/i)
        }
      }
      const line = `POST http://evil.example${path} HTTP/1.1`
      const disagreeing = await world.raw(
        wire(line, [`host: ${host}`, 'origin: http://evil.example'], body()),
      )
      expect(disagreeing.split('\r\n\r\n')[1]).toBe(told.host)
      expect(await world.state()).toBe(before)
    },
  )

  it(`${verifies('gassapi:generate:method:host', 'gassapi:generate:request:public')} R23: no Origin is refused on it, and none is repeated`, async () => {
    const origins = ['https://anywhere.example', 'null', 'file://', `http://${host}`, 'http://localhost:1']
    for (const origin of origins) {
      for (const path of paths) {
        const line = `POST ${path} HTTP/1.1`
        const heard = await world.raw(wire(line, [`host: ${host}`, `origin: ${origin}`], body()))
        expect([origin, statuses(heard)]).toEqual([origin, [201]])
        expect(heard).toContain('access-control-allow-origin: *\r\n')
        expect(heard).not.toMatch(/allow-credentials/i)
      }
    }
    const absolute = `POST http://${host}${route} HTTP/1.1`
    const heard = await world.raw(
      wire(absolute, [`host: ${host}`, 'origin: https://anywhere.example'], body()),
    )
    expect(statuses(heard)).toEqual([201])
  })
})
