import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { database, databases } from '../support/databases.ts'
import { openServing, type Running, statuses } from './serving.ts'

describe.each(databases)('the server on $name', (one) => {
  let running: Running
  beforeAll(async () => {
    running = await openServing(one)
  })
  afterAll(() => running.close())

  it('tells everybody that it lives and is ready, in one word', async () => {
    const health = await running.send('/health')
    const ready = await running.send('/ready')
    expect([health.status, health.text]).toEqual([200, '{"status":"ok"}'])
    expect([ready.status, ready.text]).toEqual([200, '{"status":"ok"}'])
  })

  it('R7: has told the store where one-time links can be opened', async () => {
    const { json } = await running.call('get_settings')
    expect(json.settings.public_url).toBe(running.url)
    const made = await running.call('create_token', { name: 'x', delivery: 'link' })
    expect(made.json.delivery.url).toMatch(new RegExp(`^${running.url}/reveal#once_`))
  })
})

describe('what an operator sees', () => {
  let running: Running
  beforeAll(async () => {
    running = await openServing(database('sqlite'))
  })
  afterAll(() => running.close())

  it('says at / what it is and where MCP is', async () => {
    const { json } = await running.send('/')
    expect(json).toMatchObject({ name: 'Tokenwright', mcp: '/mcp' })
  })

  it('R32: answers an unknown path with 404 in JSON and a request id', async () => {
    const { status, json } = await running.send('/no/such/path?token=x')
    expect([status, json.error]).toEqual([404, 'not_found'])
    expect(json.request_id).toMatch(/^req_/)
    expect(JSON.stringify(json)).not.toContain('such')
  })

  it('shows metrics to a key with system:read, and to nobody else', async () => {
    const validator = (await running.call('create_management_key', { name: 'v', role: 'validator' })).json
      .secret
    const reader = (await running.call('create_management_key', { name: 'r', role: 'reader' })).json.secret
    const get = (key?: string) =>
      running.send('/metrics', key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } })
    expect((await get()).status).toBe(401)
    const weak = await get(validator)
    expect([weak.status, weak.headers.get('www-authenticate')]).toEqual([
      403,
      'Bearer error="insufficient_scope", scope="system:read"',
    ])
    await running.call('validate_token', { token: validator })
    const { status, text } = await get(reader)
    expect(status).toBe(200)
    expect(text).toContain(
      'tokenwright_http_requests_total{route="/v1/create_management_key",status="201"} 2',
    )
    expect(text).toContain('tokenwright_verdicts_total{verdict="unknown"} 1')
    expect(text).toContain('tokenwright_operation_seconds_count{operation="create_management_key"} 2')
    expect(text).toContain('process_cpu_seconds_total')
  })

  it('shows metrics to everybody where the operator says so', async () => {
    const open = await openServing(database('sqlite'), { metricsPublic: true })
    expect((await open.send('/metrics')).status).toBe(200)
    await open.close()
  })

  it('R9, R54: logs one JSON line per request with the template, never the URL, a header or a secret', async () => {
    const { adminKey } = running
    const made = await running.call('create_token', { name: 'line\nbreak'.replace('\n', ' ') })
    const { secret } = made.json.delivery
    running.log.length = 0
    const headers = { referer: `http://x/?token=${secret}`, authorization: `Bearer ${adminKey}` }
    await running.send(`/v1/list_groups?token=${secret}`, { method: 'POST', headers })
    await running.send(`/health?access_token=${secret}`, { headers })
    await running.send(`/${secret}/${adminKey}`, { headers })
    await running.send(`/v1/${secret}`, { method: 'POST', headers })
    await running.call('validate_token', { token: secret, wrong: secret })
    await running.call('list_groups', {}, `${secret}x`)
    await running.raw(`GET /health?t=${secret} HTTP/1.1\r\nhost: ${secret}\r\n\r\n`)
    await new Promise((resolve) => setTimeout(resolve, 50))
    const lines = running.log.map((line) => JSON.parse(line))
    expect(lines.map(({ method, route, status }) => `${method} ${route} ${status}`)).toEqual([
      'POST /v1/list_groups 200',
      'GET /health 200',
      'GET unknown 404',
      'POST /v1/* 404',
      'POST /v1/validate_token 400',
      'POST /v1/list_groups 401',
      'GET refused 403',
    ])
    for (const line of lines)
      expect(Object.keys(line)).toEqual([
        'level',
        'time',
        'request_id',
        'method',
        'route',
        'status',
        'ms',
        'actor',
        'msg',
      ])
    expect(lines[0].actor).toMatch(/^mkey_/)
    expect(lines[5].actor).toBeNull()
    const all = running.log.join('')
    for (const hidden of [secret, adminKey]) {
      for (let at = 0; at + 13 <= hidden.length; at++) expect(all).not.toContain(hidden.slice(at, at + 13))
    }
  })
})

describe('the end', () => {
  it('answers what is running, takes nothing new, and leaves within 5 s though a connection is kept open', async () => {
    const running = await openServing(database('sqlite'))
    const host = `host: 127.0.0.1:${running.port}\r\nauthorization: Bearer ${running.adminKey}\r\ncontent-type: application/json`
    let heard = ''
    const late = connect(running.port, '127.0.0.1')
    late.on('data', (chunk) => {
      heard += chunk
    })
    late.on('error', () => undefined)
    late.write(`POST /v1/list_groups HTTP/1.1\r\n${host}\r\ncontent-length: 2\r\n\r\n{`)
    const stuck = connect(running.port, '127.0.0.1')
    stuck.on('error', () => undefined)
    stuck.write(`POST /v1/list_groups HTTP/1.1\r\n${host}\r\ncontent-length: 2\r\n\r\n{`)
    await new Promise((resolve) => setTimeout(resolve, 100))
    const started = performance.now()
    const closed = running.close()
    await new Promise((resolve) => setTimeout(resolve, 200))
    await expect(fetch(`${running.url}/health`)).rejects.toThrow()
    late.write('}')
    await closed
    expect(statuses(heard)).toEqual([200])
    expect(performance.now() - started).toBeLessThan(7_000)
  })
})
