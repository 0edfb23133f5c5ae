import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler, type Request } from 'express'
import { expressGuard, toolOf } from 'tokenwright/guard'
import { answer } from './weather.ts'

const { TOKENWRIGHT_URL: url, TOKENWRIGHT_KEY: key, PORT = '3000' } = process.env

const app = express().disable('x-powered-by')
// Everything is read as JSON here, and the server acts on what was read: the tool it runs is the tool that was judged.
app.use('/mcp', express.json({ type: () => true, limit: '256kb' }))
const tool = ({ body }: Request) => toolOf(body)
app.use('/mcp', expressGuard({ url, key, server: 'weather', jsonrpc: true, tool }))
app.all('/mcp', (request, response) => answer(request, response, request.body ?? null))
app.use(((error, _request, response, _next) => {
  response.status(error.status ?? 500).json({ error: 'This request cannot be read.' })
}) satisfies ErrorRequestHandler)

const server = app.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`)
})
