import { z } from 'zod'
import type { AnyOperation } from '../../src/core/operation.ts'

interface Schema {
  type?: string
  enum?: unknown[]
  const?: unknown
  anyOf?: Schema[]
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  minItems?: number
  minimum?: number
  format?: string
}

/** The least input an operation parses; no id in it exists. */
export function sampleInput(operation: AnyOperation): Record<string, unknown> {
  return { ...(sample(schemaOf(operation)) as Record<string, unknown>), ...beyondSchema[operation.name] }
}

/** Every member an operation takes, at the top. */
export function membersOf(operation: AnyOperation): string[] {
  return Object.keys(schemaOf(operation).properties ?? {})
}

function schemaOf(operation: AnyOperation): Schema {
  return z.toJSONSchema(operation.input, { io: 'input', unrepresentable: 'any' }) as Schema
}

/** What a rule between members asks for and a schema does not say. */
const beyondSchema: Record<string, Record<string, unknown>> = {
  validate_token: { token_id: 'mgtk_none' },
  simulate_change: { token_id: 'mgtk_none' },
  revoke_tokens: { text: 'none' },
  report_leak: { token_id: 'mgtk_none' },
  restore_backup: { input_file: 'none.json' },
  add_config_server: { runs: { command: 'sample' } },
  update_config_server: { description: 'sample' },
  set_server_guardrails: { input: {} },
  set_server_upstream: { tools: {} },
  import_config: { data: { config: { mcp_config: [] } } },
  create_user: { email: 'someone@example.com' },
  reset_password: { new_password: 'long enough' },
}

function sample(schema: Schema): unknown {
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return schema.enum[0]
  if (schema.anyOf !== undefined) return sample(schema.anyOf[0] ?? {})
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(
        (schema.required ?? []).map((name) => [name, sample(schema.properties?.[name] ?? {})]),
      )
    case 'array':
      return Array.from({ length: schema.minItems ?? 0 }, () => sample(schema.items ?? {}))
    case 'integer':
    case 'number':
      return Math.max(schema.minimum ?? 1, 1)
    case 'boolean':
      return true
    default:
      return schema.format === 'email' ? 'someone@example.com' : 'sample'
  }
}
