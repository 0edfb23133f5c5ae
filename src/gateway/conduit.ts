import type { JSONRPCMessage, RequestId } from '@modelcontextprotocol/sdk/types.js'

/** What went wrong with an upstream, as the caller is told it; the log has the rest. */
export type UpstreamProblem =
  /** The server says neither what it runs nor where it is. */
  | 'not_configured'
  /** It is a program, and this process was started without --allow-commands. */
  | 'commands_off'
  /** Its address is not one this process may ask (security R36). */
  | 'fenced'
  | 'unreachable'
  | 'timeout'
  /** The program ended, or does not start; or a connection broke off when what was asked may have been done. */
  | 'crashed'
  /** What it said is no MCP. */
  | 'garbage'
  | 'too_large'
  /** It does not accept the credentials stored for it. */
  | 'unauthorized'
  /** It answered with another HTTP status than the protocol knows. */
  | 'refused'
  /** It has ended its session. */
  | 'session_ended'
  /** All places for programs are taken. */
  | 'busy'

/** An upstream could not do its part; the message is for the log and never holds a value of `env` or of a header. */
export class UpstreamFault extends Error {
  readonly problem: UpstreamProblem

  constructor(problem: UpstreamProblem, message: string) {
    super(message)
    this.name = 'UpstreamFault'
    this.problem = problem
  }
}

/** Who listens to an upstream. */
export interface Hears {
  /** A message came; `within` is the request whose own answer stream carried it, where the transport tells. */
  message(message: JSONRPCMessage, within?: RequestId): void
  /** This one request will get no answer; the conversation goes on. */
  failed(id: RequestId, fault: UpstreamFault): void
  /** The conversation is over, and nothing more comes; told once, and not after `close`. */
  closed(fault: UpstreamFault): void
}

/** One conversation with an upstream server, message by message; it changes nothing in them. */
export interface Conduit {
  /** Hands a message over; rejects with `UpstreamFault`. The answer to a request comes by `Hears`. */
  send(message: JSONRPCMessage): Promise<void>
  /** Asks for the messages that belong to no request, where the transport has a stream of its own for them. */
  listen(): void
  /** Ends the conversation and lets go of everything; never rejects. */
  close(): Promise<void>
}

/** Opens a conversation; rejects with `UpstreamFault`. The first message sent is `initialize`. */
export type OpenConduit = (hears: Hears) => Promise<Conduit>
