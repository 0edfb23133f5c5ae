import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { enkrypt } from '../../../src/rest/enkrypt/dialect.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { plantKey } from '../../support/world.ts'
import { unchanged } from './state.ts'
import {
  forbidden,
  isoTime,
  made,
  openWorld,
  type Project,
  refused,
  told,
  unauthorized,
  unknownId,
  type World,
} from './support.ts'

/** What a user key reads of its own project and configuration. */
const own = [
  'GET /configs',
  'GET /projects',
  'GET /projects/:p',
  'GET /projects/:p/config',
  'GET /configs/:c',
  'GET /configs/:c/servers',
  'GET /configs/:c/servers/:s',
]

/** A good body for each route that takes one. */
const bodies: Record<string, object> = {
  'POST /configs': { config_name: 'made by a user key' },
  'PUT /configs/:c/rename': { new_name: 'renamed by a user key' },
  'POST /configs/copy': { source_config: 'any', target_config: 'copied by a user key' },
  'POST /configs/:c/servers': { server_name: 'added', server_command: 'npx' },
  'PUT /configs/:c/servers/:s': { description: 'changed' },
  'POST /configs/import': { config_name: 'imported', data: { config: { mcp_config: [] } } },
  'POST /configs/search': { search_term: '' },
  'PUT /configs/:c/servers/:s/input-guardrails': { policy: { enabled: true } },
  'PUT /configs/:c/servers/:s/output-guardrails': { policy: { enabled: true } },
  'PUT /configs/:c/servers/:s/guardrails': { input_policy: { enabled: true } },
  'POST /projects': { project_name: 'made by a user key' },
  'POST /projects/:p/assign-config': { config_name: 'any' },
  'POST /projects/:p/users': { email: 'anybody@example.com' },
  'POST /projects/search': { search_term: '' },
  'POST /users': { email: 'anybody@example.com' },
  'PUT /users/:u': { new_email: 'anybody@example.com' },
  'POST /users/:u/api-keys': { project_name: 'any' },
  'POST /users/search': { search_term: '' },
  'POST /users/:u/reset-password': { new_password: 'long enough' },
  'POST /api-keys/rotate': { api_key: 'mcpt_Example' },
  'POST /system/restore': { input_file: 'none.json' },
  'POST /system/reset': { confirm: true },
}

const short: Record<string, string> = {
  config_identifier: ':c',
  project_identifier: ':p',
  user_identifier: ':u',
  server_name: ':s',
  api_key: ':k',
}
const routes = enkrypt.routes.map(
  ({ method, path }) =>
    `${method} ${path.slice('/api/v1'.length).replace(/:(\w+)/g, (_, name: string) => short[name] ?? name)}`,
)

describe.each(databases)('what a user API key may do on $name', (database) => {
  let world: World
  let project: Project
  let other: Project
  let server: Record<string, string>
  let foreign: Record<string, string>
  beforeAll(async () => {
    world = await openWorld(database)
    project = await world.project()
    other = await world.project()
    const env = { TOKEN: 'a value that nobody reads' }
    server = await world.server(project.config_id, { env, server_name: 'github server/α' })
    foreign = await world.server(other.config_id, { env })
    // Somebody else in the same project, with a key of their own.
    await world.op('add_project_member', { project_id: project.project_id, user_id: other.user_id })
    await made(world.admin(`POST /users/${other.user_id}/api-keys`, { project_id: project.project_id }))
  })
  afterAll(() => world.close())

  const asKey = (line: string, body?: unknown) => world.as(project.key.api_key)(line, body)
  const fill = (line: string, names: Record<string, string>) =>
    line.replace(/:([cpusk])\b/g, (_, name: string) => encodeURIComponent(names[name] ?? ''))

  it(`${verifies('enkrypt:userkey:configs:filtered')} lists hold its own configuration and its own project, and name no other`, async () => {
    const { project_id, project_name, config_id, config_name } = project
    // The same configuration serves a second project, of which the key must not learn.
    const sharing = await world.op('create_project', { name: world.fresh('Sharing') })
    await world.op('assign_config', { project_id: sharing['project'].id, config_id })
    const configs = await asKey('GET /configs')
    expect([configs.status, configs.json]).toEqual([
      200,
      {
        message: 'Configurations retrieved successfully',
        data: [
          {
            mcp_config_id: config_id,
            mcp_config_name: config_name,
            servers: 1,
            used_by_projects: [{ project_id, project_name }],
          },
        ],
      },
    ])
    const projects = await asKey('GET /projects')
    expect([projects.status, projects.json]).toEqual([
      200,
      {
        message: 'Projects retrieved successfully',
        data: [
          {
            project_id,
            project_name,
            mcp_config: { mcp_config_id: config_id, mcp_config_name: config_name },
            users: 1,
            api_keys: 1,
            created_at: expect.stringMatching(isoTime),
          },
        ],
      },
    ])
    // A management key sees them all.
    const all = await made(world.reader('GET /configs'))
    expect(all.length).toBeGreaterThan(1)
    expect(
      all.find((one: { mcp_config_id: string }) => one.mcp_config_id === config_id).used_by_projects,
    ).toHaveLength(2)
  })

  it(`${verifies('enkrypt:userkey:own:read')} it reads its own project and configuration by id or name, with its own user alone and masked values`, async () => {
    const { project_id, project_name, config_id, config_name, user_id, email } = project
    const byId = { p: project_id, c: config_id, s: server['server_id'] ?? '' }
    const byName = { p: project_name, c: config_name, s: server['server_name'] ?? '' }
    for (const line of own) {
      const answers = [await asKey(fill(line, byId)), await asKey(fill(line, byName))]
      expect([line, ...answers.map(({ status }) => status)]).toEqual([line, 200, 200])
      expect(answers[1]?.json).toEqual(answers[0]?.json)
      for (const { text } of answers) {
        expect(text).not.toContain('a value that nobody reads')
        for (const hidden of [
          other.email,
          other.user_id,
          other.project_id,
          other.config_id,
          foreign['server_id'],
        ])
          expect([line, text.includes(hidden ?? '')]).toEqual([line, false])
      }
    }
    const shown = await made(asKey(`GET /projects/${project_id}`))
    expect(shown).toMatchObject({
      project_id,
      project_name,
      mcp_config: { mcp_config_id: config_id },
      api_keys: 1,
      users: [{ user_id, email, created_at: expect.stringMatching(isoTime) }],
    })
    const seen = await made(asKey(`GET /configs/${config_id}`))
    expect(seen['mcp_config'][0].config).toMatchObject({
      env: { TOKEN: '***' },
      env_fingerprints: { TOKEN: expect.stringMatching(/^fp_/) },
    })
    expect(await made(asKey(`GET /projects/${encodeURIComponent(project_name)}/config`))).toEqual(seen)
    expect(await made(asKey(`GET /configs/${config_id}/servers/${server['server_id']}`))).toEqual(
      seen['mcp_config'][0],
    )
  })

  it(`${verifies('enkrypt:userkey:own:read')} without a configuration its project says so, and a server that is not there is 404 within its own`, async () => {
    const bare = await world.project()
    const ask = world.as(bare.key.api_key)
    expect(refused(await ask(`GET /configs/${bare.config_id}/servers/nothing`))).toEqual([
      404,
      'Server not found',
    ])
    await made(world.admin(`POST /projects/${bare.project_id}/unassign-config`))
    expect(refused(await ask(`GET /projects/${bare.project_id}/config`))).toEqual([
      404,
      'No configuration is assigned to this project',
    ])
    expect((await ask('GET /configs')).json.data).toEqual([])
    expect((await made(ask(`GET /projects/${bare.project_id}`)))['mcp_config']).toBeNull()
    // What was its own configuration is not any more.
    expect(refused(await ask(`GET /configs/${bare.config_id}`))).toEqual(forbidden)
  })

  it(`${verifies('enkrypt:userkey:other:forbidden')} every other route is 403 on its own things, on those of others and on what does not exist`, async () => {
    expect(routes.filter((line) => own.includes(line))).toHaveLength(own.length)
    for (const line of Object.keys(bodies)) expect(routes).toContain(line)
    const things: Record<string, Record<string, string>> = {
      own: {
        p: project.project_id,
        c: project.config_id,
        s: server['server_id'] ?? '',
        u: project.user_id,
        k: project.key.api_key_id,
      },
      'own, by name': {
        p: project.project_name,
        c: project.config_name,
        s: server['server_name'] ?? '',
        u: project.email,
        k: project.key.api_key,
      },
      others: {
        p: other.project_id,
        c: other.config_id,
        s: foreign['server_id'] ?? '',
        u: other.user_id,
        k: other.key.api_key_id,
      },
      'others, by name': {
        p: other.project_name,
        c: other.config_name,
        s: foreign['server_name'] ?? '',
        u: other.email,
        k: other.key.api_key,
      },
      nothing: {
        p: unknownId.project,
        c: unknownId.config,
        s: unknownId.server,
        u: unknownId.user,
        k: unknownId.key,
      },
      'nothing, by name': { p: 'none', c: 'none', s: 'none', u: 'none@example.com', k: 'none' },
    }
    await unchanged(world.beside, async () => {
      for (const [whose, names] of Object.entries(things)) {
        for (const line of routes) {
          const lists = line === 'GET /configs' || line === 'GET /projects'
          if (lists || (whose.startsWith('own') && own.includes(line))) continue
          const answer = await asKey(fill(line, names), bodies[line])
          expect([whose, line, ...refused(answer)]).toEqual([whose, line, ...forbidden])
        }
      }
    })
  })

  it(`${verifies('enkrypt:userkey:other:forbidden')} 403 is the same text whether a thing exists or not, and comes before the look-up of a body's names`, async () => {
    const texts = new Set<string>()
    for (const line of [
      `GET /configs/${other.config_id}`,
      `GET /configs/${unknownId.config}`,
      'GET /configs/none',
      `GET /projects/${encodeURIComponent(other.project_name)}`,
      `GET /projects/${unknownId.project}/config`,
      `GET /configs/${other.config_id}/servers/${foreign['server_id']}`,
      `GET /api-keys/${project.key.api_key_id}`,
      `DELETE /api-keys/${project.key.api_key_id}`,
      'GET /system/health',
      'POST /system/backup',
    ]) {
      const { json } = await asKey(line)
      texts.add(JSON.stringify({ ...json, timestamp: '' }))
    }
    expect([...texts]).toEqual(['{"error":"Forbidden","detail":"This key may not do that","timestamp":""}'])
  })

  it(`${verifies('enkrypt:userkey:session:mctx')} R15: in the mctx dialect it acts on its owner's tokens of its own project within its own limits, and rotates itself`, async () => {
    const { user_id: owner_id, project_id } = project
    const end = new Date(world.running.clock.now + 86_400_000).toISOString()
    const limited = await plantKey(world.beside, 'user_key', {
      owner_id,
      project_id,
      all_servers: 1,
      allowed_ips: '["127.0.0.0/8"]',
      expires_at: end,
    })
    const ask = async (method: string, path: string, secret: string, body?: object) => {
      const headers = { authorization: `Bearer ${secret}` }
      return world.running.send(path, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    }
    const made = await ask('POST', '/api/tokens', limited.secret, { name: 'by a user key' })
    expect(made.status).toBe(201)
    expect(made.json).toMatchObject({ allowed_ips: ['127.0.0.0/8'], expires_at: end })
    expect((await world.op('get_token', { token_id: made.json.id }))['token']).toMatchObject({
      owner_id,
      project_id,
    })
    for (const beyond of [
      { allowed_ips: ['10.0.0.1'] },
      { expires_in_days: 2 },
      { server_ids: [foreign['server_id']] },
    ])
      expect((await ask('POST', '/api/tokens', limited.secret, { name: 'x', ...beyond })).status).toBe(403)
    const elsewhere = await world.op('create_token', { name: 'elsewhere', owner_id })
    const theirs = await world.op('create_token', { name: 'theirs', owner_id: other.user_id, project_id })
    for (const id of [elsewhere['token'].id, theirs['token'].id, other.key.api_key_id])
      for (const [method, path] of [
        ['GET', `/api/tokens/${id}`],
        ['DELETE', `/api/tokens/${id}`],
        ['POST', `/api/tokens/${id}/rotate`],
      ] as const)
        expect([path, (await ask(method, path, limited.secret)).status]).toEqual([path, 404])
    const listed = (await ask('GET', '/api/tokens', limited.secret)).json
    const ids = JSON.stringify(listed)
    expect([ids.includes(made.json.id), ids.includes(elsewhere['token'].id)]).toEqual([true, false])
    const change = await ask('PATCH', `/api/tokens/${limited.id}`, limited.secret, { allowed_ips: null })
    expect(change.status).toBe(403)
    const rotated = await ask('POST', `/api/tokens/${limited.id}/rotate`, limited.secret)
    expect([rotated.status, rotated.json.id, rotated.json.expires_at]).toEqual([200, limited.id, end])
    expect(refused(await world.as(limited.secret)('GET /configs'))).toEqual(unauthorized)
    expect(told(await world.as(rotated.json.token)('GET /configs')).data).toHaveLength(1)
  })

  it(`${verifies('enkrypt:userkey:own:read')} a key whose owner left the project, or whose project is gone, reads nothing`, async () => {
    const leaving = await world.project()
    await world.op('remove_project_member', { project_id: leaving.project_id, user_id: leaving.user_id })
    const deleted = await world.project()
    await made(world.admin(`DELETE /projects/${deleted.project_id}`))
    for (const { key } of [leaving, deleted])
      for (const line of ['GET /configs', 'GET /projects', 'GET /nothing'])
        expect(refused(await world.as(key.api_key)(line))).toEqual(unauthorized)
  })
})
