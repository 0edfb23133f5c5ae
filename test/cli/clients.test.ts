import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { banner } from '../../src/cli/banner.ts'
import { type ClientName, clientNames, httpSnippet, stdioSnippet } from '../../src/cli/clients.ts'

const launch = { command: '/opt/node "20"/node', args: ['C:\\tools\\main.js', 'stdio'] }
const url = 'http://127.0.0.1:8787/mcp'

/** The entry as the client would read it; the TOML is the small part of it that the snippet uses. */
function entry(client: ClientName, text: string): Record<string, unknown> {
  if (client !== 'codex') {
    const { servers, mcpServers } = JSON.parse(text)
    expect(client === 'vscode' ? mcpServers : servers).toBeUndefined()
    return (servers ?? mcpServers).tokenwright
  }
  const [head, ...lines] = text.trim().split('\n')
  expect(head).toBe('[mcp_servers.tokenwright]')
  const pairs = lines.map((line) => /^(\w+) = (.*)$/.exec(line)!)
  return Object.fromEntries(pairs.map(([, name, value]) => [name, JSON.parse(value!)]))
}

describe('client configurations', () => {
  it.each(clientNames)('%s: the stdio entry starts this program, whatever its path holds', (client) => {
    const { text, hint } = stdioSnippet(client, launch)
    expect(entry(client, text)).toMatchObject(launch)
    expect(hint).toMatch(/^Goes into .+\.$/)
  })

  it.each(clientNames)('%s: the HTTP entry names the address and refers to the key', (client) => {
    const { text } = httpSnippet(client, url)
    const told = entry(client, text)
    expect(JSON.stringify(told)).toContain(url)
    expect(text).toMatch(
      /\$\{(env:)?TOKENWRIGHT_KEY\}|"\$?(Bearer \$)?TOKENWRIGHT_KEY"|\$\{input:tokenwright-key\}|\$\{AUTH_HEADER\}/,
    )
    expect(text).not.toMatch(/mcp[a-z]_/)
  })

  it.each(['linux', 'darwin', 'win32'] as const)('on %s each client has a file of its own', (platform) => {
    const hints = clientNames.map((client) => stdioSnippet(client, launch, platform).hint)
    expect(new Set(hints).size).toBe(clientNames.length)
  })

  it('R14: the banner of serve names the file of the admin key', () => {
    const text = banner({ url: 'http://127.0.0.1:8787', adminKeyFile: '/d/admin.key', launch }, false)
    expect(text).toMatch(/http:\/\/127\.0\.0\.1:8787\/mcp[\s\S]*\/d\/admin\.key/)
  })

  it('mcp.json.example holds one entry of each kind and no key', () => {
    const { mcpServers } = JSON.parse(
      readFileSync(new URL('../../mcp.json.example', import.meta.url), 'utf8'),
    )
    expect(mcpServers['tokenwright']).toEqual({ command: 'node', args: ['dist/main.js', 'stdio'] })
    expect(mcpServers['tokenwright-http']).toMatchObject({
      type: 'http',
      url,
      headers: { Authorization: 'Bearer ${TOKENWRIGHT_KEY}' },
    })
  })

  it('R3: a store that is reached through the environment is named in the entry, its values are not', () => {
    const remote = { ...launch, needs: ['TOKENWRIGHT_DATABASE_URL', 'TOKENWRIGHT_SECRET'] }
    for (const client of clientNames) {
      const { text, hint } = stdioSnippet(client, remote)
      expect(text).toContain('<value of TOKENWRIGHT_DATABASE_URL>')
      expect(hint).toContain('Fill in TOKENWRIGHT_DATABASE_URL and TOKENWRIGHT_SECRET.')
    }
  })
})
