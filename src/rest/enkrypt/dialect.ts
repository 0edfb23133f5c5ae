import type { AnyOperation } from '../../core/operation.ts'
import type { Dialect } from '../dialect.ts'
import type { Route } from '../route.ts'
import { empty } from './bodies.ts'
import { configRoutes } from './configs.ts'
import { keyRoutes } from './keys.ts'
import { projectRoutes } from './projects.ts'
import { serverRoutes } from './servers.ts'
import { systemRoutes } from './system.ts'
import { userRoutes } from './users.ts'
import { ofUserKey, refusal, word } from './words.ts'

const routes: Route[] = [
  ...configRoutes,
  ...serverRoutes,
  ...projectRoutes,
  ...userRoutes,
  ...keyRoutes,
  ...systemRoutes,
]

/** The REST API of the Enkrypt Secure MCP Gateway, for its clients as they are (docs/contracts/enkrypt.md). */
export const enkrypt: Dialect = {
  via: 'enkrypt',
  title: 'Enkrypt secure MCP gateway',
  owns: (path) => path === '/api/v1' || path.startsWith('/api/v1/'),
  routes: routes.map((route) => ({
    ...route,
    operation: byPermission(route.operation),
    // A body is never passed over: a misspelt option should be seen (enkrypt:wire:body:unknown-fields).
    body: route.body ?? (route.method === 'GET' ? undefined : empty),
    names: { idempotency_key: 'Idempotency-Key', ...route.names },
    error: (error, actor) => ofUserKey(route.error(error, actor), actor),
  })),
  word,
  refusal,
}

/** Nobody acts here by being the token itself: a user key is 403 on keys, its own included, and a predecessor 401. */
function byPermission({ permitsSelf: _, ...operation }: AnyOperation): AnyOperation {
  return operation
}
