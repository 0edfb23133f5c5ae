import { z } from 'zod'
import * as servers from '../../db/servers.ts'
import { idOrName } from '../../src/core/fields.ts'
import { idsOnly, single } from '../../src/core/found.ts'
import { operation } from '../../src/core/operation.ts'
import { serverView, showServer } from '../../src/core/views/server.ts'

export const get_server = operation({
  name: 'get_server',
  title: 'Get an MCP server',
  description:
    'Shows one MCP server: name, slug, description, metadata, and in runs whether the gateway starts a program or calls an address for it, not which. Takes an id, a slug or an exact name; a deleted server is found by its id alone. Use list_servers to search, and list_magic_tokens with server_id to see which tokens reach it.',
  input: z.strictObject({ server_id: idOrName('server', 'Server') }),
  output: z.object({ server: serverView }),
  permission: 'servers:read',
  effect: 'read',
  target: (input) => input.server_id,
  async run(ctx, { server_id: id }) {
    const byId = await servers.find(ctx.db, ctx.scope, id)
    const found = byId ? [byId] : idsOnly(ctx) ? [] : await servers.findNamed(ctx.db, ctx.scope, id)
    return {
      server: showServer(single(found, { entity: 'server', id, next: 'list_servers shows the ids.' })),
    }
  },
})
