import { z } from 'zod'
import type { ServerRow } from '../../../db/schema.ts'
import { shared } from '../fields.ts'
import { exactObject, isoTime } from './named.ts'

/** A server as every face may show it: of what it runs or calls just which of the two it is. */
export const serverView = z.object({
  id: z.string(),
  slug: z.string().describe('Unique and never changed; its address is /servers/{slug}/mcp.'),
  name: z.string().nullable(),
  description: z.string().nullable(),
  metadata: exactObject,
  status: z.enum(['active', 'deleted']),
  config_id: z.string().nullable(),
  runs: z
    .enum(['program', 'address'])
    .nullable()
    .describe('What the gateway opens for it; null = nothing was set yet.'),
  created_at: isoTime,
  updated_at: isoTime,
  deleted_at: isoTime.nullable(),
})

shared.add(serverView, { id: 'Server' })

/** Shows a row. */
export function showServer(row: ServerRow) {
  return {
    ...row,
    metadata: JSON.parse(row.metadata) as Record<string, unknown>,
    status: row.deleted_at === null ? ('active' as const) : ('deleted' as const),
    runs: runsOf(row),
  }
}

function runsOf({ command, url, deleted_at }: ServerRow): 'program' | 'address' | null {
  if (deleted_at !== null) return null
  if (command !== null) return 'program'
  return url === null ? null : 'address'
}
