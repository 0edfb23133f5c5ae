import type { AuthInfo, ServerContext } from '@modelcontextprotocol/server'
import type { Caller } from '../../core/context.ts'

/** The caller beside a request, for the SDK to carry; the credential itself stays behind. */
export function authInfo(caller: Caller): AuthInfo {
  return { token: '', clientId: '', scopes: [], extra: { caller } }
}

/** The caller of a request that came over HTTP. */
export function callerIn({ http }: ServerContext): Caller {
  return http?.authInfo?.extra?.['caller'] as Caller
}
