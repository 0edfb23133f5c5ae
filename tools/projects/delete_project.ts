import { z } from 'zod'
import * as projects from '../../db/projects.ts'
import { id } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { findProject } from '../../src/core/project-state.ts'
import { revoked, revokeKeys, revokeTokens } from '../../src/core/revoke-all.ts'

export const delete_project = operation({
  name: 'delete_project',
  title: 'Delete a project',
  description:
    'Deletes a project for good: every token and management key bound to it is revoked at once and everywhere, and its memberships and environments end. Users, servers and their configuration stay. There is no way back; use set_token_enabled on single tokens for a pause.',
  input: z.strictObject({ project_id: id('project', 'Project to delete') }),
  output: z.object({
    project: z.object({ id: z.string(), name: z.string() }),
    ...revoked,
    revoked_keys: z.int().describe('How many management keys were revoked with it.'),
  }),
  permission: 'projects:write',
  effect: 'destroy',
  target: (input, done) => done?.project.id ?? input.project_id,
  async run(ctx, { project_id }) {
    refuseBound(ctx)
    const project = await findProject(ctx, project_id)
    const counts = await revokeTokens(ctx, { project_id: project.id })
    const revoked_keys = await revokeKeys(ctx, project.id)
    await projects.remove(ctx.db, ctx.scope, project.id, ctx.now)
    ctx.note({ name: project.name, ...counts, revoked_keys })
    return { project: { id: project.id, name: project.name }, ...counts, revoked_keys }
  },
})
