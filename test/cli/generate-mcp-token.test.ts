import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openServing } from '../http/serving.ts'
import { database } from '../support/databases.ts'
import { verifies } from '../support/verifies.ts'
import { type Bin, emptyFolder, openBin, type Run, type RunOptions } from './bin.ts'

const email = 'testuser@example.com'
const password = 'MyPassword 123 '
const secretForm = /mcpt_[0-9A-Za-z]{43}/g

interface Listed {
  tokens: { id: string; status: string }[]
}

/** Where the command reaches the instance, and how the test looks behind it. */
interface Place {
  name: string
  /** Flags and environment that lead to the instance. */
  reach: { args: string[]; env: Record<string, string> }
  base: string
  call<T>(name: string, input: object): Promise<T>
  close(): Promise<void>
}

let bin: Bin
beforeAll(async () => {
  bin = await openBin()
})
afterAll(() => bin.remove())

async function local(): Promise<Place> {
  return {
    name: 'the data folder',
    reach: { args: [], env: {} },
    base: 'http://127.0.0.1:8787/',
    call: (name, input) =>
      bin.json(
        [name.replaceAll('_', '-'), '--json-input', '-', ...(name.startsWith('delete') ? ['--yes'] : [])],
        {
          input: JSON.stringify(input),
        },
      ),
    close: async () => undefined,
  }
}

async function remote(): Promise<Place> {
  const running = await openServing(database('sqlite'))
  return {
    name: 'a server',
    reach: { args: ['--url', `${running.url}/`], env: {} },
    base: `${running.url}/`,
    call: async <T>(name: string, input: object) => (await running.call(name, input)).json as T,
    close: running.close,
  }
}

/** Makes the seed's user, and a project of theirs. */
async function furnish({ call }: Place, project: { name: string; description?: string }) {
  const made = await call<{ project: { id: string } }>('create_project', project)
  const { users } = await call<{ users: { id: string }[] }>('list_users', { text: email })
  const user_id =
    users[0]?.id ??
    (await call<{ user: { id: string } }>('create_user', { email, name: 'Test User', password })).user.id
  await call('add_project_member', { project_id: made.project.id, user_id })
  return { project_id: made.project.id, user_id }
}

const tokensOf = async ({ call }: Place, project_id: string) =>
  (await call<Listed>('list_magic_tokens', { project_id })).tokens

describe.each([
  ['the data folder', local],
  ['a server', remote],
] as const)('generate-mcp-token on %s', (_, open) => {
  let place: Place
  let folder: string
  let project_id: string
  beforeAll(async () => {
    place = await open()
    const project = { name: 'Test Project', description: 'Project for testing MCP token generation' }
    project_id = (await furnish(place, project)).project_id
  })
  afterAll(() => place.close())
  beforeEach(() => {
    folder = emptyFolder()
  })

  const run = (args: string[], { env, ...options }: RunOptions = {}) =>
    bin.run(['generate-mcp-token', ...args, ...place.reach.args], {
      cwd: folder,
      env: { ...place.reach.env, ...env },
      ...options,
    })
  const file = () => join(folder, `gassapi_${project_id}.json`)
  const written = () => JSON.parse(readFileSync(file(), 'utf8'))

  it(`${verifies('gassapi:cli:args:three', 'gassapi:cli:steps:order', 'gassapi:cli:output:welcome', 'gassapi:cli:output:description', 'gassapi:cli:output:environments', 'gassapi:cli:output:base-url', 'gassapi:cli:output:secret', 'gassapi:cli:file:name', 'gassapi:cli:success:exit')} prints the lines of the contract, the token once and the password never`, async () => {
    const done = await run([email, password, project_id])
    expect([done.code, done.stderr]).toEqual([0, ''])
    const { token } = written()
    expect(done.stdout).toBe(`=== GASSAPI MCP Token Generator ===

[1/3] Logging in as: testuser@example.com
✓ Login successful - Welcome, Test User

[2/3] Verifying project access...
✓ Project found: Test Project
  Description: Project for testing MCP token generation

[3/3] Generating MCP token...
✓ MCP token generated successfully

=== MCP Configuration ===

Project Name: Test Project
Project ID: ${project_id}

MCP Token (save this securely):
${token}

API Base URL:
${place.base}

Environments:
  - development (default)

✓ Configuration saved to: gassapi_${project_id}.json

[Bonus] Testing MCP token validation...
✓ MCP token is valid and working!
  Validated for project: Test Project

=== Done! ===
`)
    expect(done.stdout.match(secretForm)).toEqual([token])
    expect(`${done.stdout}${done.stderr}${readFileSync(file(), 'utf8')}`).not.toContain(password.trim())
    expect(readdirSync(folder)).toEqual([`gassapi_${project_id}.json`])
    const { status } = (await tokensOf(place, project_id))[0] ?? {}
    expect(status).toBe('active')
  })

  it(`${verifies('gassapi:cli:file:content')} writes both sets of keys, with the same token`, async () => {
    await place.call('set_environment', { project_id, name: 'staging', variables: { HOST: 'x' } })
    expect((await run([email, password, project_id])).code).toBe(0)
    const content = written()
    expect(content).toEqual({
      name: 'Test Project',
      project_id,
      api_base_url: place.base,
      mcp_validate_endpoint: '/mcp/validate',
      token: expect.stringMatching(/^mcpt_[0-9A-Za-z]{43}$/),
      environments: [
        { id: expect.stringMatching(/^env_/), name: 'development', is_default: true, variables: {} },
        { id: expect.stringMatching(/^env_/), name: 'staging', is_default: false, variables: { HOST: 'x' } },
      ],
      project: {
        id: project_id,
        name: 'Test Project',
        description: 'Project for testing MCP token generation',
      },
      mcpClient: { token: content.token },
    })
  })

  it(`${verifies('gassapi:cli:file:mode')} R4: replaces a file that others could read, and a link instead of following it`, async () => {
    const elsewhere = join(folder, 'elsewhere')
    writeFileSync(elsewhere, 'untouched')
    for (const prepare of [
      () => {
        writeFileSync(file(), 'old')
        chmodSync(file(), 0o666)
      },
      () => symlinkSync(elsewhere, file()),
    ]) {
      prepare()
      expect((await run([email, password, project_id])).code).toBe(0)
      expect(lstatSync(file()).isFile()).toBe(true)
      expect(lstatSync(file()).mode & 0o777).toBe(0o600)
      written()
      unlinkSync(file())
    }
    expect(readFileSync(elsewhere, 'utf8')).toBe('untouched')
  })

  it(`${verifies('gassapi:cli:args:password-source')} takes the password from standard input or the environment, and an argument before those`, async () => {
    const env = { TOKENWRIGHT_PASSWORD: password }
    const wrong = { TOKENWRIGHT_PASSWORD: 'wrong password' }
    const ways: [string[], RunOptions][] = [
      [[email, '-', project_id], { input: `${password}\nsecond line\n` }],
      [[email, '-', project_id], { input: `${password}\r\n`, env: wrong }],
      [[email, '-', project_id], { input: password }],
      [[email, project_id], { env, input: 'wrong password\n' }],
      [[email, password, project_id], { env: wrong }],
    ]
    for (const [args, options] of ways) expect([args, (await run(args, options)).code]).toEqual([args, 0])
    expect((await run([email, '-', project_id], { input: '\n', env })).code).toBe(2)
  })

  it(`${verifies('gassapi:cli:args:usage')} tells how it is used where the number of arguments is wrong, and does nothing`, async () => {
    const before = (await tokensOf(place, project_id)).length
    const env = { TOKENWRIGHT_PASSWORD: password }
    const wrong: [string[], RunOptions][] = [
      [[], { env }],
      [[email], { env }],
      [[email, project_id], {}],
      [[email, password, project_id, 'more'], {}],
      [['', password, project_id], {}],
      [[email, '-unknown', password, project_id], {}],
    ]
    for (const [args, options] of wrong) {
      const done = await run(args, options)
      expect([args, done.code, done.stdout]).toEqual([args, 2, ''])
      expect(done.stderr).toMatch(/^Usage: tokenwright generate-mcp-token .*<email> .*<project_id>$/m)
      expect(done.stderr).not.toContain(password.trim())
    }
    expect(readdirSync(folder)).toEqual([])
    expect(await tokensOf(place, project_id)).toHaveLength(before)
  })

  const failed = async (done: Run, sentence: RegExp) => {
    expect(done.code).toBe(1)
    expect(done.stderr).toMatch(sentence)
    expect(`${done.stdout}${done.stderr}`).not.toMatch(secretForm)
    expect(readdirSync(folder)).toEqual([])
  }

  it(`${verifies('gassapi:cli:failure:login')} ends with 1, a reason and nothing else where the login is refused`, async () => {
    const before = (await tokensOf(place, project_id)).length
    const sentence = /^tokenwright: The e-mail or the password is wrong\.\n$/
    await failed(await run([email, '-hunter2 wrong', project_id]), sentence)
    await failed(await run(['nobody@example.com', password, project_id]), sentence)
    await failed(await run([email, password.trim(), project_id]), sentence)
    expect(await tokensOf(place, project_id)).toHaveLength(before)
  })

  it(`${verifies('gassapi:cli:failure:project')} says the same of an unknown and of a foreign project`, async () => {
    const foreign = await place.call<{ project: { id: string } }>('create_project', {
      name: `Foreign ${Math.random()}`,
    })
    const told = /^tokenwright: Project not found or access denied\.\n$/
    for (const id of [foreign.project.id, 'proj_0000000000000000000000', 'Test Project', '../../x', '-x'])
      await failed(await run([email, password, id]), told)
    expect(await tokensOf(place, foreign.project.id)).toEqual([])
  })

  it(`${verifies('gassapi:cli:failure:late')} revokes the token where its file cannot be written, and leaves what was there`, async () => {
    mkdirSync(file())
    const before = await tokensOf(place, project_id)
    const done = await run([email, password, project_id])
    expect(done.code).toBe(1)
    expect(done.stderr).toMatch(/cannot take the file \(E\w+\)\. The new token mgtk_\w+ was revoked\.\n$/)
    expect(`${done.stdout}${done.stderr}`).not.toMatch(secretForm)
    expect(readdirSync(folder)).toEqual([`gassapi_${project_id}.json`])
    const [newest, ...rest] = await tokensOf(place, project_id)
    expect(newest?.status).toBe('revoked')
    expect(rest).toEqual(before)
  })

  it(`${verifies('gassapi:cli:output:description', 'gassapi:cli:output:welcome')} leaves out what there is none of, and shows names without what steers a terminal`, async () => {
    const bare = await furnish(place, { name: `Bare ${Math.random()}` })
    const { users } = await place.call<{ users: { id: string }[] }>('list_users', { text: email })
    const user_id = users[0]?.id
    await place.call('update_user', { user_id, name: null })
    const done = await run([email, password, bare.project_id])
    await place.call('update_user', { user_id, name: 'Test User' })
    expect(done.code).toBe(0)
    expect(done.stdout).toContain('✓ Login successful - Welcome, testuser@example.com\n')
    expect(done.stdout).not.toContain('Description')
    await place.call('update_project', { project_id: bare.project_id, description: 'a\nb' })
    expect((await run([email, password, bare.project_id])).stdout).toContain('  Description: a\\nb\n')
  })
})

describe('generate-mcp-token on a store that knows its address', () => {
  it(`${verifies('gassapi:cli:output:base-url')} tells the public address with a slash at the end`, async () => {
    const place = await local()
    const { project_id } = await furnish(place, { name: 'Addressed' })
    const folder = emptyFolder()
    const bases: string[] = []
    for (const url of ['https://tokens.example', 'https://tokens.example/base/']) {
      await bin.json(['settings', 'set', 'public_url', url])
      const done = await bin.run(['generate-mcp-token', email, password, project_id], { cwd: folder })
      const { api_base_url } = JSON.parse(readFileSync(join(folder, `gassapi_${project_id}.json`), 'utf8'))
      expect(done.stdout).toContain(`\nAPI Base URL:\n${api_base_url}\n`)
      bases.push(api_base_url)
    }
    await bin.json(['settings', 'set', 'public_url', 'null'])
    expect(bases).toEqual(['https://tokens.example/', 'https://tokens.example/base/'])
  })

  it(`${verifies('gassapi:cli:output:base-url')} tells the public address of the server too, however it was reached`, async () => {
    const place = await remote()
    const { project_id } = await furnish(place, { name: 'Addressed' })
    const folder = emptyFolder()
    const bases: string[] = []
    for (const public_url of ['https://tokens.example', 'http://localhost:1', null]) {
      await place.call('update_settings', { public_url })
      const { args } = place.reach
      const done = await bin.run(['generate-mcp-token', email, password, project_id, ...args], {
        cwd: folder,
      })
      bases.push(/\nAPI Base URL:\n(.*)\n/.exec(done.stdout)?.[1] ?? '')
    }
    await place.close()
    // An address of that machine alone is left aside for the one that led there.
    expect(bases).toEqual(['https://tokens.example/', place.base, place.base])
  })
})

describe('generate-mcp-token through a server that fails late', () => {
  it(`${verifies('gassapi:cli:failure:late')} revokes the token that does not validate, writes no file and keeps an older one`, async () => {
    const running = await openServing(database('sqlite'))
    const answers: string[] = []
    const between = createServer(async (request, response) => {
      answers.push(request.url ?? '')
      if (request.url === '/v1/describe_credential') return void response.writeHead(500).end('{}')
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const body = Buffer.concat(chunks).toString()
      const { status, text } = await running.send(request.url ?? '', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      })
      response.writeHead(status, { 'content-type': 'application/json' }).end(text)
    })
    await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve))
    const place: Place = {
      name: 'a server',
      reach: { args: [], env: {} },
      base: running.url,
      call: async <T>(name: string, input: object) => (await running.call(name, input)).json as T,
      close: running.close,
    }
    const { project_id } = await furnish(place, { name: 'Late' })
    const folder = emptyFolder()
    const file = join(folder, `gassapi_${project_id}.json`)
    writeFileSync(file, 'older', { mode: 0o600 })
    const url = `http://127.0.0.1:${(between.address() as AddressInfo).port}`
    const args = ['generate-mcp-token', email, password, project_id, '--url', url]
    const done = await bin.run(args, { cwd: folder })
    between.close()
    expect(done.code).toBe(1)
    expect(done.stderr).toMatch(/The new token mgtk_\w+ was revoked\.\n$/)
    expect(done.stdout).not.toMatch(secretForm)
    expect(answers).toEqual(['/v1/generate_mcp_token', '/v1/describe_credential', '/v1/revoke_mcp_token'])
    expect((await tokensOf(place, project_id)).map((one) => one.status)).toEqual(['revoked'])
    expect(readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'))).toEqual(['older'])
    await running.close()
  })
})
