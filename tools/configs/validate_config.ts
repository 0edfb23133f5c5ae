import { z } from 'zod'
import type { ServerRow } from '../../db/schema.ts'
import * as servers from '../../db/servers.ts'
import { findConfigNamed } from '../../src/core/config-state.ts'
import { idOrName } from '../../src/core/fields.ts'
import { operation } from '../../src/core/operation.ts'
import { readValues } from '../../src/core/server-values.ts'
import { guardrailPolicy } from '../../src/domain/guardrail-policy.ts'
import type { Keys } from '../../src/domain/keys.ts'

export const validate_config = operation({
  name: 'validate_config',
  title: 'Validate a configuration',
  description:
    'Says whether every server of a configuration could be run or called as it is stored: it has a name, a command with its arguments or an address, values that can be read, and sound guardrails. Nothing is started. Use get_config to see the servers and update_config_server to repair one.',
  input: z.strictObject({ config_id: idOrName('config', 'Configuration') }),
  output: z.object({
    valid: z.boolean(),
    server_count: z.int(),
    issues: z.array(z.string()).describe('What is wrong, a sentence each; empty when it is valid.'),
  }),
  permission: 'system:read',
  effect: 'read',
  target: (input) => input.config_id,
  async run(ctx, { config_id }) {
    const config = await findConfigNamed(ctx, config_id)
    const rows = await servers.listOf(ctx.db, config.id)
    const issues = rows.flatMap((row) => issuesOf(ctx.keys, row))
    return { valid: issues.length === 0, server_count: rows.length, issues }
  },
})

function issuesOf(keys: Keys, row: ServerRow): string[] {
  const args: unknown = JSON.parse(row.args)
  const problems = [
    row.name ? '' : 'has no name',
    row.command || row.url ? '' : 'has neither a command nor a url',
    Array.isArray(args) && args.every((one) => typeof one === 'string') ? '' : 'has no list of arguments',
    readValues(keys, row, 'env') ? '' : 'has variables that cannot be opened',
    readValues(keys, row, 'headers') ? '' : 'has headers that cannot be opened',
    guardrailPolicy.safeParse(JSON.parse(row.input_guardrails)).success ? '' : 'has unsound input guardrails',
    guardrailPolicy.safeParse(JSON.parse(row.output_guardrails)).success
      ? ''
      : 'has unsound output guardrails',
  ]
  // Not by its name, which is text that others wrote (security R11).
  return problems.filter((problem) => problem !== '').map((problem) => `Server ${row.slug} ${problem}.`)
}
