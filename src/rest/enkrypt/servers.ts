import { z } from 'zod'
import { tools } from '../../../tools/index.ts'
import { fileName } from '../../core/exports.ts'
import { description } from '../../core/fields.ts'
import { whole } from '../../core/paging.ts'
import * as fields from '../../core/server-fields.ts'
import { guardrailPolicy } from '../../domain/guardrail-policy.ts'
import { type Route, to } from '../route.ts'
import { newName } from './bodies.ts'
import { policy, server, serverOf } from './objects.ts'
import { envelope, nothing, says } from './says.ts'

const listed = z.object({
  server_id: z.string(),
  server_slug: z.string(),
  server_name: z.string(),
  description: z.string(),
  command: z.string(),
  args: z.array(z.string()),
  tools: z.int(),
  input_guardrails_enabled: z.boolean(),
  output_guardrails_enabled: z.boolean(),
})

type OfServer = { params: { config_identifier: string; server_name: string } }
const ofConfig = ({ params }: { params: { config_identifier: string } }) => ({
  config_id: params.config_identifier,
})
const of = ({ params }: OfServer) => ({ ...ofConfig({ params }), server_id: params.server_name })

const given = guardrailPolicy.optional()
const file = fileName.optional()
const oneSide = z.strictObject({ policy: given, policy_file: file })
const bothSides = z.strictObject({
  input_policy: given,
  input_policy_file: file,
  output_policy: given,
  output_policy_file: file,
})
const inputNames = { input: 'policy', input_file: 'policy_file', output: null, output_file: null }
const outputNames = { input: null, input_file: null, output: 'policy', output_file: 'policy_file' }

/** Routes 7 to 11, 16 to 18 and the details of one: the servers of a configuration. */
export const serverRoutes: Route[] = [
  to('GET /api/v1/configs/:config_identifier/servers', tools.get_config, {
    input: ofConfig,
    answer: envelope(z.array(listed)),
    output: ({ config }) =>
      says(
        'Servers retrieved successfully',
        whole(config.servers).map((one) => ({
          server_id: one.id,
          server_slug: one.slug,
          server_name: one.name,
          description: one.description,
          command: one.command ?? '',
          args: one.args,
          tools: Object.keys(one.tools).length,
          input_guardrails_enabled: one.input_guardrails.enabled,
          output_guardrails_enabled: one.output_guardrails.enabled,
        })),
      ),
  }),
  to('POST /api/v1/configs/:config_identifier/servers', tools.add_config_server, {
    body: z.strictObject({
      server_name: newName,
      server_command: fields.command,
      args: fields.args.optional(),
      env: fields.env.optional(),
      tools: fields.tools.optional(),
      description: description.optional(),
      input_guardrails_policy: given,
      output_guardrails_policy: given,
    }),
    input: ({ params, body }) => ({
      ...ofConfig({ params }),
      name: body.server_name,
      runs: { command: body.server_command, args: body.args, env: body.env },
      tools: body.tools,
      description: body.description,
      guardrails: { input: body.input_guardrails_policy, output: body.output_guardrails_policy },
    }),
    answer: envelope(z.object({ server_id: z.string(), server_slug: z.string(), server_name: z.string() })),
    output: ({ server: { id, slug, name } }) =>
      says('Server added successfully', { server_id: id, server_slug: slug, server_name: name }),
    status: 201,
  }),
  to('DELETE /api/v1/configs/:config_identifier/servers', tools.remove_config_servers, {
    input: ofConfig,
    answer: envelope(z.object({ removed: z.int() })),
    output: ({ removed }) => says('All servers removed successfully', { removed }),
  }),
  to('GET /api/v1/configs/:config_identifier/servers/:server_name', tools.get_config_server, {
    input: of,
    answer: envelope(server),
    output: ({ server }) => says('Server details retrieved successfully', serverOf(server)),
  }),
  to('PUT /api/v1/configs/:config_identifier/servers/:server_name', tools.update_config_server, {
    body: z.strictObject({
      server_command: fields.command.optional(),
      args: fields.args.optional(),
      env: fields.env.optional(),
      tools: fields.tools.optional(),
      description: description.optional(),
    }),
    names: { runs: 'server_command, args, env' },
    input: ({ params, body: { server_command, args, env, tools, description } }) => {
      const runs = { command: server_command, args, env }
      const runsChange = Object.values(runs).some((value) => value !== undefined)
      return { ...of({ params }), ...(runsChange ? { runs } : {}), tools, description }
    },
    answer: envelope(server),
    output: ({ server }) => says('Server updated successfully', serverOf(server)),
  }),
  to('DELETE /api/v1/configs/:config_identifier/servers/:server_name', tools.remove_config_server, {
    input: of,
    answer: nothing,
    output: () => says('Server removed successfully', null),
  }),
  to(
    'PUT /api/v1/configs/:config_identifier/servers/:server_name/input-guardrails',
    tools.set_server_guardrails,
    {
      body: oneSide,
      names: inputNames,
      input: ({ params, body }) => ({ ...of({ params }), input: body.policy, input_file: body.policy_file }),
      answer: envelope(policy),
      output: ({ server }) => says('Input guardrails updated successfully', server.input_guardrails),
    },
  ),
  to(
    'PUT /api/v1/configs/:config_identifier/servers/:server_name/output-guardrails',
    tools.set_server_guardrails,
    {
      body: oneSide,
      names: outputNames,
      input: ({ params, body }) => ({
        ...of({ params }),
        output: body.policy,
        output_file: body.policy_file,
      }),
      answer: envelope(policy),
      output: ({ server }) => says('Output guardrails updated successfully', server.output_guardrails),
    },
  ),
  to('PUT /api/v1/configs/:config_identifier/servers/:server_name/guardrails', tools.set_server_guardrails, {
    body: bothSides,
    names: {
      input: 'input_policy',
      input_file: 'input_policy_file',
      output: 'output_policy',
      output_file: 'output_policy_file',
    },
    input: ({ params, body }) => ({
      ...of({ params }),
      input: body.input_policy,
      input_file: body.input_policy_file,
      output: body.output_policy,
      output_file: body.output_policy_file,
    }),
    answer: envelope(z.object({ input_guardrails_policy: policy, output_guardrails_policy: policy })),
    output: ({ server }) =>
      says('Guardrails updated successfully', {
        input_guardrails_policy: server.input_guardrails,
        output_guardrails_policy: server.output_guardrails,
      }),
  }),
]
