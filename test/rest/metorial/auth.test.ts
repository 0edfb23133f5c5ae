import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { wire } from '../../http/serving.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { plantKey, plantProject, plantUser } from '../../support/world.ts'
import {
  forbidden,
  openWorld,
  roles,
  routes,
  type Thing,
  unauthorized,
  unknownId,
  type World,
} from './world.ts'

describe.each(databases)('who may call Metorial routes on $name', (database) => {
  let world: World
  let token: Thing & { secret: string }
  beforeAll(async () => {
    world = await openWorld(database)
    token = await world.token()
  })
  afterAll(() => world.close())

  /** Statuses and challenge of a request with these Authorization headers. */
  async function knock(...authorization: string[]) {
    const { raw, port } = world.running
    const headers = [`host: 127.0.0.1:${port}`, ...authorization.map((value) => `authorization: ${value}`)]
    const heard = await raw(wire('GET /magic-mcp-tokens HTTP/1.1', headers))
    return {
      status: Number(/^HTTP\/1\.1 (\d+)/.exec(heard)?.[1]),
      challenge: /^www-authenticate: (.*)\r$/im.exec(heard)?.[1],
      body: heard.slice(heard.indexOf('\r\n\r\n') + 4),
    }
  }

  it.each(['Bearer KEY', 'bearer KEY', 'BEARER KEY', 'bEaReR    KEY'])(
    `${verifies('metorial:auth:header:bearer')} %s opens: the scheme in any case, one or more spaces, one word`,
    async (value) => {
      expect((await knock(value.replace('KEY', world.keys.reader))).status).toBe(200)
    },
  )

  it.each([
    [],
    [''],
    ['Bearer'],
    ['Bearer '],
    ['BearerKEY'],
    ['Bearer\tKEY'],
    ['Bearer KEY KEY'],
    ['Bearer KEY,KEY'],
    ['Basic KEY'],
    ['KEY'],
    ['Token KEY'],
    ['Bearer KEY', 'Bearer KEY'],
  ])(
    `${verifies('metorial:auth:header:missing', 'metorial:auth:header:bearer')} no or a malformed header is 401 with Bearer: %j`,
    async (...values) => {
      const { status, challenge, body } = await knock(
        ...values.map((value) => value.replaceAll('KEY', world.keys.admin)),
      )
      const comma = values[0]?.includes(',') === true
      expect({ status, challenge, body }).toEqual({
        status: 401,
        // One word that is no secret is a wrong one.
        challenge: comma ? 'Bearer error="invalid_token"' : 'Bearer',
        body: unauthorized,
      })
    },
  )

  it(`${verifies('metorial:auth:header:invalid')} every secret that is no good gets the same bytes, from whatever address`, async () => {
    const { beside, running } = world
    const elsewhere = JSON.stringify(['10.9.9.9'])
    const past = '2020-01-01T00:00:00.000Z'
    const disabledOwner = await plantUser(beside, { enabled: 0 })
    const { project_id } = await plantProject(beside)
    const stranger = await plantUser(beside)
    const states = [
      { revoked_at: past },
      { enabled: 0 },
      { not_before: '2999-01-01T00:00:00.000Z' },
      { expires_at: past },
      { owner_id: disabledOwner },
      { owner_id: stranger, project_id },
    ]
    const planted = await Promise.all([
      ...states.map((columns) => plantKey(beside, 'access', columns)),
      ...states.map((columns) => plantKey(beside, 'access', { ...columns, allowed_ips: elsewhere })),
      ...states.slice(0, 4).map((columns) => plantKey(beside, 'management', columns)),
      plantKey(beside, 'user_key', { expires_at: past }),
    ])
    const deleted = await world.token()
    await world.admin(`DELETE /magic-mcp-tokens/${deleted.id}`)
    const secrets = [
      ...planted.map(({ secret }) => secret),
      deleted.secret,
      token.id,
      token.secret_redacted.slice(0, 12),
      token.secret.slice(0, 47),
      token.secret.toUpperCase(),
      'mcpt_ExampleSecretDoNotUse00000000000000013drjit',
      'metorial_sk_anything',
    ]
    for (const secret of secrets) {
      const { status, challenge, body } = await knock(`Bearer ${secret}`)
      expect([secret, status, challenge, body]).toEqual([
        secret,
        401,
        'Bearer error="invalid_token"',
        unauthorized,
      ])
      const own = await world.as(secret)(`GET /magic-mcp-tokens/${token.id}`)
      expect([own.status, own.text]).toEqual([401, unauthorized])
    }
    expect(running.log.join('\n')).not.toContain(deleted.secret)
  })

  it(`${verifies('metorial:auth:query:ignored')} a key in the query is never read`, async () => {
    const { admin, operator } = world.keys
    for (const query of [
      `?key=${admin}`,
      `?token=${admin}`,
      `?api_key=${admin}`,
      `?key=${admin}&token=${operator}`,
    ]) {
      const { status, text } = await world.as(null)(`GET /magic-mcp-tokens${query}`)
      expect([status, text]).toEqual([401, unauthorized])
    }
    // Nor does it lend a weaker caller anything.
    expect((await world.reader(`POST /magic-mcp-tokens?key=${admin}`, { name: 'x' })).status).toBe(403)
    expect(world.running.log.join('\n')).not.toContain(admin)
  })

  it(`${verifies('metorial:auth:order:host-origin')} a foreign Host or Origin is 403 before 401, the route and the body`, async () => {
    const { raw, port } = world.running
    const good = `host: 127.0.0.1:${port}`
    for (const headers of [
      ['host: evil.example'],
      [good, 'origin: http://evil.example'],
      [good, 'origin: http://evil.example', `authorization: Bearer ${world.keys.admin}`],
      ['host: evil.example', 'authorization: Bearer wrong'],
    ]) {
      for (const line of ['GET /magic-mcp-tokens', 'POST /magic-mcp-tokens', 'GET /magic-mcp-nothing']) {
        const heard = await raw(wire(`${line} HTTP/1.1`, headers, line.startsWith('POST') ? '{broken' : ''))
        expect(heard).toMatch(/^HTTP\/1\.1 403 /)
        expect(heard.endsWith(forbidden)).toBe(true)
      }
    }
  })

  it(`${verifies('metorial:auth:order:before-everything')} 401 comes before body, query, Accept, path and existence`, async () => {
    const nobody = world.as(null)
    const huge = 'x'.repeat(300_000)
    for (const [line, body, headers] of [
      ['POST /magic-mcp-tokens', '{broken'],
      ['POST /magic-mcp-tokens', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }],
      ['POST /magic-mcp-tokens', huge],
      [`PATCH /magic-mcp-tokens/${unknownId.token}`, { name: 5 }],
      ['GET /magic-mcp-tokens?limit=0&cursor=x'],
      ['GET /magic-mcp-tokens', undefined, { accept: 'text/html' }],
      ['GET /magic-mcp-tokens/'],
      ['GET /magic-mcp-tokens/a/b/c'],
      ['GET /magic-mcp-sessions'],
      ['PUT /magic-mcp-tokens', {}],
      ['OPTIONS /magic-mcp-tokens'],
    ] as [string, unknown?, Record<string, string>?][]) {
      const { status, text } = await nobody(line, body, headers)
      expect([line, status, text]).toEqual([line, 401, unauthorized])
    }
  })

  it(`${verifies('metorial:auth:order:after')} then the route, then body and query, then the role, then look-up, then state`, async () => {
    const { reader, operator, admin } = world
    const gone = await world.token()
    await admin(`DELETE /magic-mcp-tokens/${gone.id}`)
    const deleted = await world.group()
    await admin(`DELETE /magic-mcp-groups/${deleted.id}`)
    // The route before body and role.
    expect((await reader('POST /magic-mcp-tokens/a/b', '{broken')).status).toBe(404)
    // Body and query before the role.
    expect((await reader('POST /magic-mcp-tokens', '{broken')).status).toBe(400)
    expect((await reader('POST /magic-mcp-tokens', {})).status).toBe(400)
    expect((await reader('POST /magic-mcp-tokens', 'x'.repeat(300_000))).status).toBe(413)
    expect((await world.as(token.secret)('GET /magic-mcp-tokens?limit=0')).status).toBe(400)
    // The role before look-up.
    expect((await reader(`PATCH /magic-mcp-tokens/${unknownId.token}`, { name: 'x' })).status).toBe(403)
    expect((await operator(`DELETE /magic-mcp-servers/${unknownId.server}`)).status).toBe(403)
    // A bad body before look-up and state.
    expect((await admin(`PATCH /magic-mcp-tokens/${unknownId.token}`, { name: 5 })).status).toBe(400)
    expect((await admin(`PATCH /magic-mcp-tokens/${gone.id}`, { name: 5 })).status).toBe(400)
    expect((await admin(`PATCH /magic-mcp-groups/${deleted.id}`, { name: 5 })).status).toBe(400)
    // Look-up before state: an unknown member before a deleted one.
    for (const group_ids of [
      [deleted.id, unknownId.group],
      [unknownId.group, deleted.id],
    ]) {
      const { status, json } = await admin('POST /magic-mcp-tokens', { name: 'x', group_ids })
      expect([status, json.id]).toEqual([404, unknownId.group])
    }
    const mixed = { name: 'x', group_ids: [deleted.id], magic_mcp_server_id: unknownId.server }
    expect((await admin('POST /magic-mcp-tokens', mixed)).json).toMatchObject({
      status: 404,
      entity: 'magic_mcp.server',
    })
    expect((await admin(`PATCH /magic-mcp-tokens/${gone.id}`, { name: 'x' })).status).toBe(412)
    expect((await admin(`PATCH /magic-mcp-groups/${deleted.id}`, { name: 'x' })).status).toBe(410)
  })

  it.each(routes)(
    `${verifies('metorial:auth:role:forbidden')} $line asks for $may, whether or not the thing exists`,
    async ({ line, kind, body, may }) => {
      for (const role of roles) {
        const allowed = roles.indexOf(role) <= roles.indexOf(may as (typeof roles)[number])
        const own = await world[kind]()
        for (const id of [own.id, unknownId[kind]]) {
          const { status, text, headers } = await world.as(world.keys[role])(line.replace(':id', id), body)
          if (allowed) {
            expect([role, status]).toEqual([role, id === own.id || !line.includes(':id') ? 200 : 404])
          } else {
            expect([role, status, text]).toEqual([role, 403, forbidden])
            // R33: which permission is missing stands in the header.
            expect(headers.get('www-authenticate')).toMatch(/^Bearer error="insufficient_scope"/)
          }
        }
      }
    },
  )

  it(`${verifies('metorial:auth:access-token:self-only')} an access token reads and rotates itself, and nothing else`, async () => {
    const { project_id, user_id } = await plantProject(world.beside)
    const userKeys = [
      await plantKey(world.beside, 'user_key', { owner_id: user_id, project_id }),
      await plantKey(world.beside, 'user_key', { owner_id: user_id, project_id, all_servers: 1 }),
    ]
    for (const { id, secret } of [await world.token(), ...userKeys]) {
      const self = world.as(secret)
      const own = {
        token: (await world.token()).id,
        group: (await world.group()).id,
        server: (await world.server()).id,
      }
      for (const { line, kind, body } of routes) {
        const others = [own[kind], unknownId[kind], 'nonsense']
        const isOwn = line === 'GET /magic-mcp-tokens/:id' || line.endsWith('/rotate')
        if (kind === 'token' && line.includes(':id') && !isOwn) others.push(id)
        for (const other of others) {
          const { status, text } = await self(line.replace(':id', other), body)
          expect([line, status, text]).toEqual([line, 403, forbidden])
        }
      }
      expect((await self(`GET /magic-mcp-tokens/${id}`)).json).toMatchObject({ id, secret: '' })
      const rotated = await self(`POST /magic-mcp-tokens/${id}/rotate`)
      expect([rotated.status, rotated.json.id]).toEqual([200, id])
      expect((await self(`GET /magic-mcp-tokens/${id}`)).status).toBe(401)
      expect((await world.as(rotated.json.secret)(`GET /magic-mcp-tokens/${id}`)).status).toBe(200)
    }
  })

  it(`${verifies('metorial:auth:address:not-allowed')} a good credential from another address is 403 and says so`, async () => {
    const elsewhere = ['10.9.9.9', '192.0.2.0/24']
    const made = await world.running.call('create_token', { name: 'bound', allowed_ips: elsewhere })
    const key = await world.running.call('create_management_key', {
      name: 'bound',
      role: 'admin',
      allowed_ips: elsewhere,
    })
    const here = await world.running.call('create_token', { name: 'here', allowed_ips: ['127.0.0.1'] })
    for (const secret of [made.json.delivery.secret, key.json.secret]) {
      const { status, json } = await world.as(secret)(`GET /magic-mcp-tokens/${made.json.token.id}`)
      expect([status, json]).toEqual([
        403,
        { object: 'error', ok: false, status: 403, code: 'forbidden', message: 'IP not allowed' },
      ])
    }
    const own = world.as(here.json.delivery.secret)
    expect((await own(`GET /magic-mcp-tokens/${here.json.token.id}`)).status).toBe(200)
  })
})
