import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServing, type Running } from '../http/serving.ts'
import { noBrowser, openBrowser, whyNoBrowser } from '../support/chromium.ts'
import { database, databases } from '../support/databases.ts'

const makeLink = async (running: Running, name = 'CI nightly') => {
  const made = await running.call('create_token', { name, delivery: 'link' })
  const url: string = made.json.delivery.url
  return { url, code: new URL(url).hash.slice(1), id: made.json.token.id as string }
}

describe.each(databases)('the one-time page on $name', (one) => {
  let running: Running
  beforeAll(async () => {
    running = await openServing(one)
  })
  afterAll(() => running.close())

  const post = (code: string) =>
    running.send('/reveal', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
    })

  it('R7: opening it ten times burns nothing; the first POST reveals, the second says when', async () => {
    const { code, id } = await makeLink(running)
    for (let i = 0; i < 10; i++) expect((await running.send('/reveal')).status).toBe(200)
    const first = await post(code)
    expect([first.status, first.json.token_id, first.json.name]).toEqual([200, id, 'CI nightly'])
    expect(first.json.secret).toMatch(/^mcpt_/)
    expect((await running.call('validate_token', { token: first.json.secret })).json.valid).toBe(true)
    const second = await post(code)
    expect([second.status, second.json.error]).toEqual([410, 'gone'])
    expect(second.json.detail).toContain(first.json.redeemed_at)
    expect(second.text).not.toContain(first.json.secret)
  })

  it('R7: of 20 POSTs at once exactly one reveals', async () => {
    const { code } = await makeLink(running)
    const statuses = (await Promise.all(Array.from({ length: 20 }, () => post(code)))).map(
      ({ status }) => status,
    )
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(statuses.filter((status) => status === 410)).toHaveLength(19)
  })

  it('R7: ten minutes later it reveals nothing', async () => {
    const { code } = await makeLink(running)
    running.clock.pass(10 * 60_000)
    expect((await post(code)).status).toBe(410)
  })

  it('R40: each attempt on a real link leaves a row with the address, and no secret', async () => {
    const { code, id } = await makeLink(running)
    const { secret } = (await post(code)).json
    await post(code)
    const { json, text } = await running.call('list_audit_events', { limit: 20 })
    const rows = json.events.filter(
      (row: { action: string; target_id: string }) => row.action === 'redeem_link' && row.target_id === id,
    )
    expect(
      rows.map((row: { outcome: string; ip: string; via: string }) => [row.outcome, row.ip, row.via]).sort(),
    ).toEqual([
      ['denied', '127.0.0.1', 'web'],
      ['ok', '127.0.0.1', 'web'],
    ])
    expect(text + running.log.join('')).not.toContain(secret)
    expect(text + running.log.join('')).not.toContain(code)
  })
})

describe('the answers of the page', () => {
  let running: Running
  beforeAll(async () => {
    running = await openServing(database('sqlite'))
  })
  afterAll(() => running.close())

  it('R7: the page is not kept, sends no referrer, is not framed and loads nothing from elsewhere', async () => {
    const { headers, text } = await running.send('/reveal')
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('x-frame-options')).toBe('DENY')
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toMatch(/unsafe|\*|https?:/)
    expect(text).not.toMatch(/https?:\/\/|src=|@import|url\(/)
  })

  it('refuses unknown codes, broken bodies, forms and other methods', async () => {
    const send = (body: string, type = 'application/json') =>
      running.send('/reveal', { method: 'POST', headers: { 'content-type': type }, body })
    expect((await send('{"code":"once_nothing"}')).status).toBe(404)
    expect((await send('{"code":')).status).toBe(400)
    expect((await send('{}')).status).toBe(400)
    expect((await send('code=x', 'application/x-www-form-urlencoded')).status).toBe(415)
    expect((await running.send('/reveal', { method: 'DELETE' })).status).toBe(405)
    expect((await running.send('/reveal?code=x', { method: 'POST' })).status).toBe(400)
  })
})

describe.skipIf(noBrowser)(`the page in a browser${whyNoBrowser}`, () => {
  let running: Running
  let browser: Browser
  beforeAll(async () => {
    running = await openServing(database('sqlite'))
    browser = await openBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await running?.close()
  })

  async function open(url: string) {
    const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] })
    const page = await context.newPage()
    const requests: string[] = []
    const complaints: string[] = []
    page.on('request', (request) => requests.push(`${request.method()} ${request.url()}`))
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(url)
    return { page, requests, complaints }
  }

  it('R7: shows a button, takes the code out of the address, and reveals after the click', async () => {
    const { url, code, id } = await makeLink(running)
    const { page, requests, complaints } = await open(url)
    expect(page.url()).toBe(`${running.url}/reveal`)
    expect(await page.content()).not.toContain(code)
    expect(requests).toEqual([`GET ${url.split('#')[0]}`])
    await page.getByRole('button', { name: 'Reveal the secret once' }).click()
    await page.getByRole('heading', { name: 'Secret of “CI nightly”' }).waitFor()
    const secret = (await page.getByLabel('This is shown once').textContent()) ?? ''
    expect((await running.call('validate_token', { token: secret })).json).toMatchObject({
      valid: true,
      token: { id },
    })
    await page.getByRole('button', { name: 'Copy' }).click()
    await page.getByText('Copied to the clipboard.').waitFor()
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(secret)
    expect(requests).toEqual([`GET ${running.url}/reveal`, `POST ${running.url}/reveal`])
    expect(complaints).toEqual([])
  })

  it('R7: opened again it says that it was opened, and when', async () => {
    const { url } = await makeLink(running)
    const first = await open(url)
    await first.page.getByRole('button').click()
    await first.page.getByLabel('This is shown once').waitFor()
    const second = await open(url)
    await second.page.getByRole('button').click()
    await second.page.getByText(/was opened at \d{4}-/).waitFor()
    expect(await second.page.getByRole('heading', { name: 'There is no secret here' }).isVisible()).toBe(true)
  })

  it('without a code it says what is missing, and sends nothing', async () => {
    const { page, requests } = await open(`${running.url}/reveal`)
    await page.getByText('the part after the # sign').waitFor()
    expect(requests).toEqual([`GET ${running.url}/reveal`])
  })

  it('shows names that are markup as text', async () => {
    const { url } = await makeLink(running, '<img src=x onerror=alert(1)>')
    const { page, complaints } = await open(url)
    await page.getByRole('button').click()
    await page.getByText('<img src=x onerror=alert(1)>').waitFor()
    expect(complaints).toEqual([])
  })
})
