import { z } from 'zod'
import * as projects from '../../db/projects.ts'
import { notFound } from '../../src/core/errors.ts'
import { id } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { findProject, touchProject } from '../../src/core/project-state.ts'
import { revoked, revokeTokens } from '../../src/core/revoke-all.ts'
import { findUser } from '../../src/core/user-state.ts'
import { projectView, shortProjectView, showProject } from '../../src/core/views/project.ts'

const facts = { user: z.object({ id: z.string(), email: z.string() }), ...revoked, changed: z.boolean() }
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
  // A dialect whose contract has a refusal for a user who is no member.
  dialect: { input: z.object({ must_be_member: z.literal(true) }) },
  permission: 'projects:write',
  effect: 'destroy',
  idempotent: true,
  target: (input, done) => done?.project.id ?? input.project_id,
  async run(ctx, { project_id, user_id, ...input }) {
    const project = await findProject(ctx, project_id)
    const { id: owner_id, email } = await findUser(ctx, user_id)
    const changed = await projects.removeMember(ctx.db, project.id, owner_id)
    if (!changed && input.must_be_member) throw notFound('member', owner_id, 'get_project shows the members.')
    const counts = changed ? await revokeTokens(ctx, { owner_id, project_id: project.id }) : none
    ctx.note({ user_id: owner_id, changed, ...counts })
    const row = changed ? await touchProject(ctx, project) : project
    return { project: await showProject(ctx, row), user: { id: owner_id, email }, ...counts, changed }
  },
})
