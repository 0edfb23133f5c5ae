import { z } from 'zod'
import { tools } from '../../../tools/index.ts'
import { exactName } from '../../core/fields.ts'
import { type Route, to } from '../route.ts'
import { searchOf, statesOf } from './groups.ts'
import { listOf, pageOf, server, serverOf } from './objects.ts'
import { placeOf, serverQuery, someOf } from './query.ts'
import { readers, texts, textsOf } from './tokens.ts'

const body = z.object({ name: exactName.optional(), ...texts })

/** Routes 15 to 19; `base` is the address people reach this server at. */
export function serverRoutes(base: () => string): Route[] {
  const one = {
    answer: server,
    output: ({ server }: { server: Parameters<typeof serverOf>[0] }) => serverOf(server, base()),
  }
  return [
    to('GET /magic-mcp-servers', tools.list_servers, {
      permission: readers,
      query: serverQuery,
      input: ({ query }) => {
        const group_ids = someOf(query.magic_mcp_group_id)
        return {
          ...placeOf(query),
          states: statesOf(query.status),
          ...searchOf(query.search),
          ...(group_ids === undefined ? {} : { group_ids }),
        }
      },
      answer: pageOf(server),
      output: ({ servers, ...flags }) =>
        listOf(
          servers.map((view) => serverOf(view, base())),
          flags,
        ),
    }),
    to('POST /magic-mcp-servers', tools.create_server, {
      body,
      input: ({ body }) => textsOf(body),
      ...one,
    }),
    to('GET /magic-mcp-servers/:server_id', tools.get_server, { permission: readers, ...one }),
    to('PATCH /magic-mcp-servers/:server_id', tools.update_server, {
      body,
      input: ({ params, body }) => ({ ...params, ...textsOf(body) }),
      ...one,
    }),
    to('DELETE /magic-mcp-servers/:server_id', tools.delete_server, one),
  ]
}
