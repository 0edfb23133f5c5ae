import { z } from 'zod'
import { documentView, exportedConfig } from '../../src/core/config-document.ts'
import { findConfig } from '../../src/core/config-state.ts'
import { fileName, writeExport } from '../../src/core/exports.ts'
import { id } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'

export const export_config = operation({
  name: 'export_config',
  title: 'Export a configuration',
  description:
    'Answers a configuration with its servers as one document, and writes it to a file in the exports folder if one is named. Values of variables and headers are references that this instance resolves again in import_config; include_secrets puts the values themselves in, which the trail records.',
  input: z.strictObject({
    config_id: id('config', 'Configuration to export'),
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
  permission: 'configs:write',
  effect: 'change',
  faces: ['rest', 'cli'],
  target: (input, done) => {
    const exported = done?.document['mcp_config_id']
    return typeof exported === 'string' ? exported : input.config_id
  },
  async run(ctx, { config_id, output_file: file = null, include_secrets }) {
    refuseBound(ctx)
    const row = await findConfig(ctx, config_id)
    const config = await exportedConfig(ctx, row, include_secrets)
    ctx.note({ name: row.name, include_secrets, file })
    return { document: { mcp_config_id: row.id, exported_at: ctx.now, config }, file }
  },
  async deliver(ctx, done) {
    if (done.file !== null)
      await writeExport(ctx.host, done.file, `${JSON.stringify(done.document, null, 2)}\n`)
    return done
  },
})
