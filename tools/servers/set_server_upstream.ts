import { z } from 'zod'
import * as configs from '../../db/configs.ts'
import * as servers from '../../db/servers.ts'
import { id } from '../../src/core/fields.ts'
import { live } from '../../src/core/found.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { unchosen } from '../../src/core/parse.ts'
import { changeServer } from '../../src/core/server-change.ts'
import { runsPart, tools } from '../../src/core/server-fields.ts'
import {
  configServerView,
  shortConfigServerView,
  showConfigServer,
} from '../../src/core/views/config-server.ts'
import { guardrailPolicy } from '../../src/domain/guardrail-policy.ts'

export const set_server_upstream = operation({
  name: 'set_server_upstream',
  title: 'Set what a server runs or calls',
  description:
    'Tells the gateway what is behind any MCP server, also one of create_server: a program with arguments and variables, or an address with headers; and which tools and guardrails apply. Members that are absent stay, in runs too; env and headers are replaced whole, stored encrypted and never shown again. Nothing is started by it. Use get_server to see whether a server is set up.',
  input: z.strictObject({
    server_id: id('server', 'Server to set up'),
    runs: runsPart
      .optional()
      .describe(
        'What it is: {"command": "npx", "args": ["-y", "some-mcp-server"], "env": {}} or {"url": "https://example.com/mcp", "headers": {}}. Secrets in env and headers pass through this conversation; on a command line use --json-input for them.',
      ),
    tools: tools.optional().describe('Tools to let through, by name: {"search": {}}; {} = every tool.'),
    input_guardrails: guardrailPolicy.optional().describe('Policy for what is sent to it, whole.'),
    output_guardrails: guardrailPolicy.optional().describe('Policy for what it answers, whole.'),
  }),
  output: z.object({ server: configServerView, changed: z.boolean() }),
  short: z.object({ server: shortConfigServerView, changed: z.boolean() }),
  permission: 'configs:write',
  effect: 'change',
  idempotent: true,
  target: (input) => input.server_id,
  check({ runs, tools, input_guardrails, output_guardrails }) {
    if ((runs ?? tools ?? input_guardrails ?? output_guardrails) !== undefined) return
    const members = ['runs', 'tools', 'input_guardrails', 'output_guardrails']
    throw unchosen(members, 'one of these must be given')
  },
  async run(ctx, { server_id, ...asked }) {
    refuseBound(ctx)
    const found = await servers.find(ctx.db, ctx.scope, server_id)
    const server = live(found, { entity: 'server', id: server_id, next: 'list_servers shows the others.' })
    const { row, changed } = await changeServer(ctx, server, asked)
    if (changed && row.config_id !== null)
      await configs.update(ctx.db, row.config_id, { updated_at: ctx.now })
    return { server: showConfigServer(ctx, row), changed }
  },
})
