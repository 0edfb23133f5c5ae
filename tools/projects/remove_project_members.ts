import { z } from 'zod'
import * as projects from '../../db/projects.ts'
import { id } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { findProject, touchProject } from '../../src/core/project-state.ts'
import { revoked, revokeTokens } from '../../src/core/revoke-all.ts'

export const remove_project_members = operation({
  name: 'remove_project_members',
  title: 'Remove all members of a project',
  description:
    "Ends every membership of a project and revokes the tokens that its members have in it, at once and for good. The members' other tokens stay, and so do tokens of the project that belong to nobody. Use remove_project_member for a single one and delete_project to end the project too.",
  input: z.strictObject({ project_id: id('project', 'Project to empty') }),
  output: z.object({
    project: z.object({ id: z.string(), name: z.string() }),
    removed: z.int().describe('How many memberships ended.'),
    ...revoked,
  }),
  permission: 'projects:write',
  effect: 'destroy',
  idempotent: true,
  target: (input, done) => done?.project.id ?? input.project_id,
  async run(ctx, { project_id }) {
    const project = await findProject(ctx, project_id)
    const counts = await revokeTokens(ctx, { project_id: project.id, of_members: true })
    const removed = await projects.removeMembers(ctx.db, project.id)
    if (removed > 0) await touchProject(ctx, project)
    ctx.note({ removed, ...counts })
    return { project: { id: project.id, name: project.name }, removed, ...counts }
  },
})
