import type { Caller } from '../core/context.ts'
import type { RequestId } from '../http/messages.ts'

/** An object of JSON. */
export type Json = Record<string, unknown>

/** What a client says it can do, as both eras spell it. */
export interface ClientAbilities {
  elicitation?: { form?: object; url?: object }
  sampling?: object
  roots?: object
}

/** A request of ours that the client answers, or the person behind it. */
export interface Ask {
  method: 'elicitation/create' | 'sampling/createMessage' | 'roots/list'
  params: Json
}

/** One request as its handler sees it, whatever the era of the protocol. */
export interface Turn {
  id: RequestId
  method: string
  params: Json
  caller: Caller
  abilities: ClientAbilities
  /** The same each time a call that was given back comes again, and never that of another call. */
  nonce: string
  /** The call was given up. */
  signal: AbortSignal
  /** Tells the client something that belongs to this request; lost where it reads no streams. */
  notify(method: string, params: Json): void
  /**
   * The client's answers by the keys of the questions; undefined where it cannot be asked. In the second era the call is
   * given back and comes again with the answers, so nothing may be changed before the last question.
   */
  ask: ((asks: Record<string, Ask>) => Promise<Record<string, Json>>) | undefined
  /** Addresses of resources whose changes the session is told; undefined without a session. */
  subscriptions: Set<string> | undefined
}

export interface Icon {
  src: string
  mimeType?: string
  sizes?: string[]
}

/** What an MCP server offers; plain data and functions, of no era and of no SDK. */
export interface Surface {
  info: { name: string; title: string; version: string; websiteUrl?: string; icons?: Icon[] }
  instructions?: string
  capabilities: {
    tools?: { listChanged?: boolean }
    resources?: { subscribe?: boolean; listChanged?: boolean }
    prompts?: { listChanged?: boolean }
    completions?: Record<string, never>
    logging?: Record<string, never>
  }
  /** The key that seals what a call that is given back brings along the next time, 32 bytes. */
  stateKey(): Promise<Buffer>
  /** The methods it answers; each throws `protocolError` for parameters that are none. */
  methods: ReadonlyMap<string, Method>
  /**
   * Tells of changes to resources, for as long as the caller may see them; answers how to stop. `wants` = whether the
   * client asked to be told of that address, `any` = whether of any; absent = it did.
   */
  watch?(
    caller: () => Caller,
    wants: (uri: string) => boolean,
    tell: (uri: string) => void,
    any?: () => boolean,
  ): () => void
  /** The addresses among these that the caller may be told the changes of. */
  watchable?(caller: Caller, uris: readonly string[]): Promise<string[]>
}

/** A method of the protocol on its own. */
export type Method = (turn: Turn) => Promise<Json> | Json
