/** The least that a stdio client can talk to: two lines in, two constants out, of the size of real ones. */
const hello = {
  protocolVersion: '2025-11-25',
  capabilities: { tools: {} },
  serverInfo: { name: 'bare', version: '1' },
}
const tools = Array.from({ length: 15 }, (_, i) => ({
  name: `tool_${i}`,
  description: 'x'.repeat(1_500),
  inputSchema: { type: 'object' },
}))

let rest = ''
process.stdin.on('data', (chunk) => {
  const lines = (rest + chunk).split('\n')
  rest = lines.pop() ?? ''
  for (const line of lines) {
    const { id, method } = JSON.parse(line) as { id?: number; method: string }
    if (id === undefined) continue
    const result = method === 'tools/list' ? { tools } : hello
    process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`)
  }
})
