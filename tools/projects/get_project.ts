import { z } from 'zod'
import { idOrName } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { findProjectNamed } from '../../src/core/project-state.ts'
import { projectView, showProject } from '../../src/core/views/project.ts'

export const get_project = operation({
  name: 'get_project',
  title: 'Get a project',
  description:
    'Shows one project with its members and its environments, variables included. Takes an id or an exact name. Use list_projects to search, and list_magic_tokens with project_id to see the tokens bound to it.',
  input: z.strictObject({ project_id: idOrName('project', 'Project') }),
  output: z.object({ project: projectView }),
  permission: 'projects:read',
  effect: 'read',
  target: (input) => input.project_id,
  async run(ctx, { project_id }) {
    return { project: await showProject(ctx, await findProjectNamed(ctx, project_id)) }
  },
})
