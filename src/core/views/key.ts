import { z } from 'zod'
import type { TokenRow } from '../../../db/schema.ts'
import { statusOfToken } from '../../domain/verdict.ts'
import { shared } from '../fields.ts'
import { roles } from '../permissions.ts'
import { isoTime } from './named.ts'

/** A management key, without its secret. */
export const keyView = z.object({
  id: z.string(),
  name: z.string().nullable(),
  role: z.enum(roles),
  project_id: z.string().nullable().describe('The project it is bound to; null = the whole instance.'),
  status: z.enum(['active', 'disabled', 'expired', 'revoked']),
  source: z
    .enum(['operation', 'bootstrap', 'env'])
    .describe('env = given by the environment, bootstrap = first start.'),
  prefix: z.string().describe('First 12 characters of the secret.'),
  last4: z.string(),
  allowed_ips: z.array(z.string()).nullable().describe('null = any address.'),
  expires_at: isoTime.nullable().describe('null = never.'),
  last_used_at: isoTime.nullable(),
  last_used_ip: z.string().nullable(),
  use_count: z.int(),
  created_at: isoTime,
  created_by: z.string().nullable(),
  revoked_at: isoTime.nullable(),
})

shared.add(keyView, { id: 'ManagementKey' })

/** Shows a row of kind `management`. */
export function showKey(row: TokenRow, now: string): z.input<typeof keyView> {
  // The schema of the store binds a role to the kind.
  if (row.role === null) throw new Error('not a management key')
  return {
    ...row,
    role: row.role,
    status: statusOfToken({ ...row, enabled: row.enabled === 1 }, now),
    allowed_ips: row.allowed_ips === null ? null : JSON.parse(row.allowed_ips),
  }
}
