import { z } from 'zod'
import * as projects from '../../db/projects.ts'
import { id } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { findProject, touchProject } from '../../src/core/project-state.ts'
import { revoked, revokeTokens } from '../../src/core/revoke-all.ts'
import { projectView, shortProjectView, showProject } from '../../src/core/views/project.ts'

const facts = { ...revoked, changed: z.boolean() }
const none = { revoked_tokens: 0, revoked_user_keys: 0 }

export const remove_project_member = operation({
  name: 'remove_project_member',
  title: 'Remove a member from a project',
  description:
    "Ends a user's membership of a project and revokes the user's tokens that are bound to it, at once and for good. The user's other tokens and the other members stay. A user who is no member is left alone; use delete_user to end the user everywhere.",
  input: z.strictObject({
    project_id: id('project', 'Project to change'),
    user_id: id('user', 'Member to remove'),
  }),
  output: z.object({ project: projectView, ...facts }),
  short: z.object({ project: shortProjectView, ...facts }),
  permission: 'projects:write',
  effect: 'destroy',
  idempotent: true,
  target: (input) => input.project_id,
  async run(ctx, { project_id, user_id }) {
    const project = await findProject(ctx, project_id)
    const changed = await projects.removeMember(ctx.db, project_id, user_id)
    const counts = changed ? await revokeTokens(ctx, { owner_id: user_id, project_id }) : none
    ctx.note({ user_id, changed, ...counts })
    const row = changed ? await touchProject(ctx, project) : project
    return { project: await showProject(ctx, row), ...counts, changed }
  },
})
