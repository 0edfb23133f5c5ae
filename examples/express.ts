import type { AddressInfo } from 'node:net'
import express from 'express'
import { expressGuard } from 'tokenwright/guard'
import { answer } from './protected-server/weather.ts'

const { TOKENWRIGHT_URL: url, TOKENWRIGHT_KEY: key, PORT = '3000' } = process.env

const app = express()
app.use('/mcp', expressGuard({ url, key, server: 'weather', jsonrpc: true }))
app.all('/mcp', (request, response) => answer(request, response))

const server = app.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`)
})
