import { z } from 'zod'
import * as projects from '../../db/projects.ts'
import { description, idempotencyKey, name } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { refuseTakenName } from '../../src/core/project-state.ts'
import { policyText, projectPolicy } from '../../src/core/token-policy.ts'
import { projectView, shortProjectView, showProject } from '../../src/core/views/project.ts'

export const create_project = operation({
  name: 'create_project',
  title: 'Create a project',
  description:
    'Creates a project: people, environments with variables, and the tokens bound to it. It starts without members and with one environment, "development", which is the default and has no variables. Then use add_project_member, and project_id in create_token.',
  input: z.strictObject({
    name: name.describe('Name of the project; no other project may have it.'),
    description: description.optional().describe('Longer note for people.'),
    policy: projectPolicy.optional(),
    idempotency_key: idempotencyKey.optional(),
  }),
  output: z.object({ project: projectView }),
  short: z.object({ project: shortProjectView }),
  permission: 'projects:write',
  effect: 'create',
  retryable: true,
  target: (_, done) => done?.project.id,
  async run(ctx, { name, description, policy }) {
    refuseBound(ctx)
    await refuseTakenName(ctx, name)
    const times = { created_at: ctx.now, updated_at: ctx.now }
    const row = await projects.insert(ctx.db, {
      ...times,
      id: ctx.newId('project'),
      name,
      description: description ?? null,
      config_id: null,
      deleted_at: null,
      policy: policyText(policy) ?? null,
    })
    await projects.putEnvironment(ctx.db, {
      ...times,
      id: ctx.newId('environment'),
      project_id: row.id,
      name: 'development',
      variables: '{}',
      is_default: 1,
    })
    ctx.note({ name, ...(policy ? { policy } : {}) })
    return { project: await showProject(ctx, row) }
  },
})
