import { z } from 'zod'
import type { UserRow } from '../../db/schema.ts'
import * as tokens from '../../db/tokens.ts'
import type { Context } from '../../src/core/context.ts'
import { id } from '../../src/core/fields.ts'
import { grouped } from '../../src/core/grouped.ts'
import { operation } from '../../src/core/operation.ts'
import { pageOf, whole } from '../../src/core/paging.ts'
import { findUser } from '../../src/core/user-state.ts'
import { showTokens, tokenView } from '../../src/core/views/token.ts'
import { showUser, userView } from '../../src/core/views/user.ts'

/** A user with what a dialect shows of one: the keys, and how many there are for each project. */
const withKeys = z.object({
  user: userView.extend({
    projects: z.array(
      z.object({ id: z.string(), name: z.string(), created_at: z.string(), user_key_count: z.int() }),
    ),
  }),
  user_keys: z.array(tokenView),
})

export const get_user = operation({
  name: 'get_user',
  title: 'Get a user',
  description:
    'Shows one user: e-mail, name, whether enabled, and the projects the user is a member of; never a password. Takes an id or an e-mail in any letter case. Use list_users to search, and list_magic_tokens with owner_id to see what the user owns.',
  input: z.strictObject({ user_id: id('user', 'User: its id or its e-mail') }),
  output: z.object({ user: userView }),
  dialect: { input: z.object({ with_keys: z.literal(true) }), output: withKeys },
  permission: 'users:read',
  effect: 'read',
  target: (input) => input.user_id,
  async run(ctx, { user_id, with_keys }) {
    const row = await findUser(ctx, user_id, true)
    const user = await showUser(ctx, row)
    const keys = with_keys ? await keysOf(ctx, row) : []
    const ofProject = grouped(keys, (key) => key.project_id)
    const projects = user.projects.map((one) => ({
      ...one,
      user_key_count: ofProject.get(one.id)?.length ?? 0,
    }))
    return { user: { ...user, projects }, user_keys: keys }
  },
})

/** The user's keys that are not revoked, oldest first. */
async function keysOf(ctx: Context, { id: owner_id }: UserRow) {
  const filter = { owner_id, kind: 'user_key' as const, status: alive }
  const page = pageOf({ limit: 1, order: 'asc', all: true })
  return showTokens(ctx, whole(await tokens.list(ctx.db, ctx.scope, filter, page, ctx.now)))
}

const alive = ['active', 'disabled', 'expired'] as const
