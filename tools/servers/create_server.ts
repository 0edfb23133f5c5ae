import { z } from 'zod'
import * as servers from '../../db/servers.ts'
import { description, exactTexts, metadata, metadataText, name } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { freeSlug } from '../../src/core/server-slugs.ts'
import { serverView, showServer } from '../../src/core/views/server.ts'

export const create_server = operation({
  name: 'create_server',
  title: 'Create an MCP server',
  description:
    'Registers an MCP server that tokens can be given access to, and makes its slug from the name. The gateway opens it once set_server_upstream, which is for admins, says what it runs or calls. Give it to tokens with access.servers in create_token or update_token, or put it into a group with add_group_servers.',
  input: z.strictObject({
    name: name
      .nullable()
      .optional()
      .describe('Name of the server, such as "Weather"; its slug is made from it.'),
    description: description.nullable().optional().describe('Longer note for people.'),
    metadata: metadata.optional(),
  }),
  output: z.object({ server: serverView }),
  dialect: { input: exactTexts },
  permission: 'servers:write',
  effect: 'create',
  target: (_, done) => done?.server.id,
  async run(ctx, input) {
    refuseBound(ctx)
    const row = await servers.insert(ctx.db, {
      id: ctx.newId('server'),
      slug: await freeSlug(ctx, input.name ?? null),
      name: input.name ?? null,
      description: input.description ?? null,
      metadata: metadataText(input) ?? '{}',
      args: '[]',
      tools: '{}',
      input_guardrails: '{}',
      output_guardrails: '{}',
      created_at: ctx.now,
      updated_at: ctx.now,
    })
    ctx.note({ name: row.name, slug: row.slug })
    return { server: showServer(row) }
  },
})
