import { z } from 'zod'
import * as projects from '../../db/projects.ts'
import { id, idempotencyKey } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { findProject, touchProject } from '../../src/core/project-state.ts'
import { findUser } from '../../src/core/user-state.ts'
import { projectView, shortProjectView, showProject } from '../../src/core/views/project.ts'

const facts = { user: z.object({ id: z.string(), email: z.string() }), changed: z.boolean() }

export const add_project_member = operation({
  name: 'add_project_member',
  title: 'Add a member to a project',
  description:
    'Makes a user a member of a project, so that tokens bound to the project can belong to the user. All members are equal; there is no owner. A user who is a member already is left alone. list_users and list_projects show the ids.',
  input: z.strictObject({
    project_id: id('project', 'Project to change'),
    user_id: id('user', 'User to add'),
    idempotency_key: idempotencyKey.optional(),
  }),
  output: z.object({ project: projectView, ...facts }),
  short: z.object({ project: shortProjectView, ...facts }),
  permission: 'projects:write',
  effect: 'change',
  idempotent: true,
  retryable: true,
  target: (input, done) => done?.project.id ?? input.project_id,
  async run(ctx, { project_id, user_id }) {
    refuseBound(ctx)
    const project = await findProject(ctx, project_id)
    const user = await findUser(ctx, user_id)
    const changed = await projects.addMember(ctx.db, project.id, user.id, ctx.now)
    ctx.note({ user_id: user.id, changed })
    const row = changed ? await touchProject(ctx, project) : project
    return { project: await showProject(ctx, row), user: { id: user.id, email: user.email }, changed }
  },
})
