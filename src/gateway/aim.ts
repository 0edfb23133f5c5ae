import { objectIn, type RpcAnswer, type RpcRequest } from '../http/messages.ts'
import { rpc } from '../http/rpc.ts'
import { failure, unknownMethod } from './faults.ts'
import { innerName } from './naming.ts'
import { isKnown, type Subject, subjectOf } from './subjects.ts'

/** What a request is about, and at which server. */
export interface Aim {
  /** null = all in reach. */
  server: string | null
  /** null = it names nothing; undefined = a method the gateway does not know. */
  subject: Subject | null | undefined
  /** The request as that server knows it. */
  inner: RpcRequest
}

/** Whose server a request means; where all servers are one, the name in it says so. Else the answer that refuses it. */
export function aimOf(slug: string | null, message: RpcRequest): Aim | { refused: RpcAnswer } {
  const { id, method } = message
  const subject = subjectOf(message)
  if (subject === undefined && isKnown(method))
    return { refused: failure(id, rpc.params, 'Say by a text what is meant: a name or a uri.') }
  if (slug !== null) return { server: slug, subject, inner: message }
  if (subject === undefined || method.startsWith('tasks/')) return { refused: unknownMethod(id) }
  if (subject === null) return { server: null, subject, inner: message }
  const inner = innerName(subject.kind, subject.name)
  if (inner === undefined) {
    const rule = 'Names here are <server>__<name>, and URIs mcp+<server>+<uri>, as the lists show them.'
    return { refused: failure(id, rpc.params, rule) }
  }
  return {
    server: inner.slug,
    subject: { kind: subject.kind, name: inner.name },
    inner: renamed(message, subject, inner.name),
  }
}

function renamed(message: RpcRequest, { kind }: Subject, name: string): RpcRequest {
  const { method, params } = message
  const member = kind === 'resource' ? 'uri' : 'name'
  if (method !== 'completion/complete') return { ...message, params: { ...params, [member]: name } }
  return { ...message, params: { ...params, ref: { ...objectIn(params, 'ref'), [member]: name } } }
}
