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
