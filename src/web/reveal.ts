import { createHash } from 'node:crypto'
import { Hono } from 'hono'
import { operations } from '../../tools/index.ts'
import { AppError } from '../core/errors.ts'
import { invoke } from '../core/invoke.ts'
import { readJson } from '../http/body.ts'
import type { HttpEnv, HttpFace } from '../http/types.ts'
import { revealPage, revealScript, revealStyle } from './reveal-page.ts'

const sourceOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

const headers = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'content-security-policy': [
    "default-src 'none'",
    `script-src ${sourceOf(revealScript)}`,
    `style-src ${sourceOf(revealStyle)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
}

const mostBytes = 4_096

/**
 * The one-time page (security R7): GET shows a button and changes nothing, so that a link preview cannot burn the
 * link; only POST with the code, which the page keeps out of every URL, redeems it.
 */
export function revealRoutes({ core }: Pick<HttpFace, 'core' | 'log'>): Hono<HttpEnv> {
  const redeem = operations.find(({ name }) => name === 'redeem_link')
  if (redeem === undefined) throw new Error('the operation redeem_link is missing')
  const app = new Hono<HttpEnv>()
  app.get('/reveal', (c) => c.body(revealPage, 200, headers))
  app.post('/reveal', async (c) => {
    const caller = {
      actor: { kind: 'nobody' as const },
      via: 'web' as const,
      ip: c.get('ip'),
      client: null,
      request_id: c.get('requestId'),
    }
    const opened = await invoke(core, caller, redeem, await readJson(c, mostBytes))
    return c.json(opened, 200, { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
  })
  app.all('/reveal', () => {
    throw new AppError('unsupported', 'The page is opened with GET, and its button sends POST.', {
      reason: 'method',
    })
  })
  return app
}
