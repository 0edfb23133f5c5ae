import { z } from 'zod'
import * as configs from '../../db/configs.ts'
import { type ConfigDocument, configDocument } from '../../src/core/config-document.ts'
import { resolveDocument } from '../../src/core/config-import.ts'
import { refuseTakenConfig } from '../../src/core/config-state.ts'
import { fileName, readExport } from '../../src/core/exports.ts'
import { idempotencyKey, name } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { parseDocument, unchosen } from '../../src/core/parse.ts'
import { addServers } from '../../src/core/server-rows.ts'
import { configView, showConfig } from '../../src/core/views/config.ts'

export const import_config = operation({
  name: 'import_config',
  title: 'Import a configuration',
  description:
    'Makes a new configuration from what export_config answered or wrote to a file. References to values are resolved if a server of this instance holds them; the others are left out and listed in missing_env, to be set with update_config_server. All of it is checked before anything is made, and nothing is run.',
  input: z.strictObject({
    name: name.describe('Name of the new configuration; no other may have it.'),
    input_file: fileName.optional().describe('File in exports/ that holds the export.'),
    data: configDocument.optional().describe('The export itself, instead of a file.'),
    idempotency_key: idempotencyKey.optional(),
  }),
  output: z.object({
    config: configView,
    missing_env: z
      .array(z.object({ server_name: z.string(), variable: z.string() }))
      .describe('Variables and headers whose values this instance does not hold.'),
  }),
  permission: 'configs:write',
  effect: 'create',
  faces: ['rest', 'cli'],
  retryable: true,
  large: true,
  target: (_, done) => done?.config.id,
  check({ input_file, data }) {
    if ((input_file === undefined) === (data === undefined))
      throw unchosen(['data', 'input_file'], 'exactly one of these must be given')
  },
  async prepare(ctx, { input_file, data }) {
    refuseBound(ctx)
    const document =
      input_file === undefined
        ? (data as ConfigDocument)
        : parseDocument(configDocument, await readExport(ctx.host, input_file), 'input_file')
    return resolveDocument(ctx, document)
  },
  async run(ctx, { name, input_file }, { entries, missing_env }) {
    await refuseTakenConfig(ctx, name)
    const times = { created_at: ctx.now, updated_at: ctx.now }
    const row = await configs.insert(ctx.db, { id: ctx.newId('config'), name, ...times })
    await addServers(ctx, row.id, entries)
    ctx.note({ name, servers: entries.length, file: input_file ?? null, missing_env: missing_env.length })
    return { config: await showConfig(ctx, row), missing_env }
  },
})
