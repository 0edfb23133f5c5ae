import type { IncomingMessage } from 'node:http'
import type { Caller } from '../../core/context.ts'
import type { AnyOperation } from '../../core/operation.ts'
import type { HttpFace } from '../../http/types.ts'

/** An endpoint of OAuth: a form in, JSON or nothing out. */
export interface Endpoint {
  path: string
  operation: AnyOperation
  /** The body of a success; undefined = none. */
  run(face: HttpFace, request: IncomingMessage, caller: Caller): Promise<object | undefined>
}
