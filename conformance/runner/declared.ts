/** What a server declares in the handshake of the first era. */
export async function declaredBy(url: string): Promise<Set<string>> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({
      ...{ jsonrpc: '2.0', id: 1, method: 'initialize' },
      params: {
        ...{ protocolVersion: '2025-11-25', capabilities: {} },
        clientInfo: { name: 'conformance', version: '1' },
      },
    }),
  })
  const { result } = (await answer.json()) as { result: { capabilities: object } }
  return new Set(Object.keys(result.capabilities))
}
