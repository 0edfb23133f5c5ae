import type { IncomingMessage } from 'node:http'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { UpstreamFault } from '../conduit.ts'

const sessionId = /^[\x21-\x7e]{1,1024}$/
const versionText = /^[\x21-\x7e]{1,64}$/

/** What a conversation has agreed on, and has to say with each request from then on. */
export interface Session {
  /** Takes the session id from the head of the answer to `initialize`. */
  begin(response: IncomingMessage): void
  /** Takes the protocol version from that answer itself. */
  agree(answer: JSONRPCMessage): void
  /** The headers that say both, as flat pairs. */
  headers(): readonly string[]
  /** Whether the upstream gave out an id. */
  held(): boolean
}

/** Makes the memory of a conversation that has not begun. */
export function makeSession(): Session {
  let id: string | undefined
  let version: string | undefined
  let headers: string[] = []
  const say = () => {
    headers = [
      ...(id === undefined ? [] : ['mcp-session-id', id]),
      ...(version === undefined ? [] : ['mcp-protocol-version', version]),
    ]
  }
  return {
    begin(response) {
      const given = response.headers['mcp-session-id']
      if (given === undefined) return
      if (typeof given !== 'string' || !sessionId.test(given))
        throw new UpstreamFault('garbage', 'It gave out a session id that no header may hold.')
      id = given
      say()
    },
    agree(answer) {
      const agreed = 'result' in answer ? answer.result['protocolVersion'] : undefined
      if (typeof agreed !== 'string' || !versionText.test(agreed)) return
      version = agreed
      say()
    },
    headers: () => headers,
    held: () => id !== undefined,
  }
}
