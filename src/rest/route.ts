import type { z } from 'zod'
import type { Actor } from '../core/actor.ts'
import type { AppError } from '../core/errors.ts'
import type { AnyOperation, Beside, Operation, Told } from '../core/operation.ts'
import type { Permission } from '../core/permissions.ts'
import type { MemberNames } from './names.ts'

/** What a request to a route brings, each part parsed by the route's own schema. */
export interface Ask {
  params: Record<string, string>
  query: object
  body: object
}

/** A route of a dialect: where it is, which operation it is, and how the two are translated into each other. */
export interface Route {
  method: string
  path: string
  operation: AnyOperation
  /** Asked for beside the operation's own permission: a dialect may narrow. */
  permission: Permission | undefined
  body: z.ZodObject | undefined
  query: z.ZodObject | undefined
  /** Answers a whole list. */
  all: boolean
  input(ask: Ask): object
  names: MemberNames | undefined
  /** The shape of a success, for the documentation; `output` is typed by it. */
  answer: z.ZodType
  output(out: object): unknown
  status(out: object): number
  /** Statuses of a success, for the documentation. */
  statuses: readonly number[]
  error(error: AppError, actor: Actor): AppError
}

type Shape = z.ZodObject
type Parsed<S> = S extends z.ZodType ? z.output<S> : unknown
type Names<Line extends string> = Line extends `${string}:${infer Name}/${infer Rest}`
  ? Name | Names<`/${Rest}`>
  : Line extends `${string}:${infer Name}`
    ? Name
    : never

/** What differs between a route and its operation; what is left out is the operation's own. */
interface Differences<
  Line extends string,
  I extends Shape,
  O extends Shape,
  F extends Shape,
  G extends Shape,
  B,
  Q,
  A extends z.ZodType,
> {
  permission?: Permission
  body?: B
  query?: Q
  /** Members of the input that no caller gives. */
  fixed?: Beside<F, 'input'> & Partial<z.input<I>>
  /** The whole list, oldest first and unpaged; more than 10,000 entries are refused. */
  all?: true
  names?: MemberNames
  /** Absent = path, query and body together. */
  input?(
    ask: { params: Record<Names<Line>, string> } & { body: Parsed<B>; query: Parsed<Q> },
  ): z.input<I> & Beside<F, 'input'>
  answer: A
  output(out: Told<O, G>): z.input<A>
  /** 200 without; several are told apart by the output. */
  status?: number | ((out: Told<O, G>) => number)
  statuses?: readonly number[]
  error?(error: AppError, actor: Actor): AppError
}

/** Binds `METHOD /path/:member` to an operation; only what differs is said. */
export function to<
  Line extends string,
  I extends Shape,
  O extends Shape,
  P,
  F extends Shape,
  G extends Shape,
  A extends z.ZodType,
  B extends Shape | undefined = undefined,
  Q extends Shape | undefined = undefined,
>(line: Line, operation: Operation<I, O, P, F, G>, differs: Differences<Line, I, O, F, G, B, Q, A>): Route {
  const [method = '', path = ''] = line.split(' ')
  const { permission, body, query, fixed, all, input, answer, output, status = 200, error } = differs
  const own = { ...fixed, ...(all ? { all } : {}) }
  return {
    method,
    path,
    operation: operation as unknown as AnyOperation,
    permission,
    body,
    query,
    all: all === true,
    input: (ask) => ({
      ...(input === undefined
        ? { ...ask.params, ...ask.query, ...ask.body }
        : input(ask as unknown as Parameters<typeof input>[0])),
      ...own,
    }),
    names: differs.names,
    answer,
    output: output as Route['output'],
    status: typeof status === 'number' ? () => status : (status as Route['status']),
    statuses: differs.statuses ?? [typeof status === 'number' ? status : 200],
    error: error ?? ((refusal) => refusal),
  }
}
