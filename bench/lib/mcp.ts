const version = '2025-11-25'

/** Opens a session of the handshake era and answers the headers that its calls carry. */
export async function openSession(url: string, key: string): Promise<Record<string, string>> {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    authorization: `Bearer ${key}`,
  }
  const send = (message: object) =>
    fetch(url, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...message }) })
  const opened = await send({ id: 0, method: 'initialize', params: hello })
  const text = await opened.text()
  const session = opened.headers.get('mcp-session-id')
  if (!opened.ok || session === null)
    throw new Error(`no MCP session: ${opened.status} ${text.slice(0, 200)}`)
  headers['mcp-session-id'] = session
  headers['mcp-protocol-version'] = version
  await (await send({ method: 'notifications/initialized' })).text()
  return headers
}

/** The parameters of `initialize`. */
export const hello = {
  protocolVersion: version,
  capabilities: {},
  clientInfo: { name: 'bench', version: '1' },
}

/** The two eras of the protocol. */
export type Era = 'first' | 'second'

const later = '2026-07-28'

/** What every request of the second era says of itself. */
const envelope = {
  _meta: {
    'io.modelcontextprotocol/protocolVersion': later,
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': hello.clientInfo,
  },
}

/** How a client of an era begins, and what it says before it asks for the tools. */
export const openings = {
  first: {
    begin: { method: 'initialize', params: hello },
    next: { method: 'notifications/initialized' },
    list: { method: 'tools/list' },
  },
  second: {
    begin: { method: 'server/discover', params: envelope },
    next: undefined,
    list: { method: 'tools/list', params: envelope },
  },
} as const

/** The headers and the further parameters of tool calls in an era. */
export async function callsOf(era: Era, url: string, key: string, tool: string) {
  if (era === 'first') return { headers: await openSession(url, key), params: {} }
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    authorization: `Bearer ${key}`,
    'mcp-protocol-version': later,
    'mcp-method': 'tools/call',
    'mcp-name': tool,
  }
  return { headers, params: envelope }
}
