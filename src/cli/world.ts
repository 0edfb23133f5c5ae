import type { AnyOperation } from '../core/operation.ts'

/** The terminal or the pipes a command runs on. */
export interface Terminal {
  stdin: NodeJS.ReadStream
  stdout: NodeJS.WriteStream
  stderr: NodeJS.WriteStream
  /** Headings may be bold. */
  styled: boolean
}

/** The values of a command's own flags, by the names commander gives them. */
export type Given = Record<string, unknown>

/** A flag that configures the process; the composition root has the list. */
export interface ProcessFlag {
  name: string
  flag: string | null
  kind: 'text' | 'list' | 'switch'
  modes: readonly string[]
  default: string
  description: string
}

/** Somewhere operations can be run: the store itself, or a server. */
export interface Session {
  /** With a secret: as whoever holds it. */
  call(operation: AnyOperation, input: object, secret?: string): Promise<unknown>
  /** The server behind it; null = the store itself. */
  address: string | null
  close(): Promise<void>
}

/** What to put into a client's configuration to start this program. */
export interface Launch {
  command: string
  args: readonly string[]
  /** Environment variables it cannot be started without; their values are never printed. */
  needs?: readonly string[]
}

/** What the composition root lends to the command line. Flags are passed on by setting name. */
export interface World {
  version: string
  terminal: Terminal
  processFlags: readonly ProcessFlag[]
  connect(flags: Given): Promise<Session>
  serve(flags: Given): Promise<void>
  stdio(flags: Given): Promise<void>
  /** What a program we start gets of our environment. */
  inherited(): Record<string, string>
  /** The password the environment holds. */
  password(flags: Given): string | undefined
  /** How this program is started with the same data folder; `address` is that of the MCP endpoint. */
  launch(flags: Given): Launch & { address: string }
}
