import { z } from 'zod'
import * as projects from '../../db/projects.ts'
import { description, id, name } from '../../src/core/fields.ts'
import { differing } from '../../src/core/found.ts'
import { operation } from '../../src/core/operation.ts'
import { findProject, refuseTakenName } from '../../src/core/project-state.ts'
import { policyText, projectPolicy } from '../../src/core/token-policy.ts'
import { projectView, shortProjectView, showProject } from '../../src/core/views/project.ts'

export const update_project = operation({
  name: 'update_project',
  title: 'Update a project',
  description:
    'Changes name, description or policy of a project; its id, members, environments and tokens stay. Members of the input that are absent stay as they are. Use add_project_member and remove_project_member for people, set_environment for variables.',
  input: z.strictObject({
    project_id: id('project', 'Project to change'),
    name: name.optional().describe('New name; no other project may have it.'),
    description: description.optional().describe('New description; "" empties it.'),
    policy: projectPolicy.optional(),
  }),
  output: z.object({ project: projectView, changed: z.boolean() }),
  short: z.object({ project: shortProjectView, changed: z.boolean() }),
  permission: 'projects:write',
  effect: 'change',
  idempotent: true,
  target: (input, done) => done?.project.id ?? input.project_id,
  async run(ctx, { project_id, name, description, policy }) {
    const project = await findProject(ctx, project_id)
    const changes = differing(project, { name, description, policy: policyText(policy) })
    if (changes.name !== undefined) await refuseTakenName(ctx, changes.name)
    const changed = Object.keys(changes).length > 0
    const row = changed
      ? await projects.update(ctx.db, ctx.scope, project.id, { ...changes, updated_at: ctx.now })
      : project
    ctx.note({
      changed: Object.keys(changes),
      ...(changes.name === undefined ? {} : { name: changes.name }),
      ...(changes.policy === undefined ? {} : { policy }),
    })
    return { project: await showProject(ctx, row ?? project), changed }
  },
})
