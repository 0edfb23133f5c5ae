import { z } from 'zod'
import * as audit from '../../db/audit.ts'
import { AppError } from '../../src/core/errors.ts'
import { cursor, limit, time } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { cut, decode } from '../../src/core/paging.ts'
import { isoTime } from '../../src/core/views/named.ts'

const event = z.object({
  seq: z.int(),
  at: isoTime,
  actor: z.object({
    kind: z.string(),
    id: z.string().nullable(),
    name: z.string().nullable(),
    role: z.string().nullable(),
  }),
  via: z.string(),
  ip: z.string().nullable(),
  client: z
    .object({ name: z.string(), version: z.string().nullable() })
    .nullable()
    .describe('As it calls itself.'),
  request_id: z.string(),
  action: z.string(),
  target_id: z.string().nullable(),
  outcome: z.enum(['ok', 'denied']),
  details: z.record(z.string(), z.unknown()),
})

export const list_audit_events = operation({
  name: 'list_audit_events',
  title: 'List audit events',
  description:
    'Lists who did what to which token, group, server, project, user or key, newest first, denied attempts included; never a secret. Filter by the id acted on to see the story of one token; get_token shows what it is now. The trail is append-only and hash-chained; "tokenwright audit verify" proves it whole.',
  input: z.strictObject({
    target_id: z.string().min(1).max(200).optional().describe('Only events on this id.'),
    actor_id: z.string().min(1).max(200).optional().describe('Only events by this key, token or OS user.'),
    action: z.string().min(1).max(100).optional().describe('Only this operation, such as rotate_token.'),
    outcome: z.enum(['ok', 'denied']).optional().describe('Only carried out, or only denied.'),
    since: time.optional().describe('Only from this time on (ISO 8601).'),
    until: time.optional().describe('Only before this time (ISO 8601).'),
    limit,
    cursor: cursor.optional(),
  }),
  output: z.object({ events: z.array(event), next_cursor: z.string().nullable() }),
  permission: 'audit:read',
  effect: 'read',
  async run(ctx, input) {
    // The trail is of the whole instance; what a project's own key may see of it is not told apart.
    if (ctx.scope.project_id !== undefined) {
      throw new AppError('forbidden', 'A key bound to a project may not read the trail of the instance.')
    }
    const before = input.cursor === undefined ? undefined : seqOf(decode(input.cursor))
    const found = await audit.list(ctx.db, input, { limit: input.limit + 1, before })
    const { rows, next_cursor } = cut(found, input, (row) => String(row.seq))
    return { events: rows.map(show), next_cursor }
  },
})

function seqOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new AppError('invalid_input', 'cursor: must be the next_cursor of the page before.', {
    field: 'cursor',
  })
}

function show(row: Awaited<ReturnType<typeof audit.list>>[number]): z.input<typeof event> {
  const { actor_kind, actor_id, actor_name, role, client_name, client_version, details, ...rest } = row
  return {
    ...rest,
    actor: { kind: actor_kind, id: actor_id, name: actor_name, role },
    client: client_name === null ? null : { name: client_name, version: client_version },
    details: JSON.parse(details),
  }
}
