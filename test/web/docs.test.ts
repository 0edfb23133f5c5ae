import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServing, type Running } from '../http/serving.ts'
import { noBrowser, openBrowser, whyNoBrowser } from '../support/chromium.ts'
import { database } from '../support/databases.ts'
import { verifies } from '../support/verifies.ts'

const pages = ['/docs', '/redoc']
const files = {
  '/docs/swagger-ui.css': 'text/css',
  '/docs/swagger-ui-bundle.js': 'text/javascript',
  '/docs/start.js': 'text/javascript',
  '/redoc/redoc.standalone.js': 'text/javascript',
  '/redoc/start.js': 'text/javascript',
}

describe('the pages of the documentation', () => {
  let running: Running
  beforeAll(async () => {
    running = await openServing(database('sqlite'))
  })
  afterAll(() => running.close())

  it(`${verifies('enkrypt:docs:pages:served')} /docs, /redoc and /openapi.json answer 200 without a key`, async () => {
    for (const page of pages) {
      const { status, headers } = await running.send(page)
      expect([page, status, headers.get('content-type')]).toEqual([page, 200, 'text/html; charset=UTF-8'])
    }
    const { status, json } = await running.send('/openapi.json')
    expect([status, json.openapi]).toEqual([200, '3.1.0'])
  })

  it('R32: their policy lets in what this server serves, no other host and no inline script', async () => {
    for (const page of pages) {
      const { headers, text } = await running.send(page)
      const policy = headers.get('content-security-policy') ?? ''
      expect(policy).toContain("default-src 'none'")
      expect(policy).toContain("script-src 'self';")
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).not.toMatch(/https?:|\*|unsafe-eval/)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('x-frame-options')).toBe('DENY')
      expect(text).not.toMatch(/https?:|\/\/|<script>| on\w+=/)
    }
  })

  it('their files are kept for a year under an address that names the version; none names another host to load from', async () => {
    const { text } = await running.send('/docs')
    expect(text).toContain('"docs/swagger-ui-bundle.js?v=0.0.0-test"')
    for (const [file, type] of Object.entries(files)) {
      const answer = await running.send(file)
      expect([file, answer.status, answer.headers.get('content-type')]).toEqual([
        file,
        200,
        `${type}; charset=utf-8`,
      ])
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
      expect(answer.headers.get('cache-control')).toBe(
        file.endsWith('start.js') ? 'no-cache' : 'public, max-age=31536000, immutable',
      )
      const foreign = [...answer.text.matchAll(/https:\/\/cdn[^'"]+|@import|url\(["']?https?:[^)]*/g)]
      expect(foreign.map(([found]) => found)).toEqual([])
    }
  })

  it('R22, R23: a foreign Host or Origin is refused there as everywhere, and no Origin is let read them', async () => {
    for (const path of [...pages, ...Object.keys(files), '/openapi.json']) {
      const own = `host: 127.0.0.1:${running.port}`
      const foreign = await running.raw(
        `GET ${path} HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n`,
      )
      expect(foreign).toMatch(/^HTTP\/1\.1 403 /)
      const origin = await running.raw(
        `GET ${path} HTTP/1.1\r\n${own}\r\norigin: http://evil.example\r\nconnection: close\r\n\r\n`,
      )
      expect(origin).toMatch(/^HTTP\/1\.1 403 /)
      expect((await running.send(path)).headers.get('access-control-allow-origin')).toBeNull()
    }
  })

  it('nothing else stands beside them', async () => {
    for (const path of ['/docs/', '/docs/package.json', '/docs/../package.json', '/redoc/swagger-ui.css']) {
      expect([path, (await running.send(path)).status]).toEqual([path, 404])
    }
  })
})

describe.skipIf(noBrowser)(`the pages in a browser${whyNoBrowser}`, () => {
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

  /** The dialects by their tags, and how many operations each has. */
  async function dialects(): Promise<[tag: string, count: number][]> {
    const { json } = await running.send('/openapi.json')
    const { tags } = json['x-tagGroups'].find(({ name }: { name: string }) => name === 'Dialects')
    const all = Object.values<Record<string, { tags: string[] }>>(json.paths).flatMap((path) =>
      Object.values(path),
    )
    expect(tags.length).toBeGreaterThan(3)
    return tags.map((tag: string) => [tag, all.filter((one) => one.tags.includes(tag)).length])
  }

  async function open(path: string) {
    const page = await (await browser.newContext()).newPage()
    const hosts = new Set<string>()
    const complaints: string[] = []
    page.on('request', (request) => hosts.add(new URL(request.url()).host))
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.setDefaultTimeout(60_000)
    await page.goto(`${running.url}${path}`)
    return { page, hosts, complaints }
  }

  it(`${verifies('enkrypt:docs:pages:served')} /docs shows the operations, what one takes and answers, and asks no other host`, async () => {
    const { page, hosts, complaints } = await open('/docs')
    await page.locator('[data-path="/v1/create_token"]').waitFor()
    await page.locator('#operations-tokens-create_token .opblock-summary-control').click()
    await page.getByText('POST /v1/<name>').first().waitFor()
    await page
      .locator('.opblock.is-open .opblock-section-request-body')
      .getByText('expires_in_days')
      .waitFor()
    await page.locator('.opblock.is-open tr[data-code="201"]').getByText('secret_redacted').waitFor()
    // Of many only what is in view is drawn, so the dialects are asked for one by one.
    for (const [tag, count] of await dialects()) {
      await page.locator('.operation-filter-input').fill(tag)
      await expect.poll(() => page.locator('.opblock').count(), { timeout: 30_000 }).toBe(count)
    }
    expect([...hosts].filter((host) => host !== '' && host !== new URL(running.url).host)).toEqual([])
    expect(complaints).toEqual([])
  }, 120_000)

  it(`${verifies('enkrypt:docs:pages:served')} /redoc shows the operations under their headings, and asks no other host`, async () => {
    const { page, hosts, complaints } = await open('/redoc')
    await page.getByText('Dialects', { exact: true }).first().waitFor()
    await page.getByRole('menuitem', { name: 'tokens', exact: true }).first().click()
    await page.getByText('Create a token').first().waitFor()
    await page.getByRole('heading', { name: 'Create a token' }).first().waitFor()
    expect([...hosts].filter((host) => host !== '' && host !== new URL(running.url).host)).toEqual([])
    expect(complaints).toEqual([])
  }, 120_000)
})
