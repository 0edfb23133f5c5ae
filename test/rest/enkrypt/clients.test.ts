import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { isoTime, made, openWorld, type World } from './support.ts'

/** The seed's complete workflow as it stands there, a command each. */
const workflow = {
  user: `curl -X POST "http://localhost:8001/api/v1/users" \\
  -H "Authorization: Bearer <admin_api_key>" \\
  -H "Content-Type: application/json" \\
  -d '{"email": "developer@example.com"}'
`,
  project: `curl -X POST "http://localhost:8001/api/v1/projects" \\
  -H "Authorization: Bearer <admin_api_key>" \\
  -H "Content-Type: application/json" \\
  -d '{"project_name": "Development Project"}'
`,
  member: `curl -X POST "http://localhost:8001/api/v1/projects/{project_id}/users" \\
  -H "Authorization: Bearer <admin_api_key>" \\
  -H "Content-Type: application/json" \\
  -d '{"email": "developer@example.com"}'
`,
  config: `curl -X POST "http://localhost:8001/api/v1/configs" \\
  -H "Authorization: Bearer <admin_api_key>" \\
  -H "Content-Type: application/json" \\
  -d '{"config_name": "Development Config"}'
`,
  server: `curl -X POST "http://localhost:8001/api/v1/configs/{config_id}/servers" \\
  -H "Authorization: Bearer <admin_api_key>" \\
  -H "Content-Type: application/json" \\
  -d '{
    "server_name": "github_server",
    "server_command": "npx",
    "args": ["-y", "@modelcontextprotocol/server-github"],
    "description": "GitHub MCP Server"
  }'
`,
  assign: `curl -X POST "http://localhost:8001/api/v1/projects/{project_id}/assign-config" \\
  -H "Authorization: Bearer <admin_api_key>" \\
  -H "Content-Type: application/json" \\
  -d '{"config_name": "Development Config"}'
`,
  key: `curl -X POST "http://localhost:8001/api/v1/users/{user_id}/api-keys" \\
  -H "Authorization: Bearer <admin_api_key>" \\
  -H "Content-Type: application/json" \\
  -d '{"project_name": "Development Project"}'
`,
  configs: `curl -X GET "http://localhost:8001/api/v1/configs" \\
  -H "Authorization: Bearer <generated_api_key>"
`,
  projects: `curl -X GET "http://localhost:8001/api/v1/projects" \\
  -H "Authorization: Bearer <generated_api_key>"
`,
}

/** The seed's Python client as it stands there, but for the last lines, which use it. */
const python = `import requests

class EnkryptGatewayAPI:
    def __init__(self, base_url="http://localhost:8001", api_key=None):
        self.base_url = base_url
        self.headers = {
            "Authorization": f"Bearer {api_key}",
            "Content-Type": "application/json"
        }

    def list_configs(self):
        response = requests.get(f"{self.base_url}/api/v1/configs", headers=self.headers)
        return response.json()

    def create_config(self, config_name):
        data = {"config_name": config_name}
        response = requests.post(f"{self.base_url}/api/v1/configs", headers=self.headers, json=data)
        return response.json()

    def create_user(self, email):
        data = {"email": email}
        response = requests.post(f"{self.base_url}/api/v1/users", headers=self.headers, json=data)
        return response.json()

# Usage
api = EnkryptGatewayAPI(api_key="your_api_key")
`

/** The seed's JavaScript client as it stands there, but for the last line, which uses it. */
const javascript = `class EnkryptGatewayAPI {
  constructor(baseUrl = 'http://localhost:8001', apiKey) {
    this.baseUrl = baseUrl;
    this.headers = {
      'Authorization': \`Bearer \${apiKey}\`,
      'Content-Type': 'application/json'
    };
  }

  async listConfigs() {
    const response = await fetch(\`\${this.baseUrl}/api/v1/configs\`, {
      headers: this.headers
    });
    return response.json();
  }

  async createConfig(configName) {
    const response = await fetch(\`\${this.baseUrl}/api/v1/configs\`, {
      method: 'POST',
      headers: this.headers,
      body: JSON.stringify({ config_name: configName })
    });
    return response.json();
  }
}

// Usage
const api = new EnkryptGatewayAPI('http://localhost:8001', 'your_api_key');
`

/** As much of the Python package \`requests\` as the seed uses, for machines without it; errors are answers, as there. */
const requests = `import json as _json, urllib.error, urllib.request
class _Response:
    def __init__(self, text): self._text = text
    def json(self): return _json.loads(self._text)
def _send(method, url, headers, body):
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer: return _Response(answer.read().decode())
    except urllib.error.HTTPError as answer: return _Response(answer.read().decode())
def get(url, headers): return _send('GET', url, headers, None)
def post(url, headers, json): return _send('POST', url, headers, _json.dumps(json).encode())
`

function run(file: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { timeout: 20_000, env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stderr}`)),
    )
  })
}

const named = { project_id: expect.stringMatching(/^proj_/), project_name: 'Development Project' }

describe.each(databases)('clients written for the Enkrypt gateway on $name', (database) => {
  let world: World
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tokenwright-clients-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  beforeEach(async () => {
    world = await openWorld(database)
    return () => world.close()
  })

  const ours = (text: string, names: Record<string, string> = {}) =>
    [
      ['localhost:8001', `localhost:${world.running.port}`] as const,
      ['<admin_api_key>', world.keys.admin] as const,
      ['your_api_key', world.keys.admin] as const,
      ...Object.entries(names),
    ].reduce((filled, [name, value]) => filled.replaceAll(name, value), text)

  /** One of the seed's commands; the status, and the answer as it was printed. */
  async function curl(command: string, names: Record<string, string> = {}) {
    const noted = `curl() { command curl -sS -w '\\n%{http_code}' "$@"; }; ${ours(command, names)}`
    const said = await run('bash', ['-c', noted])
    const at = said.lastIndexOf('\n')
    return { status: Number(said.slice(at + 1)), json: JSON.parse(said.slice(0, at)) }
  }

  it(`${verifies('enkrypt:client:curl:workflow', 'enkrypt:client:curl:generated-key')} the seed's seven curl calls succeed in order, and the key they end with lists what the seed shows`, async () => {
    const user = await curl(workflow.user)
    expect(user).toEqual({
      status: 201,
      json: {
        message: 'User created successfully',
        data: { user_id: expect.stringMatching(/^usr_/), email: 'developer@example.com' },
      },
    })
    const project = await curl(workflow.project)
    expect(project).toEqual({ status: 201, json: { message: 'Project created successfully', data: named } })
    const ids = { '{user_id}': user.json.data.user_id, '{project_id}': project.json.data.project_id }
    expect((await curl(workflow.member, ids)).status).toBe(201)
    const config = await curl(workflow.config)
    expect(config.status).toBe(201)
    const { config_id } = config.json.data
    expect((await curl(workflow.server, { '{config_id}': config_id })).status).toBe(201)
    expect((await curl(workflow.assign, ids)).status).toBe(200)
    const key = await curl(workflow.key, ids)
    expect(key.json).toEqual({
      message: 'API key generated successfully',
      data: expect.objectContaining({ api_key: expect.stringMatching(/^mcpt_[0-9A-Za-z]{43}$/) }),
    })
    const generated = { '<generated_api_key>': key.json.data.api_key }
    expect(await curl(workflow.configs, generated)).toEqual({
      status: 200,
      json: {
        message: 'Configurations retrieved successfully',
        data: [
          {
            mcp_config_id: config_id,
            mcp_config_name: 'Development Config',
            servers: 1,
            used_by_projects: [named],
          },
        ],
      },
    })
    expect(await curl(workflow.projects, generated)).toEqual({
      status: 200,
      json: {
        message: 'Projects retrieved successfully',
        data: [
          {
            ...named,
            mcp_config: { mcp_config_id: config_id, mcp_config_name: 'Development Config' },
            users: 1,
            api_keys: 1,
            created_at: expect.stringMatching(isoTime),
          },
        ],
      },
    })
    const [server] = (await made(world.reader(`GET /configs/${config_id}`)))['mcp_config']
    expect(server).toMatchObject({
      server_name: 'github_server',
      server_slug: 'github-server',
      description: 'GitHub MCP Server',
      config: { command: 'npx', args: ['-y', '@modelcontextprotocol/server-github'] },
    })
  })

  it(`${verifies('enkrypt:client:python:seed')} the seed's Python client lists and creates, with the package requests or, without it, with what it uses of it`, async () => {
    const known = await run('python3', ['-c', 'import requests']).then(
      () => true,
      () => false,
    )
    const modules = join(folder, 'modules')
    mkdirSync(modules, { recursive: true })
    if (!known) writeFileSync(join(modules, 'requests.py'), requests)
    const uses = `import json
for answer in [api.list_configs(), api.create_config("From Python"), api.list_configs(), api.create_user("python@example.com"), api.create_user("no address")]:
    print(json.dumps(answer))
`
    const said = await run('python3', ['-c', ours(python) + uses], { PYTHONPATH: modules })
    const [before, config, after, user, refused] = said
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(before).toEqual({ message: 'Configurations retrieved successfully', data: [] })
    expect(config).toMatchObject({
      message: 'Configuration created successfully',
      data: { config_name: 'From Python' },
    })
    expect(after.data).toMatchObject([
      { mcp_config_id: config.data.config_id, mcp_config_name: 'From Python' },
    ])
    expect(user).toMatchObject({
      message: 'User created successfully',
      data: { email: 'python@example.com' },
    })
    expect(refused).toMatchObject({ error: 'Bad Request', detail: expect.stringContaining('email') })
  })

  it(`${verifies('enkrypt:client:python:seed')} a GET without a body works with Content-Type: application/json`, async () => {
    const headers = { 'content-type': 'application/json' }
    for (const path of ['/configs', '/projects', '/users', '/api-keys', '/system/health'])
      expect([path, (await world.reader(`GET ${path}`, undefined, headers)).status]).toEqual([path, 200])
  })

  it(`${verifies('enkrypt:client:javascript:seed')} the seed's JavaScript client lists and creates with fetch in Node`, async () => {
    const uses = `for (const call of [() => api.listConfigs(), () => api.createConfig('From Node'), () => api.listConfigs()])
  console.log(JSON.stringify(await call()))
`
    const said = await run(process.execPath, ['--input-type=module', '-e', ours(javascript) + uses])
    const [before, config, after] = said
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(before).toEqual({ message: 'Configurations retrieved successfully', data: [] })
    expect(config).toMatchObject({
      message: 'Configuration created successfully',
      data: { config_name: 'From Node' },
    })
    expect(after.data).toMatchObject([
      { mcp_config_id: config.data.config_id, servers: 0, used_by_projects: [] },
    ])
  })

  it(`${verifies('enkrypt:client:openapi:aliases')} user_id, config_id and project_id stand for email, config_name and project_name; both of a pair are 400`, async () => {
    const { config_id, config_name } = await world.config()
    const { user_id, email } = await world.user()
    const { project_id, project_name } = await made(
      world.admin('POST /projects', { project_name: 'Aliased' }),
    )
    const pairs: [line: string, alias: object, own: object][] = [
      [`POST /projects/${project_id}/users`, { user_id }, { email }],
      [`POST /projects/${project_id}/assign-config`, { config_id }, { config_name }],
      [`POST /users/${user_id}/api-keys`, { project_id }, { project_name }],
    ]
    for (const [line, alias, own] of pairs) {
      const [first, second] = [await made(world.admin(line, alias)), await made(world.admin(line, own))]
      expect(Object.keys(first ?? {})).toEqual(Object.keys(second ?? {}))
      for (const body of [{ ...alias, ...own }, {}])
        expect([line, (await world.admin(line, body)).status]).toEqual([line, 400])
    }
    const [row] = (await made(world.reader('GET /projects'))) as unknown as object[]
    expect(row).toMatchObject({ mcp_config: { mcp_config_id: config_id }, users: 1, api_keys: 2 })
  })
})
