import { rateHeaders } from '../http/rate-headers.ts'
import type { Visit } from './gate.ts'

/** Whether the client reads streams. */
export function wantsStream({ request }: Visit): boolean {
  return request.headers.accept?.includes('text/event-stream') === true
}

/** What every answer to this visit carries. */
export function headersOf({ limit }: Visit, sessionId?: string): Record<string, string> {
  return {
    ...(limit === undefined ? {} : rateHeaders(limit)),
    ...(sessionId === undefined ? {} : { 'mcp-session-id': sessionId }),
  }
}
