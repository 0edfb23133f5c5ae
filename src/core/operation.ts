import type { z } from 'zod'
import type { TokenRow } from '../../db/schema.ts'
import type { Actor } from './actor.ts'
import type { Context } from './context.ts'
import type { Permission } from './permissions.ts'

/** What running it does to the world: decides MCP hints, default HTTP status, CLI confirmation and audit. */
export type Effect = 'read' | 'create' | 'change' | 'destroy'

export type Face = 'mcp' | 'rest' | 'cli'

type Shape = z.ZodObject
/** The schema of no member at all. */
export type Nothing = z.ZodObject<Record<never, never>>

/** The members of a dialect's schema, each optional; of no schema nothing at all. */
export type Beside<S extends Shape, Way extends 'input' | 'output'> = keyof S['shape'] extends never
  ? unknown
  : Partial<Way extends 'input' ? z.input<S> : z.output<S>>

/** What `run` and `prepare` are given. */
export type Given<I extends Shape, F extends Shape = Nothing> = z.output<I> & Beside<F, 'output'>

/** What a dialect gets: a member of its own schema stands in the place of the operation's. */
export type Told<O extends Shape, G extends Shape> = keyof G['shape'] extends never
  ? z.output<O>
  : Omit<z.output<O>, keyof z.output<G>> &
      Pick<z.output<G>, keyof z.output<G> & keyof z.output<O>> &
      Partial<Omit<z.output<G>, keyof z.output<O>>>

/** What `run` answers. */
export type Made<O extends Shape, G extends Shape = Nothing> = z.input<O> & Beside<G, 'input'>

/** One use-case of the product: everything a face needs to offer it and `invoke` needs to run it. */
export interface Operation<
  I extends Shape = Shape,
  O extends Shape = Shape,
  P = unknown,
  F extends Shape = Nothing,
  G extends Shape = Nothing,
> {
  name: string
  title: string
  description: string
  input: I
  output: O
  /**
   * Members that only the table of a dialect gives and gets, beside those of `input` and `output` or in their place; no
   * caller of another face reaches them.
   */
  dialect?: { input?: F; output?: G }
  /** The part of the output a model is shown; absent = all of it. */
  short?: Shape
  permission: Permission
  effect: Effect
  /** Where it is offered; absent = everywhere. */
  faces?: readonly Face[]
  /** Callers sign in for this one call, with `email` and `password` in the body beside the input. */
  credential?: 'password'
  /** Takes an `idempotency_key`; a repeat within 10 minutes gets the identical answer (security R47). */
  retryable?: boolean
  /** Takes two steps, `dry_run` and `confirm`: its input and output have the members of `core/two-steps`. */
  confirms?: boolean
  /** Of an operation on many tokens: all that it would change now. Absent = the tokens are told by the ids in its input. */
  touches?(ctx: Context, input: z.output<I>): Promise<TokenRow[]>
  /** Its input may be a whole document, 16 MiB: the caller is judged before it is read (security R24). */
  large?: boolean
  /** The same arguments twice change nothing the second time (an MCP hint). */
  idempotent?: boolean
  /**
   * Refuses what members mean together and what the time alone decides, such as an end in the past: with the form of the
   * input, before the caller is judged.
   */
  check?(input: Given<I, F>, now: string): void
  /** The id of the thing acted on, for the audit row; the output is absent when the call was denied. */
  target?(input: z.output<I>, output?: Made<O, G>): string | undefined
  /** Allows a caller without the permission to act on itself. */
  permitsSelf?(actor: Actor, input: z.output<I>): boolean
  /** Refuses what the caller may not any more, before a repeat gets its answer or is told of: R47 judges anew each time. */
  admit?(ctx: Context, input: Given<I, F>): Promise<unknown>
  /** Before the transaction: hash a password, make a secret, read the version a change compares. */
  prepare?(ctx: Context, input: Given<I, F>): Promise<P>
  /** Inside the transaction (reads: on the read connection); database work only. */
  run(ctx: Context, input: Given<I, F>, prepared: P): Promise<Made<O, G>>
  /** After the commit: write a file, make a link's page reachable. */
  deliver?(ctx: Context, output: Made<O, G>, input: Given<I, F>): Promise<Made<O, G>>
}

/** Declares an operation; exists so that its parts infer each other's types. */
export function operation<
  I extends Shape,
  O extends Shape,
  P = undefined,
  F extends Shape = Nothing,
  G extends Shape = Nothing,
>(definition: Operation<I, O, P, F, G>): Operation<I, O, P, F, G> {
  return definition
}

/** An operation whatever its shapes: what lists, faces and `invoke` handle. */
// biome-ignore lint/suspicious/noExplicitAny: the prepared value is private to one operation
export type AnyOperation = Operation<any, any, any, any, any>
