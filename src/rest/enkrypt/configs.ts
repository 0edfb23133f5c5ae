import { z } from 'zod'
import { tools } from '../../../tools/index.ts'
import type { configDocument } from '../../core/config-document.ts'
import { AppError } from '../../core/errors.ts'
import { fileName } from '../../core/exports.ts'
import { whole } from '../../core/paging.ts'
import { type Route, to } from '../route.ts'
import { empty, exportFile, identifier, newName, search } from './bodies.ts'
import { config, configOf, named, namedOf, newConfig, newConfigOf } from './objects.ts'
import { envelope, nothing, says } from './says.ts'

const listed = z.object({
  mcp_config_id: z.string(),
  mcp_config_name: z.string(),
  servers: z.int(),
  used_by_projects: z.array(named),
})
const found = listed
  .omit({ used_by_projects: true })
  .extend({ match_type: z.enum(['config_name', 'server_name']) })
const of = ({ params }: { params: { config_identifier: string } }) => ({
  config_id: params.config_identifier,
})
const created = ({ config }: { config: { id: string; name: string } }) => newConfigOf(config)

/** Routes 1 to 6 and 12 to 15: configurations as a whole. */
export const configRoutes: Route[] = [
  to('GET /api/v1/configs', tools.list_configs, {
    all: true,
    answer: envelope(z.array(listed)),
    output: ({ configs }) =>
      says(
        'Configurations retrieved successfully',
        configs.map(({ id, name, server_count, projects }) => ({
          mcp_config_id: id,
          mcp_config_name: name,
          servers: server_count,
          used_by_projects: projects.map(namedOf),
        })),
      ),
  }),
  to('POST /api/v1/configs', tools.create_config, {
    body: z.strictObject({ config_name: newName }),
    input: ({ body }) => ({ name: body.config_name }),
    answer: envelope(newConfig),
    output: (out) => says('Configuration created successfully', created(out)),
    status: 201,
  }),
  // Before the routes of one configuration, whose identifiers these words cannot be taken for there.
  to('POST /api/v1/configs/copy', tools.copy_config, {
    body: z.strictObject({ source_config: identifier, target_config: newName }),
    input: ({ body }) => ({ config_id: body.source_config, name: body.target_config }),
    answer: envelope(newConfig),
    output: (out) => says('Configuration copied successfully', created(out)),
    status: 201,
  }),
  to('POST /api/v1/configs/import', tools.import_config, {
    body: z.strictObject({
      config_name: newName,
      input_file: fileName.optional(),
      data: z.custom<z.input<typeof configDocument>>().meta({ type: 'object' }).optional(),
    }),
    input: ({ body: { config_name, ...source } }) => ({ name: config_name, ...source }),
    answer: envelope(
      newConfig.extend({ missing_env: z.array(z.object({ server_name: z.string(), variable: z.string() })) }),
    ),
    output: ({ config, missing_env }) =>
      says('Configuration imported successfully', { ...newConfigOf(config), missing_env }),
    status: 201,
  }),
  to('POST /api/v1/configs/search', tools.list_configs, {
    permission: 'system:read',
    body: search,
    all: true,
    input: ({ body }) => ({ search: body.search_term }),
    answer: envelope(z.array(found)),
    output: ({ configs }) =>
      says(
        'Search completed successfully',
        configs.map(({ id, name, server_count, match }) => ({
          mcp_config_id: id,
          mcp_config_name: name,
          match_type: match ?? ('config_name' as const),
          servers: server_count,
        })),
      ),
  }),
  to('GET /api/v1/configs/:config_identifier', tools.get_config, {
    input: of,
    answer: envelope(config),
    output: ({ config }) => says('Configuration retrieved successfully', configOf(config)),
  }),
  to('PUT /api/v1/configs/:config_identifier/rename', tools.update_config, {
    body: z.strictObject({ new_name: newName }),
    input: ({ params, body }) => ({ ...of({ params }), name: body.new_name }),
    answer: envelope(z.object({ config_id: z.string(), config_name: z.string() })),
    output: ({ config }) =>
      says('Configuration renamed successfully', { config_id: config.id, config_name: config.name }),
  }),
  to('DELETE /api/v1/configs/:config_identifier', tools.delete_config, {
    input: of,
    answer: nothing,
    output: () => says('Configuration deleted successfully', null),
  }),
  to('POST /api/v1/configs/:config_identifier/validate', tools.validate_config, {
    permission: 'system:read',
    body: empty,
    input: of,
    answer: envelope(
      z.object({ valid: z.literal(true), servers: z.int(), issues: z.array(z.string()).max(0) }),
    ),
    output: ({ valid, server_count, issues }) => {
      if (!valid) throw new AppError('invalid_input', issues.join(' '))
      return says('Configuration is valid', { valid: true as const, servers: server_count, issues: [] })
    },
    statuses: [200, 400],
  }),
  to('POST /api/v1/configs/:config_identifier/export', tools.export_config, {
    body: exportFile,
    input: ({ params, body }) => ({ ...of({ params }), ...body }),
    answer: envelope(z.unknown().meta({ type: 'object' })),
    output: ({ document }) => says('Configuration exported successfully', document),
  }),
  to('GET /api/v1/configs/:config_identifier/projects', tools.get_config, {
    permission: 'system:read',
    input: of,
    answer: envelope(z.array(named.extend({ users: z.int() }))),
    output: ({ config }) =>
      says(
        'Projects retrieved successfully',
        whole(config.projects).map((one) => ({ ...namedOf(one), users: one.member_count })),
      ),
  }),
]
