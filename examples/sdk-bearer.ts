import type { AddressInfo } from 'node:net'
import * as errors from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import express from 'express'
import { tokenVerifier } from 'tokenwright/guard'
import { answer } from './protected-server/weather.ts'

const { TOKENWRIGHT_URL: url, TOKENWRIGHT_KEY: key, PORT = '3000' } = process.env

const app = express()
const verifier = tokenVerifier({ url, key, server: 'weather', errors })
app.use('/mcp', requireBearerAuth({ verifier }))
app.all('/mcp', (request, response) => answer(request, response))

const server = app.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`)
})
