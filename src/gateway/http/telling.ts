import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import type { UpstreamFault } from '../conduit.ts'
import { exchange } from './exchange.ts'
import { isRepeatable, type Line, posted } from './line.ts'
import { faultOfStatus } from './refusal.ts'
import { refusalSink, unread } from './sinks.ts'

/** Posts a message that gets no answer; resolves once the upstream has accepted it. */
export function tell(line: Line, message: JSONRPCMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    const { running, session } = line
    const body = JSON.stringify(message)
    const key = {}
    let refused: UpstreamFault | undefined
    let done = false
    const abort = exchange(
      line.site,
      {
        method: 'POST',
        headers: posted(session, body),
        body,
        silenceMs: line.timeoutMs,
        repeatable: isRepeatable(message),
      },
      {
        head(response) {
          const status = response.statusCode ?? 0
          if (status >= 200 && status < 300) {
            resolve()
            return unread()
          }
          return refusalSink((text) => {
            refused = faultOfStatus(status)
            line.ended(status, text)
          })
        },
        over(fault) {
          done = true
          running.delete(key)
          const wrong = fault ?? refused
          wrong === undefined ? resolve() : reject(wrong)
        },
      },
    )
    if (done) return
    running.set(key, () => {
      abort()
      reject(line.over())
    })
  })
}
