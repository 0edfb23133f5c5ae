import type { IncomingMessage } from 'node:http'
import { AppError } from '../core/errors.ts'
import { headerValues } from './bearer.ts'

/** The input with the header Idempotency-Key as its member idempotency_key (security R47). */
export function withIdempotencyKey(request: IncomingMessage, input: unknown): unknown {
  const [key, ...more] = headerValues(request, 'idempotency-key')
  if (key === undefined) return input
  const members = input ?? {}
  if (typeof members !== 'object' || Array.isArray(members)) return input
  const member = 'idempotency_key' in members ? members.idempotency_key : key
  if (more.length === 0 && member === key) return { ...members, idempotency_key: key }
  throw new AppError(
    'invalid_input',
    'idempotency_key: the header and the member name different keys. Send one of them.',
    {
      field: 'idempotency_key',
      issues: [{ path: ['idempotency_key'], code: 'choice', message: 'must be sent once' }],
    },
  )
}
