import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServing, type Running } from '../http/serving.ts'
import { noBrowser, openBrowser, whyNoBrowser } from '../support/chromium.ts'
import { database } from '../support/databases.ts'
import { makeHanding } from './handed.ts'

const withKey = { name: 'Sign in with the key and reveal the secret once' }
const asOwner = { name: 'Sign in as the owner and reveal the secret once' }

describe('the answers of the page behind a sign-in', () => {
  let running: Running
  beforeAll(async () => {
    running = await openServing(database('sqlite'))
  })
  afterAll(() => running.close())

  it('R7: no answer is kept, framed, or loads anything, and there is no script at all', async () => {
    const hands = makeHanding(running)
    const { url, id } = await hands.handed(running.adminKey)
    const answers = [
      await running.send(new URL(url).pathname),
      await running.send(`/hand-over/${'A'.repeat(32)}`),
      await hands.post(id, { key: 'wrong' }),
      await hands.post(id, {}),
      await hands.post(id, { key: running.adminKey }),
      await hands.post(id, { key: running.adminKey }),
      await running.send(new URL(url).pathname),
    ]
    await hands.close()
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 403, 400, 200, 410, 410])
    for (const { headers, text } of answers) {
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('referrer-policy')).toBe('same-origin')
      expect(headers.get('x-frame-options')).toBe('DENY')
      expect(headers.get('set-cookie')).toBeNull()
      const policy = headers.get('content-security-policy') ?? ''
      expect(policy).toContain("default-src 'none'")
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).toContain("form-action 'self'")
      expect(policy).not.toMatch(/unsafe|script-src|\*|https?:/)
      expect(text).not.toMatch(/https?:\/\/|src=|@import|url\(|<script/)
    }
  })

  it('refuses other bodies, other methods and half a sign-in', async () => {
    const hands = makeHanding(running)
    const { id } = await hands.handed(running.adminKey)
    await hands.close()
    const path = `/hand-over/${id}`
    const send = (body: string, type: string) =>
      running.send(path, { method: 'POST', headers: { 'content-type': type, origin: running.url }, body })
    const form = 'application/x-www-form-urlencoded'
    expect((await send(JSON.stringify({ key: running.adminKey }), 'application/json')).status).toBe(415)
    expect((await send(`key=${running.adminKey}`, 'text/plain')).status).toBe(415)
    expect((await send(`key=${running.adminKey}&key=x`, form)).status).toBe(400)
    expect((await send('key=%ff', form)).status).toBe(400)
    expect((await send(`key=${'x'.repeat(20_000)}`, form)).status).toBe(413)
    expect((await hands.post(id, { email: 'ada@example.test' })).status).toBe(400)
    expect((await hands.post(id, { key: 'x', email: 'a@example.test', password: 'y' })).status).toBe(400)
    expect((await running.send(path, { method: 'DELETE' })).status).toBe(405)
    expect((await running.send('/hand-over/..%2f..%2fx')).status).toBe(404)
  })

  it('looks again by itself before the secret is there, and not for ever', async () => {
    const path = `/hand-over/${'A'.repeat(32)}`
    expect((await running.send(path)).text).toContain('content="2; url=')
    expect((await running.send(`${path}?try=14`)).text).toContain('?try=15"')
    for (const tries of ['15', '9999', '-1', 'x'])
      expect((await running.send(`${path}?try=${tries}`)).text, tries).not.toContain('http-equiv')
  })
})

describe.skipIf(noBrowser)(`the page behind a sign-in in a browser${whyNoBrowser}`, () => {
  let running: Running
  let browser: Browser
  let hands: ReturnType<typeof makeHanding>
  beforeAll(async () => {
    running = await openServing(database('sqlite'))
    hands = makeHanding(running)
    browser = await openBrowser()
  })
  afterAll(async () => {
    await hands?.close()
    await browser?.close()
    await running?.close()
  })

  /** A browser of its own, without JavaScript: the page needs none. */
  async function open(url: string) {
    const context = await browser.newContext({ javaScriptEnabled: false })
    const page = await context.newPage()
    const requests: string[] = []
    const complaints: string[] = []
    page.on('request', (request) => requests.push(`${request.method()} ${request.url()}`))
    page.on('console', (message) => complaints.push(message.text()))
    await page.goto(url)
    return { page, requests, complaints }
  }

  it('R7: a person signs in with a key and sees the secret once', async () => {
    const { url, token_id } = await hands.handed(running.adminKey)
    const { page, requests, complaints } = await open(url)
    await page.getByText('“CI nightly”').waitFor()
    expect(await page.getByLabel('Password').count()).toBe(0)
    await page.getByLabel('Management key').fill(running.adminKey)
    await page.getByRole('button', withKey).click()
    await page.getByRole('heading', { name: 'Secret of “CI nightly”' }).waitFor()
    const secret = (await page.getByLabel('This is shown once').textContent()) ?? ''
    expect((await running.call('validate_token', { token: secret })).json).toMatchObject({
      valid: true,
      token: { id: token_id },
    })
    expect(requests).toEqual([`GET ${url}`, `POST ${url}`])
    expect(complaints).toEqual([])
    await page.goto(url)
    await page.getByRole('heading', { name: 'There is no secret here any more' }).waitFor()
  })

  it('R7: the owner of a token signs in with e-mail and password for what the token asked for', async () => {
    const [email, password] = ['ada@example.test', 'correct höße & batterie+%']
    const owner = (await running.call('create_user', { email, password })).json.user
    const made = await running.call('create_token', {
      name: '<img src=x onerror=alert(1)>',
      owner_id: owner.id,
      delivery: 'inline',
    })
    const { token, delivery } = made.json
    const { url } = await hands.handed(delivery.secret, { token_id: token.id }, 'rotate_token')
    const { page, complaints } = await open(url)
    await page.getByText('<img src=x onerror=alert(1)>').first().waitFor()
    await page.getByLabel('E-mail').fill(email)
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', asOwner).click()
    const secret = await page.getByLabel('This is shown once').textContent()
    expect((await running.call('validate_token', { token: secret })).json.valid).toBe(true)
    expect(complaints).toEqual([])
  })

  it('a person who is early is taken to the form when the secret is there', async () => {
    let early: Awaited<ReturnType<typeof open>> | undefined
    const client = await hands.speaker(running.adminKey, async ({ url }) => {
      early = await open(url)
      await early.page.getByRole('heading', { name: 'Nothing is waiting here yet' }).waitFor()
      return 'accept'
    })
    await client.call('create_token', { name: 'slow' })
    await early?.page.getByRole('button', withKey).waitFor({ timeout: 10_000 })
    await early?.page.getByLabel('Management key').fill(running.adminKey)
    await early?.page.getByRole('button', withKey).click()
    expect(await early?.page.getByLabel('This is shown once').textContent()).toMatch(/^mcpt_/)
  })
})
