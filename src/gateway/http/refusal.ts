import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { UpstreamFault } from '../conduit.ts'
import { readMessages } from '../reading.ts'

/** What an answer that is no success means for the request it answers. */
export function faultOfStatus(status: number): UpstreamFault {
  if (status === 401 || status === 403)
    return new UpstreamFault('unauthorized', `It answered ${status} to the credentials stored for it.`)
  if (status >= 300 && status < 400)
    return new UpstreamFault('refused', `It answered ${status}, and redirects are not followed.`)
  return new UpstreamFault('refused', `It answered ${status}.`)
}

/** The JSON-RPC messages a refusal says, if it says any. */
export function refusalMessages(status: number, text: string): JSONRPCMessage[] {
  if (status === 401 || status === 403 || status < 400) return []
  const messages = readMessages(Buffer.from(text)) ?? []
  return messages === 'too_large' ? [] : (messages as JSONRPCMessage[])
}

/**
 * Whether a refusal within a session says that there is no such session (any more): 404 by the protocol, and 400 with
 * this error by servers that follow the example of the SDK.
 */
export function endsSession(status: number, text: string): boolean {
  if (status === 404) return true
  return status === 400 && /"code":\s*-32000\b/.test(text) && /session/i.test(text)
}
