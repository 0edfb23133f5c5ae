import { Hono } from 'hono'
import { may } from '../core/actor.ts'
import { AppError } from '../core/errors.ts'
import { callerOf } from './caller.ts'
import type { HttpEnv, HttpFace } from './types.ts'

/** `/health`, `/ready` and `/metrics`; the first two tell everybody one word, the last needs system:read. */
export function healthRoutes(face: HttpFace): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  app.get('/health', (c) => c.json({ status: 'ok' }))
  app.get('/ready', async (c) => {
    try {
      await face.core.store.ping()
      return c.json({ status: 'ok' })
    } catch {
      return c.json({ status: 'unavailable' }, 503, { 'retry-after': '5' })
    }
  })
  app.get('/metrics', async (c) => {
    if (!face.metricsPublic) await requireSystemRead(c)
    const { type, body } = await face.metrics.text()
    return c.body(body, 200, { 'content-type': type })
  })
  return app

  async function requireSystemRead(c: Parameters<typeof callerOf>[0]): Promise<void> {
    const { actor } = await callerOf(c, face, 'v1')
    if (may(actor, 'system:read')) return
    throw new AppError('forbidden', 'This credential may not read the metrics; it needs system:read.', {
      entity: 'system:read',
    })
  }
}
