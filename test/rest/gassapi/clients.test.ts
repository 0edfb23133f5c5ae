import { execFile } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bin, openBin } from '../../cli/bin.ts'
import { noBrowser, openBrowser, whyNoBrowser } from '../../support/chromium.ts'
import { database } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { description, openWorld, password, route, type World } from './world.ts'

/** The seed's examples as they stand there. */
const seed = {
  curl: `curl -X POST "http://mapi.gass.web.id/public/generate-mcp-token.php" \\
-H "Content-Type: application/json" \\
-d '{
"email": "user@example.com",
"password": "YourPassword123",
"project_id": "proj_xxx"
}'
`,
  javascript: `const response = await fetch('http://mapi.gass.web.id/public/generate-mcp-token.php', {
method: 'POST',
headers: { 'Content-Type': 'application/json' },
body: JSON.stringify({
email: 'user@example.com',
password: 'YourPassword123',
project_id: 'proj_xxx'
})
});
const data = await response.json();
console.log(data.mcpClient.token);
`,
  python: `import requests
response = requests.post(
'http://mapi.gass.web.id/public/generate-mcp-token.php',
json={
'email': 'user@example.com',
'password': 'YourPassword123',
'project_id': 'proj_xxx'
}
)
data = response.json()
print(data['mcpClient']['token'])
`,
}

/** As much of the Python package `requests` as the seed uses, for machines without it. */
const requests = `import json as _json, urllib.request
class _Response:
    def __init__(self, text): self._text = text
    def json(self): return _json.loads(self._text)
def post(url, json):
    headers = {'Content-Type': 'application/json'}
    request = urllib.request.Request(url, _json.dumps(json).encode(), headers, method='POST')
    with urllib.request.urlopen(request) as answer:
        return _Response(answer.read().decode())
`

function run(file: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { timeout: 20_000, env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stderr}`)),
    )
  })
}

const secretForm = /^mcpt_[0-9A-Za-z]{43}$/

describe('clients written for GASSAPI', () => {
  let world: World
  let folder: string
  beforeAll(async () => {
    world = await openWorld(database('sqlite'))
    folder = mkdtempSync(join(tmpdir(), 'tokenwright-clients-'))
  })
  afterAll(async () => {
    await world.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** One of the seed's examples, with our host and a project there is. */
  const ours = (text: string) =>
    text.replace('http://mapi.gass.web.id', world.url).replace('proj_xxx', world.project_id)

  it(`${verifies('gassapi:client:curl:seed')} the seed's curl call answers 201 with the documented JSON`, async () => {
    const said = await run('sh', [
      '-c',
      `curl() { command curl -sS -w '\\n%{http_code}' "$@"; }; ${ours(seed.curl)}`,
    ])
    const [json = '', status] = said.split('\n')
    expect(status).toBe('201')
    expect(JSON.parse(json)).toEqual({
      project: { id: world.project_id, name: 'Test Project', description },
      mcpClient: { token: expect.stringMatching(secretForm) },
    })
  })

  it(`${verifies('gassapi:client:javascript:seed')} the seed's fetch prints a token in Node`, async () => {
    const token = (await run(process.execPath, ['--input-type=module', '-e', ours(seed.javascript)])).trim()
    expect(token).toMatch(secretForm)
    expect((await world.validate(token)).status).toBe(200)
  })

  it(`${verifies('gassapi:client:python:seed')} the seed's Python prints a token, with the package requests or what it uses of it`, async () => {
    const known = await run('python3', ['-c', 'import requests']).then(
      () => true,
      () => false,
    )
    const modules = join(folder, 'modules')
    mkdirSync(modules)
    if (!known) writeFileSync(join(modules, 'requests.py'), requests)
    const token = (await run('python3', ['-c', ours(seed.python)], { PYTHONPATH: modules })).trim()
    expect(token).toMatch(secretForm)
    expect((await world.validate(token)).status).toBe(200)
  })

  it(`${verifies('gassapi:client:status-only:safe')} who looks only at the status of /mcp/validate is told the truth, whatever happens to the token`, async () => {
    const isGood = async (secret: string) =>
      (await fetch(`${world.url}/mcp/validate`, { headers: { authorization: `Bearer ${secret}` } })).ok
    const { secret, id } = await world.make()
    const turns: [string, object, boolean][] = [
      ['set_token_enabled', { enabled: false }, false],
      ['set_token_enabled', { enabled: true }, true],
      ['update_token', { expires_at: new Date(world.clock.now + 3_600_000).toISOString() }, true],
      ['update_token', { allowed_ips: ['192.0.2.1'] }, false],
      ['update_token', { allowed_ips: null }, true],
      ['revoke_token', {}, false],
    ]
    expect(await isGood(secret)).toBe(true)
    for (const [name, change, good] of turns) {
      await world.op(name, { token_id: id, ...change })
      expect([name, change, await isGood(secret)]).toEqual([name, change, good])
    }
    const other = await world.make()
    await world.op('update_token', {
      token_id: other.id,
      expires_at: new Date(world.clock.now + 60_000).toISOString(),
    })
    expect(await isGood(other.secret)).toBe(true)
    world.clock.pass(60_000)
    expect(await isGood(other.secret)).toBe(false)
    for (const none of ['', 'x', id, world.adminKey, world.project_id]) expect(await isGood(none)).toBe(false)
  })
})

/** What the public GASSAPI MCP client makes of the folder it is started in: its file, project and token. */
function mcp2(started: string): { file: string; project: string; token: string } | undefined {
  let folder = started
  for (let level = 0; level < 10; level++) {
    for (const name of ['gassapi.json', 'gassapi-mcp.json', '.gassapi.json']) {
      if (!existsSync(join(folder, name))) continue
      const config = JSON.parse(readFileSync(join(folder, name), 'utf8'))
      const token = config.mcpClient?.token ? config.mcpClient.token : config.token
      return { file: name, project: config.project.id, token }
    }
    folder = dirname(folder)
  }
  return undefined
}

describe('the public GASSAPI MCP client', () => {
  let world: World
  let bin: Bin
  let folder: string
  beforeAll(async () => {
    world = await openWorld(database('sqlite'))
    bin = await openBin()
    folder = mkdtempSync(join(tmpdir(), 'tokenwright-clients-'))
  })
  afterAll(async () => {
    await world.close()
    bin.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  it(`${verifies('gassapi:client:mcp2:config-keys')} finds project and token in the answer as it was saved, and in the file of the command under each of its names`, async () => {
    const saved = join(folder, 'saved')
    mkdirSync(join(saved, 'deep', 'down'), { recursive: true })
    const { text, json } = await world.generate()
    writeFileSync(join(saved, 'gassapi.json'), text)
    const { project_id } = world
    const token = json.mcpClient.token
    expect(mcp2(join(saved, 'deep', 'down'))).toEqual({ file: 'gassapi.json', project: project_id, token })

    const made = join(folder, 'made')
    mkdirSync(made)
    const args = ['generate-mcp-token', world.email, password, project_id, '--url', world.url]
    expect((await bin.run(args, { cwd: made })).code).toBe(0)
    const written = join(made, `gassapi_${project_id}.json`)
    const { token: own } = JSON.parse(readFileSync(written, 'utf8'))
    for (const file of ['gassapi.json', 'gassapi-mcp.json', '.gassapi.json']) {
      copyFileSync(written, join(made, 'kept'))
      renameSync(written, join(made, file))
      expect(mcp2(made)).toEqual({ file, project: project_id, token: own })
      const { mcpClient: _, ...older } = JSON.parse(readFileSync(join(made, file), 'utf8'))
      writeFileSync(join(made, file), JSON.stringify(older))
      expect(mcp2(made)).toEqual({ file, project: project_id, token: own })
      rmSync(join(made, file))
      renameSync(join(made, 'kept'), written)
    }
    for (const secret of [token, own]) {
      const validated = await world.validate(secret)
      expect([validated.status, validated.json.data.project.id]).toEqual([200, project_id])
    }
  })
})

describe.skipIf(noBrowser)(`a page of another origin${whyNoBrowser}`, () => {
  let world: World
  let browser: Browser
  let site: Server
  let body: string
  beforeAll(async () => {
    world = await openWorld(database('sqlite'))
    browser = await openBrowser()
    site = createServer((_, response) => response.setHeader('content-type', 'text/html').end(body))
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
  })
  afterAll(async () => {
    await browser.close()
    site.close()
    await world.close()
  })

  /** The first thing a page at this address says on its console. */
  async function said(url: string): Promise<string> {
    const page = await browser.newPage()
    const first = new Promise<string>((resolve) => {
      page.on('console', (message) => resolve(message.text()))
      page.on('pageerror', (error) => resolve(error.message))
    })
    await page.goto(url)
    const text = await first
    await page.close()
    return text
  }
  const module = (code: string) => `<!doctype html><script type="module">${code}</script>`

  it(`${verifies('gassapi:client:javascript:seed', 'gassapi:generate:method:cors', 'gassapi:generate:method:options')} the seed's fetch prints a token in a page of any origin, the opaque one included`, async () => {
    const { port } = site.address() as AddressInfo
    const code = seed.javascript
      .replace('http://mapi.gass.web.id', world.url)
      .replace('proj_xxx', world.project_id)
    body = module(code)
    // A page at a data: address would be refused by the browser itself, as one that no secure site served.
    const opaque = `<iframe sandbox="allow-scripts" srcdoc="${body.replaceAll('"', '&quot;')}"></iframe>`
    for (const [page, html] of [
      [`http://127.0.0.1:${port}/`, body],
      [`http://localhost:${port}/`, body],
      [`http://127.0.0.1:${port}/opaque`, opaque],
    ] as const) {
      body = html
      const token = await said(page)
      expect([page, token]).toEqual([page, expect.stringMatching(secretForm)])
      expect((await world.validate(token)).status).toBe(200)
    }
    body = module(
      code
        .replace(password, 'wrong')
        .replace('data.mcpClient.token', 'JSON.stringify([response.status, data])'),
    )
    expect(await said(`http://127.0.0.1:${port}/`)).toContain('401')
  })

  it(`${verifies('gassapi:validate:refused:first')} R23: it can call nothing else, /mcp/validate least of all`, async () => {
    const { port } = site.address() as AddressInfo
    const { secret } = await world.make()
    for (const [path, init] of [
      ['/mcp/validate', { headers: { authorization: `Bearer ${secret}` } }],
      ['/mcp/validate', {}],
      [`/v1/get_settings`, { method: 'POST', headers: { authorization: `Bearer ${world.adminKey}` } }],
      [route.replace('public', 'Public'), { method: 'POST' }],
    ] as const) {
      body = module(`console.log(await fetch('${world.url}${path}', ${JSON.stringify(init)}).then(
        ({ status }) => 'read ' + status, () => 'not readable'))`)
      expect(await said(`http://127.0.0.1:${port}/`)).not.toMatch(/^read/)
    }
  })
})
