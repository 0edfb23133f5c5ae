import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { nodeGuard } from 'tokenwright/guard'
import { answer } from './protected-server/weather.ts'

const { TOKENWRIGHT_URL: url, TOKENWRIGHT_KEY: key, PORT = '3000' } = process.env

const protect = nodeGuard({ url, key, server: 'weather', jsonrpc: true })
const server = createServer(protect((request, response) => answer(request, response)))

server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`)
})
