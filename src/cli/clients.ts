import type { Launch } from './world.ts'

/** A client's configuration, ready to paste, and where it goes. */
export interface Snippet {
  text: string
  /** One line for people: the file and anything else worth knowing. */
  hint: string
}

export const clientNames = ['claude-code', 'claude-desktop', 'cursor', 'vscode', 'codex', 'gemini'] as const
export type ClientName = (typeof clientNames)[number]

const key = 'TOKENWRIGHT_KEY'
const setKey = `Put the management key into the environment variable ${key}.`

/** The entry that makes the client start this program. */
export function stdioSnippet(
  client: ClientName,
  { command, args, needs = [] }: Launch,
  platform = process.platform,
): Snippet {
  const values = needs.length === 0 ? '' : ` Fill in ${needs.join(' and ')}.`
  const hint = `Goes into ${fileOf(client, platform)}.${values}`
  const blanks = needs.map((name) => [name, `<value of ${name}>`] as const)
  if (client === 'codex') {
    const text = `[mcp_servers.tokenwright]\ncommand = ${toml(command)}\nargs = [${args.map(toml).join(', ')}]\n`
    const env = blanks.map(([name, blank]) => `${name} = ${toml(blank)}\n`).join('')
    return { text: env === '' ? text : `${text}\n[mcp_servers.tokenwright.env]\n${env}`, hint }
  }
  const entry = { command, args, ...(blanks.length === 0 ? {} : { env: Object.fromEntries(blanks) }) }
  const typed = client === 'vscode' || client === 'claude-code' ? { type: 'stdio', ...entry } : entry
  return { text: document(client, typed), hint }
}

/** The entry that makes the client call a running server; the key stays outside of it. */
export function httpSnippet(client: ClientName, url: string, platform = process.platform): Snippet {
  const file = `Goes into ${fileOf(client, platform)}.`
  const bearer = (reference: string) => ({ Authorization: `Bearer ${reference}` })
  switch (client) {
    case 'claude-code':
      return {
        text: document(client, { type: 'http', url, headers: bearer(`\${${key}}`) }),
        hint: `${file} ${setKey}`,
      }
    case 'cursor':
      return { text: document(client, { url, headers: bearer(`\${env:${key}}`) }), hint: `${file} ${setKey}` }
    case 'gemini':
      return {
        text: document(client, { httpUrl: url, headers: bearer(`$${key}`) }),
        hint: `${file} ${setKey}`,
      }
    case 'codex':
      return {
        text: `[mcp_servers.tokenwright]\nurl = ${toml(url)}\nbearer_token_env_var = ${toml(key)}\n`,
        hint: `${file} ${setKey}`,
      }
    case 'vscode':
      return { text: vscodeHttp(url), hint: `${file} VS Code asks for the management key once and keeps it.` }
    case 'claude-desktop':
      return {
        text: document(client, {
          command: 'npx',
          args: ['-y', 'mcp-remote', url, '--header', 'Authorization:${AUTH_HEADER}'],
          env: { AUTH_HEADER: 'Bearer <management key>' },
        }),
        hint: `${file} Claude Desktop passes on no environment, so the key has to stand in that file; the stdio entry needs none.`,
      }
  }
}

/** The entry as JSON, under the member the client looks for. */
function document(client: ClientName, entry: object): string {
  const member = client === 'vscode' ? 'servers' : 'mcpServers'
  return `${JSON.stringify({ [member]: { tokenwright: entry } }, null, 2)}\n`
}

function vscodeHttp(url: string): string {
  const id = 'tokenwright-key'
  const input = { type: 'promptString', id, description: 'Tokenwright management key', password: true }
  const server = { type: 'http', url, headers: { Authorization: `Bearer \${input:${id}}` } }
  return `${JSON.stringify({ inputs: [input], servers: { tokenwright: server } }, null, 2)}\n`
}

function fileOf(client: ClientName, platform: NodeJS.Platform): string {
  const home = platform === 'win32' ? '%USERPROFILE%' : '~'
  const slash = platform === 'win32' ? '\\' : '/'
  const under = (...parts: string[]) => [home, ...parts].join(slash)
  switch (client) {
    case 'claude-code':
      return '.mcp.json of a project'
    case 'claude-desktop':
      if (platform === 'win32') return '%APPDATA%\\Claude\\claude_desktop_config.json'
      if (platform === 'darwin')
        return under('Library', 'Application Support', 'Claude', 'claude_desktop_config.json')
      return under('.config', 'Claude', 'claude_desktop_config.json')
    case 'cursor':
      return under('.cursor', 'mcp.json')
    case 'vscode':
      return '.vscode/mcp.json of a project'
    case 'codex':
      return under('.codex', 'config.toml')
    case 'gemini':
      return under('.gemini', 'settings.json')
  }
}

/** A TOML basic string; JSON's escapes are among its own. */
function toml(text: string): string {
  return JSON.stringify(text)
}
