import { z } from 'zod'
import { findConfig, findConfigServer, touchConfig } from '../../src/core/config-state.ts'
import type { Context } from '../../src/core/context.ts'
import { fileName, readExport } from '../../src/core/exports.ts'
import { id } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { parseDocument, unchosen } from '../../src/core/parse.ts'
import { changeServer } from '../../src/core/server-change.ts'
import { configServerView, showConfigServer } from '../../src/core/views/config-server.ts'
import { type GuardrailPolicy, guardrailPolicy } from '../../src/domain/guardrail-policy.ts'

export const set_server_guardrails = operation({
  name: 'set_server_guardrails',
  title: "Set a server's guardrails",
  description:
    'Sets the guardrail policy of a server of a configuration for what is sent to it, for what it answers, or both at once. A policy replaces the whole one of that side; the other side stays. A policy comes inline or from a file in the exports folder. Use get_config_server to see what is set.',
  input: z.strictObject({
    config_id: id('config', 'Configuration the server is in'),
    server_id: id('server', 'Server to guard'),
    input: guardrailPolicy.optional().describe('Policy for what is sent to the server.'),
    output: guardrailPolicy.optional().describe('Policy for what it answers.'),
    input_file: fileName.optional().describe('File in exports/ that holds the policy, instead of input.'),
    output_file: fileName.optional().describe('File in exports/ that holds the policy, instead of output.'),
  }),
  output: z.object({ server: configServerView, changed: z.boolean() }),
  permission: 'configs:write',
  effect: 'change',
  idempotent: true,
  target: (input, done) => done?.server.id ?? input.server_id,
  check({ input, output, input_file, output_file }) {
    refuseSources('input', input, input_file)
    refuseSources('output', output, output_file)
    if ((input ?? output ?? input_file ?? output_file) === undefined)
      throw unchosen(['input', 'input_file', 'output', 'output_file'], 'one of these must be given')
  },
  async prepare(ctx, { input, output, input_file, output_file }) {
    refuseBound(ctx)
    return {
      input_guardrails: await policyOf(ctx, 'input_file', input, input_file),
      output_guardrails: await policyOf(ctx, 'output_file', output, output_file),
    }
  },
  async run(ctx, { config_id, server_id }, policies) {
    const config = await findConfig(ctx, config_id)
    const server = await findConfigServer(ctx, config, server_id)
    const { row, changed } = await changeServer(ctx, server, policies)
    if (changed) await touchConfig(ctx, config)
    ctx.note({ config_id: config.id })
    return { server: showConfigServer(ctx, row), changed }
  },
})

function refuseSources(side: 'input' | 'output', policy: unknown, file: string | undefined): void {
  if (policy !== undefined && file !== undefined)
    throw unchosen([side, `${side}_file`], 'only one of these may be given')
}

async function policyOf(
  ctx: Context,
  member: string,
  policy: GuardrailPolicy | undefined,
  file: string | undefined,
): Promise<GuardrailPolicy | undefined> {
  return file === undefined
    ? policy
    : parseDocument(guardrailPolicy, await readExport(ctx.host, file, member), member)
}
