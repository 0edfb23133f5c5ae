import { z } from 'zod'
import { tools } from '../../../tools/index.ts'
import { AppError } from '../../core/errors.ts'
import { exactName } from '../../core/fields.ts'
import { type Route, to } from '../route.ts'
import { group, groupOf, listOf, pageOf } from './objects.ts'
import { groupQuery, placeOf } from './query.ts'
import { ids, readers, texts, textsOf, writers } from './tokens.ts'

const one = { answer: group, output: ({ group }: { group: Parameters<typeof groupOf>[0] }) => groupOf(group) }
const serverIds = z.object({ magic_mcp_server_ids: ids })

/** The states a query asks for; `archived` is none of ours and matches nothing. */
export function statesOf(asked: readonly ('active' | 'archived' | 'deleted')[] | undefined) {
  return (asked ?? ['active']).filter((state) => state !== 'archived')
}

/** A text to look for, where there is one. */
export function searchOf(text: string | undefined) {
  return text === undefined || text === '' ? {} : { text }
}

/** A deleted server in a list of members is a state, a deleted group is gone (metorial:groups:add-servers:unknown). */
function ofServers(error: AppError): AppError {
  const { code, message, entity = '', id = '' } = error
  if (code !== 'gone' || entity !== 'server') return error
  return new AppError('conflict', message, { entity, id, reason: 'deleted' })
}

/** Routes 9 to 14. */
export const groupRoutes: Route[] = [
  to('GET /magic-mcp-groups', tools.list_groups, {
    permission: readers,
    query: groupQuery,
    input: ({ query }) => ({
      ...placeOf(query),
      states: statesOf(query.status),
      ...searchOf(query.search),
    }),
    answer: pageOf(group),
    output: ({ groups, ...flags }) => listOf(groups.map(groupOf), flags),
  }),
  to('POST /magic-mcp-groups', tools.create_group, {
    permission: writers,
    body: z.object({ name: exactName, ...texts }),
    input: ({ body }) => ({ ...textsOf(body), name: body.name }),
    ...one,
  }),
  to('GET /magic-mcp-groups/:group_id', tools.get_group, { permission: readers, ...one }),
  to('PATCH /magic-mcp-groups/:group_id', tools.update_group, {
    permission: writers,
    body: z.object({ name: exactName.optional(), ...texts }),
    input: ({ params, body }) => ({ ...params, ...textsOf(body) }),
    ...one,
  }),
  to('DELETE /magic-mcp-groups/:group_id', tools.delete_group, { permission: writers, ...one }),
  to('POST /magic-mcp-groups/:group_id/add-servers', tools.add_group_servers, {
    permission: writers,
    body: serverIds,
    input: ({ params, body }) => ({ ...params, server_ids: body.magic_mcp_server_ids }),
    ...one,
    error: ofServers,
  }),
  to('POST /magic-mcp-groups/:group_id/remove-servers', tools.remove_group_servers, {
    permission: writers,
    body: serverIds,
    input: ({ params, body }) => ({ ...params, server_ids: body.magic_mcp_server_ids }),
    ...one,
  }),
]
