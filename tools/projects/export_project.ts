import { z } from 'zod'
import * as projects from '../../db/projects.ts'
import type { ProjectRow } from '../../db/schema.ts'
import { documentView, exportedConfig } from '../../src/core/config-document.ts'
import { findConfig } from '../../src/core/config-state.ts'
import type { Context } from '../../src/core/context.ts'
import { fileName, writeExport } from '../../src/core/exports.ts'
import { id } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { findProject } from '../../src/core/project-state.ts'

export const export_project = operation({
  name: 'export_project',
  title: 'Export a project',
  description:
    'Answers a project with its environments, its members and its configuration as one document, and writes it to a file in the exports folder if one is named. No token and no digest of one is in it. Values of the servers are references unless include_secrets puts them in, which the trail records, as in export_config.',
  input: z.strictObject({
    project_id: id('project', 'Project to export'),
    output_file: fileName.optional().describe('File in exports/ to write as well; replaces an older one.'),
    include_secrets: z
      .boolean()
      .default(false)
      .describe('true = the values of variables and headers in the clear.'),
  }),
  output: z.object({
    document: documentView,
    file: z.string().nullable().describe('Name of the file in exports/; null = none.'),
  }),
  permission: 'projects:write',
  effect: 'change',
  faces: ['rest', 'cli'],
  target: (input, done) => {
    const exported = done?.document['project_id']
    return typeof exported === 'string' ? exported : input.project_id
  },
  async run(ctx, { project_id, output_file: file = null, include_secrets }) {
    refuseBound(ctx)
    const row = await findProject(ctx, project_id)
    const members = await projects.membersOf(ctx.db, ctx.scope, [row.id])
    ctx.note({ name: row.name, include_secrets, file })
    const document = {
      project_id: row.id,
      exported_at: ctx.now,
      project: await exportedProject(ctx, row),
      config: row.config_id === null ? null : await configOf(ctx, row.config_id, include_secrets),
      users: members.map(({ id, email, created_at }) => ({ user_id: id, email, created_at })),
    }
    return { document, file }
  },
  async deliver(ctx, done) {
    if (done.file !== null)
      await writeExport(ctx.host, done.file, `${JSON.stringify(done.document, null, 2)}\n`)
    return done
  },
})

async function exportedProject(ctx: Context, { id, name, description, ...row }: ProjectRow) {
  const environments = await projects.environmentsOf(ctx.db, [id])
  return {
    project_id: id,
    project_name: name,
    description,
    environments: environments.map((one) => ({
      name: one.name,
      description: one.description,
      variables: JSON.parse(one.variables) as Record<string, string>,
      is_default: one.is_default === 1,
    })),
    created_at: row.created_at,
    updated_at: row.updated_at,
  }
}

async function configOf(ctx: Context, configId: string, secrets: boolean) {
  const config = await findConfig(ctx, configId)
  return { mcp_config_id: config.id, ...(await exportedConfig(ctx, config, secrets)) }
}
