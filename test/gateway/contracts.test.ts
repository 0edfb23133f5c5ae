import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultLimits } from '../../src/http/limits.ts'
import { databases } from '../support/databases.ts'
import { verifies } from '../support/verifies.ts'
import { type Guarded, openGuarded } from './guarded.ts'

const echo = (name = 'echo') => ({
  jsonrpc: '2.0',
  id: 7,
  method: 'tools/call',
  params: { name, arguments: { text: 'hi' } },
})
const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
const refusal = (code: number, message: string) => ({ jsonrpc: '2.0', error: { code, message }, id: null })
const unauthorized = refusal(-32001, 'Unauthorized')
const forbidden = refusal(-32003, 'Forbidden')
const ipNotAllowed = refusal(-32003, 'IP Not Allowed')

describe.each(databases)('servers behind the gateway, on $name', (database) => {
  let guarded: Guarded
  beforeAll(async () => {
    guarded = await openGuarded(database, {
      limits: { ...defaultLimits, failuresPerMinute: 100_000 },
      trustedProxies: ['127.0.0.1'],
    })
  })
  afterAll(() => guarded.close())

  const at = (slug: string) => `/servers/${slug}/mcp`
  const from = (ip: string) => ({ 'x-forwarded-for': ip })
  /** The status of a call at each server, and of one at each through the gateway as a whole. */
  async function opens(
    secret: string,
    headers: Record<string, string> = {},
  ): Promise<Record<string, number>> {
    const found: Record<string, number> = {}
    for (const slug of ['alpha', 'beta']) {
      const one = await guarded.rpc(at(slug), secret, echo(), headers)
      const all = await guarded.rpc('/gateway/mcp', secret, echo(`${slug}__echo`), headers)
      if (one.status === 200) expect(one.json.result.content[0].text).toBe('hi')
      expect([slug, all.status, all.json]).toEqual([slug, one.status, one.json])
      found[slug] = one.status
    }
    return found
  }
  const both = { alpha: 200, beta: 200 }
  const alphaOnly = { alpha: 200, beta: 403 }
  const neither = { alpha: 403, beta: 403 }
  const dead = { alpha: 401, beta: 401 }
  const asAdmin = (method: string, body?: object) => ({
    method,
    headers: { authorization: `Bearer ${guarded.adminKey}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })

  it(`${verifies('mctx:mcp:401:body')} no or bad token: 401 and the Unauthorized body, after Host and Origin and before the message is looked at`, async () => {
    const asked = guarded.alpha.asked.length
    for (const path of [at('alpha'), at('nowhere'), '/gateway/mcp']) {
      for (const secret of [null, 'nonsense', `mcpt_${'a'.repeat(43)}`]) {
        for (const method of ['POST', 'GET', 'DELETE']) {
          const { status, json, headers } = await guarded.send(path, {
            method,
            headers: secret === null ? {} : { authorization: `Bearer ${secret}` },
            ...(method === 'POST' ? { body: 'no json at all' } : {}),
          })
          expect([path, secret, method, status, json]).toEqual([path, secret, method, 401, unauthorized])
          expect(headers.get('www-authenticate')).toBe(
            secret === null ? 'Bearer' : 'Bearer error="invalid_token"',
          )
        }
      }
      for (const lines of [
        'host: evil.example',
        `host: 127.0.0.1:${guarded.port}\r\norigin: http://evil.example`,
      ]) {
        const foreign = await guarded.raw(
          `POST ${path} HTTP/1.1\r\n${lines}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`,
        )
        expect([lines, foreign.split('\r\n')[0]]).toEqual([lines, 'HTTP/1.1 403 Forbidden'])
        expect(JSON.parse(foreign.slice(foreign.indexOf('{')))).toEqual(forbidden)
      }
    }
    expect(guarded.alpha.asked.length).toBe(asked)
  })

  it(`${verifies('mctx:mcp:401:expired')} an expired token is 401 from the first moment after its end`, async () => {
    const { id, secret } = await guarded.token({ all_servers: true }, { expires_in_days: 1 })
    expect(await opens(secret)).toEqual(both)
    const { expires_at } = (await guarded.call('get_token', { token_id: id })).json.token
    guarded.clock.now = Date.parse(expires_at) - 1
    expect(await opens(secret)).toEqual(both)
    guarded.clock.pass(1)
    expect(await opens(secret)).toEqual(dead)
  })

  it(`${verifies('mctx:mcp:403:server', 'mctx:mcp:scope:minimum')} a token for one server opens no other, even if its owner could; an unknown slug is 403, and 404 to whoever may open all`, async () => {
    const owner = (await guarded.call('create_user', { email: 'owner@example.com' })).json.user.id
    const project = (await guarded.call('create_project', { name: 'Owned' })).json.project.id
    await guarded.call('add_project_member', { project_id: project, user_id: owner })
    await guarded.call('assign_config', { project_id: project, config_id: guarded.configId })
    const key = await guarded.call('generate_user_key', { user_id: owner, project_id: project })
    expect(await opens(key.json.delivery.secret)).toEqual(both)
    const owned = { owner_id: owner, project_id: project }
    const one = await guarded.token({ servers: [guarded.servers['alpha']] }, owned)
    const all = await guarded.token({ all_servers: true })
    expect(await opens(one.secret)).toEqual(alphaOnly)
    const refused = await guarded.rpc(at('beta'), one.secret, list)
    expect([refused.status, refused.json]).toEqual([403, forbidden])
    const unknown = await guarded.rpc(at('nowhere'), one.secret, list)
    expect([unknown.status, unknown.json]).toEqual([403, forbidden])
    expect((await guarded.rpc(at('nowhere'), all.secret, list)).status).toBe(404)
    const inProject = await guarded.token({ all_servers: true }, owned)
    expect(await opens(inProject.secret)).toEqual(both)
    expect((await guarded.rpc(at('nowhere'), inProject.secret, list)).json).toEqual(forbidden)
    const tools = async (secret: string): Promise<string[]> =>
      (await guarded.rpc('/gateway/mcp', secret, list)).json.result.tools.map(
        (tool: { name: string }) => tool.name,
      )
    expect((await tools(one.secret)).filter((name) => !name.startsWith('alpha__'))).toEqual([])
    expect((await tools(all.secret)).filter((name) => name.startsWith('beta__'))).toHaveLength(6)
  })

  it(`${verifies('mctx:mcp:403:ip', 'mctx:mcp:403:ip-remedy')} another address is 403 IP Not Allowed, after every 401 and before the server; adding it, or an allowed one, works at once`, async () => {
    const { id, secret } = await guarded.token(
      { servers: [guarded.servers['alpha']] },
      { allowed_ips: ['203.0.113.5'] },
    )
    for (const path of [at('alpha'), at('beta'), at('nowhere'), '/gateway/mcp']) {
      const { status, json } = await guarded.rpc(path, secret, echo(), from('198.51.100.7'))
      expect([path, status, json]).toEqual([path, 403, ipNotAllowed])
    }
    expect(await opens(secret, from('203.0.113.5'))).toEqual(alphaOnly)
    const patched = await guarded.send(
      `/api/tokens/${id}`,
      asAdmin('PATCH', { allowed_ips: ['203.0.113.5', '198.51.100.7'] }),
    )
    expect(patched.status).toBe(200)
    expect(await opens(secret, from('198.51.100.7'))).toEqual(alphaOnly)
    await guarded.call('set_token_enabled', { token_id: id, enabled: false })
    expect((await guarded.rpc(at('alpha'), secret, echo(), from('192.0.2.1'))).json).toEqual(unauthorized)
  })

  it(`${verifies('mctx:mcp:ip:match')} IPv4 and IPv6, single and ranges; a mapped address is the IPv4 one; of X-Forwarded-For the last address a trusted proxy wrote`, async () => {
    const { secret } = await guarded.token(
      { all_servers: true },
      { allowed_ips: ['203.0.113.0/24', '2001:db8::/32', '192.0.2.9'] },
    )
    const cases: [string, number][] = [
      ['203.0.113.200', 200],
      ['::ffff:203.0.113.1', 200],
      ['2001:db8::1', 200],
      ['192.0.2.9', 200],
      ['192.0.2.10', 403],
      ['2001:db9::1', 403],
      ['203.0.113.1, 198.51.100.1', 403],
      ['nonsense', 403],
    ]
    for (const [ip, status] of cases)
      expect([ip, (await guarded.rpc(at('alpha'), secret, echo(), from(ip))).status]).toEqual([ip, status])
    expect((await guarded.rpc(at('alpha'), secret, echo())).status).toBe(403)
  })

  it(`${verifies('mctx:mcp:ip:match')} where no proxy is trusted the peer counts, whatever X-Forwarded-For says`, async () => {
    const direct = await openGuarded(database)
    try {
      const call = async (allowed: string, claimed: string) => {
        const { secret } = await direct.token({ all_servers: true }, { allowed_ips: [allowed] })
        return (await direct.rpc(at('alpha'), secret, echo(), from(claimed))).status
      }
      expect(await call('203.0.113.5', '203.0.113.5')).toBe(403)
      expect(await call('127.0.0.1', '203.0.113.5')).toBe(200)
    } finally {
      await direct.close()
    }
  })

  it(`${verifies('mctx:mcp:endpoint:own', 'metorial:servers:connect:needs-token')} no server opens without an access token: none is 401, a management key 403; /mcp takes both`, async () => {
    const { secret } = await guarded.token({ all_servers: true })
    for (const path of [at('alpha'), '/gateway/mcp']) {
      expect((await guarded.rpc(path, null, list)).status).toBe(401)
      const managed = await guarded.rpc(path, guarded.adminKey, list)
      expect([path, managed.status, managed.json]).toEqual([path, 403, forbidden])
    }
    expect((await guarded.rpc('/mcp', guarded.adminKey, list)).json.result.tools.length).toBeGreaterThan(10)
    const own = (await guarded.rpc('/mcp', secret, list)).json.result.tools
    expect(own.map((tool: { name: string }) => tool.name)).toEqual(['get_token', 'rotate_token'])
    expect(await opens(secret)).toEqual(both)
  })

  it(`${verifies('mctx:tokens:revoke:servers')} DELETE in the dialect refuses the secret and its predecessor at the servers from the next request`, async () => {
    const made = await guarded.token({ all_servers: true })
    const rotated = await guarded.call('rotate_token', { token_id: made.id, grace_seconds: 600 })
    const { secret } = rotated.json.delivery
    expect([await opens(made.secret), await opens(secret)]).toEqual([both, both])
    const ended = await guarded.send(`/api/tokens/${made.id}`, asAdmin('DELETE'))
    expect(ended.status).toBe(200)
    expect([await opens(made.secret), await opens(secret)]).toEqual([dead, dead])
  })

  it(`${verifies('mctx:tokens:rotate:grace-servers', 'metorial:tokens:rotate:grace-servers')} during grace the new secret and the predecessor open servers, then only the new one`, async () => {
    for (const path of ['/api/tokens/:id/rotate', '/magic-mcp-tokens/:id/rotate']) {
      const { id, secret } = await guarded.token({ all_servers: true })
      const rotated = await guarded.send(path.replace(':id', id), asAdmin('POST', { grace_seconds: 60 }))
      const fresh = rotated.json.token ?? rotated.json.secret
      expect([path, await opens(secret), await opens(fresh)]).toEqual([path, both, both])
      guarded.clock.pass(60_000)
      expect([path, await opens(secret), await opens(fresh)]).toEqual([path, dead, both])
    }
  })

  it(`${verifies('metorial:tokens:create:opens-servers', 'metorial:groups:add-servers:effect', 'metorial:groups:remove-servers:effect')} a token made there opens the servers in its reach, which follows its groups on the next request`, async () => {
    const group = await guarded.send('/magic-mcp-groups', asAdmin('POST', { name: 'team' }))
    const made = await guarded.send(
      '/magic-mcp-tokens',
      asAdmin('POST', { name: 'CI', group_ids: [group.json.id] }),
    )
    const free = await guarded.send('/magic-mcp-tokens', asAdmin('POST', { name: 'free' }))
    const { secret } = made.json
    expect(await opens(free.json.secret)).toEqual(both)
    expect(await opens(secret)).toEqual(neither)
    const members = (change: string) => `/magic-mcp-groups/${group.json.id}/${change}-servers`
    const ids = { magic_mcp_server_ids: [guarded.servers['alpha']] }
    const added = await guarded.send(members('add'), asAdmin('POST', ids))
    expect([added.status, await opens(secret)]).toEqual([200, alphaOnly])
    const removed = await guarded.send(members('remove'), asAdmin('POST', ids))
    expect([removed.status, await opens(secret)]).toEqual([200, neither])
  })

  it(`${verifies('enkrypt:keys:disable:servers', 'enkrypt:keys:rotate:grace-servers', 'enkrypt:projects:assign:effect')} a user key opens its project's servers; assigning, disabling and rotating act on the next request`, async () => {
    const project = (await guarded.call('create_project', { name: 'Keys' })).json.project.id
    const user = (await guarded.call('create_user', { email: 'keys@example.com' })).json.user.id
    await guarded.call('add_project_member', { project_id: project, user_id: user })
    const made = await guarded.call('generate_user_key', { user_id: user, project_id: project })
    const { id } = made.json.token
    const { secret } = made.json.delivery
    expect(await opens(secret)).toEqual(neither)
    const assigned = await guarded.send(
      `/api/v1/projects/${project}/assign-config`,
      asAdmin('POST', { config_id: guarded.configId }),
    )
    expect([assigned.status, await opens(secret)]).toEqual([200, both])
    const empty = (await guarded.call('create_config', { name: 'empty' })).json.config.id
    for (const [config_id, reach] of [
      [empty, neither],
      [guarded.configId, both],
    ] as const) {
      await guarded.send(`/api/v1/projects/${project}/assign-config`, asAdmin('POST', { config_id }))
      expect([config_id, await opens(secret)]).toEqual([config_id, reach])
    }
    const disabled = await guarded.send(`/api/v1/api-keys/${id}/disable`, asAdmin('POST'))
    expect([disabled.status, await opens(secret)]).toEqual([200, dead])
    await guarded.send(`/api/v1/api-keys/${id}/enable`, asAdmin('POST'))
    expect(await opens(secret)).toEqual(both)
    const rotated = await guarded.send(
      `/api/v1/api-keys/rotate`,
      asAdmin('POST', { api_key: id, grace_seconds: 60 }),
    )
    const fresh = rotated.json.data.api_key
    expect([await opens(secret), await opens(fresh)]).toEqual([both, both])
    guarded.clock.pass(60_000)
    expect([await opens(secret), await opens(fresh)]).toEqual([dead, both])
  })

  it(`${verifies('gassapi:generate:success:opens-servers', 'gassapi:token:scope:project', 'gassapi:token:revoke:servers')} a generated token opens every server of its project and nothing of another, until it is revoked`, async () => {
    const person = { email: 'gassapi@example.com', password: 'correct horse battery' }
    const user = (await guarded.call('create_user', person)).json.user.id
    const config = (await guarded.call('create_config', { name: 'mine' })).json.config.id
    await guarded.call('add_config_server', {
      config_id: config,
      name: 'gamma',
      runs: { url: guarded.alpha.url },
    })
    const projects: string[] = []
    for (const [name, config_id] of Object.entries({ Mine: config, Other: guarded.configId })) {
      const { id } = (await guarded.call('create_project', { name })).json.project
      await guarded.call('add_project_member', { project_id: id, user_id: user })
      await guarded.call('assign_config', { project_id: id, config_id })
      projects.push(id)
    }
    const generate = async (project_id: string) => {
      const answer = await guarded.send('/public/generate-mcp-token', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...person, project_id }),
      })
      return answer.json.mcpClient.token as string
    }
    const [mine, other] = [await generate(projects[0] ?? ''), await generate(projects[1] ?? '')]
    expect(await opens(mine)).toEqual(neither)
    expect((await guarded.rpc(at('gamma'), mine, echo())).status).toBe(200)
    expect(await opens(other)).toEqual(both)
    expect((await guarded.rpc(at('gamma'), other, echo())).status).toBe(403)
    const whose = await guarded.send('/mcp/validate', { headers: { authorization: `Bearer ${other}` } })
    const ended = await guarded.send(`/api/tokens/${whose.json.data.user.mcp_token_id}`, asAdmin('DELETE'))
    expect([ended.status, await opens(other)]).toEqual([200, dead])
    expect((await guarded.rpc(at('gamma'), mine, echo())).status).toBe(200)
  })

  it(`${verifies('enkrypt:servers:tools:allow-list')} tools: {} lets every tool through, otherwise only the names in it; the rest never reaches the server`, async () => {
    const { secret } = await guarded.token({ all_servers: true })
    const names = async (path: string): Promise<string[]> =>
      (await guarded.rpc(path, secret, list)).json.result.tools.map((tool: { name: string }) => tool.name)
    expect(await names(at('alpha'))).toContain('delete_all')
    const path = `/api/v1/configs/${guarded.configId}/servers/${guarded.servers['alpha']}`
    const set = await guarded.send(path, asAdmin('PUT', { tools: { echo: {}, upper: {} } }))
    expect(set.status).toBe(200)
    expect(await names(at('alpha'))).toEqual(['echo', 'upper'])
    expect((await names('/gateway/mcp')).filter((name) => name.startsWith('alpha'))).toEqual([
      'alpha__echo',
      'alpha__upper',
    ])
    const asked = guarded.alpha.asked.length
    const refused = await guarded.rpc(at('alpha'), secret, echo('delete_all'))
    expect([refused.status, refused.json]).toEqual([403, forbidden])
    expect((await guarded.rpc('/gateway/mcp', secret, echo('alpha__delete_all'))).status).toBe(403)
    expect(guarded.alpha.asked.length).toBe(asked)
    await guarded.send(path, asAdmin('PUT', { tools: {} }))
    expect(await names(at('alpha'))).toContain('delete_all')
  })

  it('R12, R37: no server ever sees the credential of a caller, and each gets the headers stored for it', async () => {
    const { secret } = await guarded.token({ all_servers: true })
    expect(await opens(secret)).toEqual(both)
    for (const [name, { headers }] of Object.entries({ alpha: guarded.alpha, beta: guarded.beta })) {
      const stored = headers.filter(({ authorization }) => authorization !== undefined)
      expect(new Set(stored.map(({ authorization }) => authorization))).toEqual(
        new Set([`Bearer upstream-${name}`]),
      )
      expect(JSON.stringify(headers)).not.toContain(secret.slice(5, 21))
      expect(headers.some((all) => 'x-forwarded-for' in all)).toBe(false)
    }
  })
})
