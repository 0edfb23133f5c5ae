import { serve } from '@hono/node-server'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { Hono } from 'hono'
import { type GuardVariables, honoGuard } from 'tokenwright/guard'
import { weatherServer } from './protected-server/weather.ts'

const { TOKENWRIGHT_URL: url, TOKENWRIGHT_KEY: key, PORT = '3000' } = process.env

const app = new Hono<{ Variables: GuardVariables }>()
app.use('/mcp', honoGuard({ url, key, server: 'weather', jsonrpc: true }))
app.post('/mcp', async (c) => {
  const server = weatherServer()
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
  await server.connect(transport as Transport)
  const response = await transport.handleRequest(c.req.raw, { authInfo: c.get('auth') })
  await server.close()
  return response
})
app.all('/mcp', (c) => c.body(null, 405, { allow: 'POST' }))

serve({ fetch: app.fetch, port: Number(PORT), hostname: '127.0.0.1' }, ({ port }) => {
  console.log(`http://127.0.0.1:${port}/mcp`)
})
