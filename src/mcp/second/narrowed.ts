import type { Caller } from '../../core/context.ts'
import { objectIn, type RpcRequest } from '../../http/messages.ts'
import type { Surface } from '../surface.ts'

/** A subscription without what the caller may not see; what is left out is not acknowledged. */
export async function narrowed(surface: Surface, caller: Caller, request: RpcRequest) {
  const { params = {} } = request
  const notifications = objectIn(params, 'notifications')
  const asked = notifications['resourceSubscriptions']
  const texts = Array.isArray(asked) ? asked.filter((uri) => typeof uri === 'string') : []
  const uris = texts.length === 0 ? [] : ((await surface.watchable?.(caller, texts)) ?? [])
  const kept = { ...notifications, ...(Array.isArray(asked) && { resourceSubscriptions: uris }) }
  const message = {
    ...request,
    params: { ...params, ...('notifications' in params && { notifications: kept }) },
  }
  return { uris, message }
}
