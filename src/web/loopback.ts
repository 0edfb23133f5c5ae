import type { Core } from '../core/invoke.ts'
import { rootApp } from '../http/app.ts'
import { makeFace } from '../http/face.ts'
import { openServer } from '../http/server.ts'
import type { Logger } from '../log.ts'
import { handOverRoutes } from './hand-over.ts'
import { revealRoutes } from './reveal.ts'

/**
 * Serves the pages of secrets that wait, and nothing else, on a free port of 127.0.0.1 under the same checks as the HTTP
 * server; a stdio process opens it for its first link. It does not keep the process alive.
 */
export async function openRevealListener(
  core: Core,
  log: Logger,
): Promise<{ url: string; close(): Promise<void> }> {
  const face = makeFace({ core, log })
  const app = rootApp(face)
  app.route('/', revealRoutes(face))
  app.route('/', handOverRoutes(face))
  const server = await openServer({ host: '127.0.0.1', port: 0, face, app })
  server.unref()
  return server
}
