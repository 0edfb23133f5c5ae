import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

/** The parts of the answers that the story looks at. */
interface Answer {
  token: { id: string; prefix: string; status: string }
  delivery: { kind: string; url: string; secret: string }
  verdict: string
  preview: { confirm: string; tokens_hit: { count: number } }
  tokens: { name: string }[]
  events: { action: string; outcome: string }[]
}

const bin = join(import.meta.dirname, '..', 'dist', 'main.js')
const dataDir = mkdtempSync(join(tmpdir(), 'tokenwright-demo-'))
let steps = 0

/** Says what happened and ends the demo if it is not what should happen. */
function step(what: string, got: unknown, wanted: unknown): void {
  steps += 1
  const fits = JSON.stringify(got) === JSON.stringify(wanted)
  console.log(`${fits ? '✓' : '✗'} ${what}: ${JSON.stringify(got)}`)
  if (!fits) throw new Error(`step ${steps} should have been ${JSON.stringify(wanted)}`)
}

async function call(client: Client, name: string, args: object): Promise<Answer> {
  const result = await client.callTool({ name, arguments: { ...args } })
  if (result.isError) throw new Error(`${name}: ${JSON.stringify(result.content)}`)
  return result.structuredContent as unknown as Answer
}

function startServer(): Promise<{ url: string; stop(): Promise<unknown> }> {
  const child = spawn(process.execPath, [
    bin,
    'serve',
    '--port',
    '0',
    '--data',
    dataDir,
    '--log-level',
    'error',
  ])
  child.stderr.pipe(process.stderr)
  const stop = () => {
    child.kill('SIGTERM')
    return once(child, 'exit')
  }
  return new Promise((resolve, reject) => {
    let printed = ''
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}: ${printed}`)))
    child.stdout.on('data', (chunk) => {
      printed += chunk
      const url = /http:\/\/127\.0\.0\.1:\d+(?=\/mcp)/.exec(printed)?.[0]
      if (url !== undefined) resolve({ url, stop })
    })
  })
}

async function story(chat: Client, agent: Client, url: string): Promise<void> {
  const tools = (await chat.listTools()).tools
  step('stdio: the default tools', tools.length, 15)

  const made = await call(chat, 'create_token', {
    name: 'CI',
    expires_in_days: 30,
    access: { all_servers: true },
  })
  const { token, delivery } = made
  step(
    'stdio: create_token answers with a link, not a secret',
    [delivery.kind, 'secret' in delivery],
    ['link', false],
  )
  const code = delivery.url.split('#')[1]
  const reveal = () =>
    fetch(`${url}/reveal`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
    })
  const { secret } = (await (await reveal()).json()) as { secret: string }
  step('the page behind the link reveals the secret', secret.startsWith(token.prefix), true)
  step('and does so once', (await reveal()).status, 410)

  const valid = (args: object) => call(agent, 'validate_token', args).then((answer) => answer.verdict)
  step('HTTP: the secret is good', await valid({ token: secret }), 'valid')

  const rotated = await call(agent, 'rotate_token', { token_id: token.id, delivery: 'inline' })
  const fresh = rotated.delivery.secret
  step('HTTP: rotate_token keeps the id', rotated.token.id, token.id)
  step('HTTP: the old secret is refused', await valid({ token: secret }), 'unknown')
  step('HTTP: the new one is good', await valid({ token: fresh }), 'valid')

  await call(chat, 'update_token', { token_id: token.id, allowed_ips: ['203.0.113.0/24'] })
  step(
    'stdio: restricted to 203.0.113.0/24; from 203.0.113.7',
    await valid({ token: fresh, ip: '203.0.113.7' }),
    'valid',
  )
  step('from 198.51.100.7', await valid({ token: fresh, ip: '198.51.100.7' }), 'ip_not_allowed')
  const own = await fetch(`${url}/v1/get_token`, {
    method: 'POST',
    headers: { authorization: `Bearer ${fresh}`, 'content-type': 'application/json' },
    body: JSON.stringify({ token_id: token.id }),
  })
  step('the token itself, used from here', own.status, 403)

  const { preview } = await call(chat, 'revoke_token', { token_id: token.id, dry_run: true })
  step('stdio: revoke_token, shown first', preview.tokens_hit.count, 1)
  const revoked = await call(chat, 'revoke_token', { token_id: token.id, confirm: preview.confirm })
  step('stdio: revoke_token', revoked.token.status, 'revoked')
  step('HTTP: the secret is refused at once', await valid({ token: fresh }), 'revoked')
  const list = await call(agent, 'list_magic_tokens', { status: ['revoked'] })
  step(
    'HTTP: the list shows it',
    list.tokens.map((one) => one.name),
    ['CI'],
  )

  const trail = await call(agent, 'list_audit_events', { target_id: token.id })
  step(
    'the trail of the token, newest first, the second try of the link included',
    trail.events.map((event) => `${event.action} ${event.outcome}`),
    [
      'revoke_token ok',
      'update_token ok',
      'rotate_token ok',
      'redeem_link denied',
      'redeem_link ok',
      'create_token ok',
    ],
  )
}

function verifyAudit(): void {
  const run = spawnSync(process.execPath, [bin, 'audit', 'verify', '--json', '--data', dataDir], {
    encoding: 'utf8',
  })
  if (run.status !== 0) throw new Error(run.stderr)
  step('tokenwright audit verify', JSON.parse(run.stdout).ok, true)
}

async function main(): Promise<void> {
  const server = await startServer()
  const chat = new Client({ name: 'demo-chat', version: '1.0.0' })
  const agent = new Client({ name: 'demo-agent', version: '1.0.0' })
  try {
    const args = [bin, 'stdio', '--data', dataDir, '--log-level', 'error']
    await chat.connect(new StdioClientTransport({ command: process.execPath, args }))
    const key = readFileSync(join(dataDir, 'admin.key'), 'utf8').trim()
    const requestInit = { headers: { authorization: `Bearer ${key}` } }
    await agent.connect(
      new StreamableHTTPClientTransport(new URL(`${server.url}/mcp`), { requestInit }) as never,
    )
    await story(chat, agent, server.url)
    verifyAudit()
    console.log(`\nAll ${steps} steps as they should be.`)
  } finally {
    await Promise.all([chat.close(), agent.close()])
    await server.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

await main()
