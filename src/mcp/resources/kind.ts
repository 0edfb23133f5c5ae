import type { z } from 'zod'
import type { Caller } from '../../core/context.ts'
import { type Core, invoke } from '../../core/invoke.ts'
import type { AnyOperation, Operation } from '../../core/operation.ts'
import type { Icon, Json } from '../surface.ts'

type Shape = z.ZodObject

/** Runs an operation for the caller: permission, scope and views are the operation's. */
export type Run = <I extends Shape, O extends Shape, P, F extends Shape, G extends Shape>(
  operation: Operation<I, O, P, F, G>,
  input: z.input<I>,
) => Promise<z.output<O>>

/** Operations as this caller runs them. */
export function runFor(core: Core, caller: Caller): Run {
  return (operation, input) => invoke(core, caller, operation, input)
}

/** Resources of one sort: an address with an id in it, or a single address. */
export interface Kind {
  address: { uri: string } | { uriTemplate: string }
  /** For programs. */
  name: string
  title: string
  description: string
  icons: Icon[]
  annotations: Json
  /** Who may call it is shown the kind. */
  operation: AnyOperation
  /** What the address means; undefined for an address of another kind. */
  idIn(uri: string): string | undefined
  /** The contents; refuses what is unknown or out of reach. */
  read(run: Run, id: string, now: number): Promise<object>
}

/** All that is served here is JSON. */
export const mimeType = 'application/json'
