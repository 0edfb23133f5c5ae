import type { Context } from './context.ts'
import { findProject } from './project-state.ts'
import { existingMembers } from './token-state.ts'
import { findUser } from './user-state.ts'

interface Named {
  group_id?: string | undefined
  server_id?: string | undefined
  owner_id?: string | undefined
  project_id?: string | undefined
}

/** Refuses a filter by something that is not there: whoever changes many tokens means one that is. */
export async function requireExisting(ctx: Context, named: Named): Promise<void> {
  const { group_id, server_id, owner_id, project_id } = named
  await existingMembers(ctx, {
    groups: group_id === undefined ? [] : [group_id],
    servers: server_id === undefined ? [] : [server_id],
  })
  if (owner_id !== undefined) await findUser(ctx, owner_id)
  if (project_id !== undefined) await findProject(ctx, project_id)
}
