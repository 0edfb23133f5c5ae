import { z } from 'zod'
import * as tokens from '../../db/tokens.ts'
import type { Context } from '../../src/core/context.ts'
import { cursor, id, limit, order, time } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { complete, cut, pageOf, windowed, windowFlags, windowOf } from '../../src/core/paging.ts'
import { findProject } from '../../src/core/project-state.ts'
import { findUser } from '../../src/core/user-state.ts'
import { paging } from '../../src/core/views/named.ts'
import { shortTokenView, tokenView } from '../../src/core/views/token.ts'
import { showWidely, widely, wideTokenView } from '../../src/core/views/wide-token.ts'

const status = z.enum(['active', 'disabled', 'expired', 'revoked'])

export const list_magic_tokens = operation({
  name: 'list_magic_tokens',
  title: 'List tokens',
  description:
    'Lists access tokens, newest first, with status, reach, expiry and last use; never secrets. Filters combine with AND; several statuses mean OR. Use expires_before to find what is due for rotation and unused_since to find what can go. Management keys are not in it; get_token shows one token whole.',
  input: z.strictObject({
    status: z.array(status).min(1).max(4).optional().describe('Only these states; leave out for all.'),
    group_id: id('group', 'Only tokens in this group').optional(),
    server_id: id('server', 'Only tokens that reach this server').optional(),
    project_id: id('project', 'Only tokens of this project').optional(),
    owner_id: id('user', 'Only tokens of this user').optional(),
    text: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('Part of the name or description; letter case is ignored.'),
    expires_before: time.optional().describe('Only tokens that end before this time (ISO 8601).'),
    unused_since: time.optional().describe('Only tokens not used since this time, or never.'),
    order,
    limit,
    cursor: cursor.optional(),
    include_total: z.boolean().default(false).describe('Count beyond 1,000 as well; slower.'),
  }),
  output: z.object({ tokens: z.array(tokenView), ...paging }),
  dialect: {
    input: z.object({
      ...complete.shape,
      ...windowed.shape,
      ...widely.shape,
      kind: z.enum(['access', 'user_key']),
      group_ids: z.array(z.string()).min(1),
      usable_on: z.array(z.string()).min(1),
    }),
    output: windowFlags.extend({ tokens: z.array(wideTokenView) }),
  },
  short: z.object({ tokens: z.array(shortTokenView), ...paging }),
  permission: 'tokens:read',
  effect: 'read',
  async run(ctx, asked) {
    const input = asked.kind === undefined ? asked : { ...asked, ...(await existing(ctx, asked)) }
    if (input.window !== undefined) return listWindow(ctx, { ...input, window: input.window })
    const found = await tokens.list(ctx.db, ctx.scope, input, pageOf(input), ctx.now)
    const { rows, next_cursor } = cut(found, input, (row) => row.id)
    const total = await tokens.count(ctx.db, ctx.scope, input, ctx.now, input.include_total)
    return { tokens: await showWidely(ctx, rows, input.show), next_cursor, total }
  },
})

/** A dialect that lists one kind names owners and projects that must be there, by e-mail and name where its contract says so. */
async function existing(ctx: Context, { owner_id, project_id }: tokens.TokenFilter) {
  return {
    ...(owner_id === undefined ? {} : { owner_id: (await findUser(ctx, owner_id)).id }),
    ...(project_id === undefined ? {} : { project_id: (await findProject(ctx, project_id)).id }),
  }
}

type Asked = Parameters<typeof windowOf>[0] & tokens.TokenFilter & Partial<z.output<typeof widely>>

async function listWindow(ctx: Context, asked: Asked) {
  const { db, scope, now } = ctx
  const { rows, ...flags } = await windowOf(asked, {
    list: (page) => tokens.list(db, scope, asked, page, now),
    exists: async (id) => (await tokens.find(db, scope, id)) !== undefined,
    matches: (id) => tokens.matches(db, scope, asked, now, id),
  })
  return { tokens: await showWidely(ctx, rows, asked.show), next_cursor: null, total: null, ...flags }
}
