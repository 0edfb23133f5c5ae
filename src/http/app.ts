import { Hono } from 'hono'
import { routePath } from 'hono/route'
import { AppError } from '../core/errors.ts'
import { fixedHeaders, leaveBody } from './answer.ts'
import { bearerOf } from './bearer.ts'
import { nativeError } from './errors.ts'
import { factsOf } from './facts.ts'
import type { HttpEnv, HttpFace } from './types.ts'

/** The app all hono routes are mounted on: gives them their variables, and errors their one shape. */
export function rootApp({ log }: Pick<HttpFace, 'log'>): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  app.use(async (c, next) => {
    const { incoming } = c.env
    const facts = factsOf(incoming)
    c.set('requestId', facts?.requestId ?? '')
    c.set('ip', facts?.ip ?? null)
    await next()
    if (facts !== undefined) facts.route = c.res.status === 404 ? 'unknown' : routePath(c, -1)
    for (const [name, value] of Object.entries(fixedHeaders)) {
      if (!c.res.headers.has(name)) c.res.headers.set(name, value)
    }
    leaveBody(incoming)
  })
  app.notFound((c) => {
    const unknown = new AppError(
      'not_found',
      'There is nothing here. MCP is at /mcp, operations at POST /v1/<name>.',
    )
    return c.json(nativeError(unknown, c.get('requestId')).body, 404)
  })
  app.onError((error, c) => {
    const request_id = c.get('requestId')
    if (!(error instanceof AppError)) log.error({ error, request_id }, 'request failed')
    const { status, body, headers } = nativeError(error, request_id, bearerOf(c.env.incoming).sent)
    return new Response(JSON.stringify(body), {
      status,
      headers: { 'content-type': 'application/json', ...headers },
    })
  })
  return app
}
