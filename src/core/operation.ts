import type { z } from 'zod'
import type { Actor } from './actor.ts'
import type { Context } from './context.ts'
import type { Permission } from './permissions.ts'

/** What running it does to the world: decides MCP hints, default HTTP status, CLI confirmation and audit. */
export type Effect = 'read' | 'create' | 'change' | 'destroy'

export type Face = 'mcp' | 'rest' | 'cli'

type Shape = z.ZodObject

/** One use-case of the product: everything a face needs to offer it and `invoke` needs to run it. */
export interface Operation<I extends Shape = Shape, O extends Shape = Shape, P = unknown> {
  name: string
  title: string
  description: string
  input: I
  output: O
  /** The part of the output a model is shown; absent = all of it. */
  short?: Shape
  permission: Permission
  effect: Effect
  /** Where it is offered; absent = everywhere. */
  faces?: readonly Face[]
  /** Takes an `idempotency_key`; a repeat within 10 minutes gets the identical answer (security R47). */
  retryable?: boolean
  /** The same arguments twice change nothing the second time (an MCP hint). */
  idempotent?: boolean
  /** The id of the thing acted on, for the audit row; the output is absent when the call was denied. */
  target?(input: z.output<I>, output?: z.input<O>): string | undefined
  /** Allows a caller without the permission to act on itself. */
  permitsSelf?(actor: Actor, input: z.output<I>): boolean
  /** Before the transaction: hash a password, make a secret, read the version a change compares. */
  prepare?(ctx: Context, input: z.output<I>): Promise<P>
  /** Inside the transaction (reads: on the read connection); database work only. */
  run(ctx: Context, input: z.output<I>, prepared: P): Promise<z.input<O>>
  /** After the commit: write a file, make a link's page reachable. */
  deliver?(ctx: Context, output: z.input<O>, input: z.output<I>): Promise<z.input<O>>
}

/** Declares an operation; exists so that its parts infer each other's types. */
export function operation<I extends Shape, O extends Shape, P = undefined>(
  definition: Operation<I, O, P>,
): Operation<I, O, P> {
  return definition
}

/** An operation whatever its shapes: what lists, faces and `invoke` handle. */
// biome-ignore lint/suspicious/noExplicitAny: the prepared value is private to one operation
export type AnyOperation = Operation<any, any, any>
