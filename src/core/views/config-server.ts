import { z } from 'zod'
import type { ServerRow } from '../../../db/schema.ts'
import { storedPolicy } from '../../domain/guardrail-policy.ts'
import type { Context } from '../context.ts'
import { shared } from '../fields.ts'
import { maskedValues } from '../server-values.ts'
import { isoTime } from './named.ts'

const masked = z.record(z.string(), z.string()).describe('Names; each value reads ***.')
const fingerprints = z
  .record(z.string(), z.string())
  .describe('One for each value: the same value has the same fingerprint.')

const policy = z.object({
  enabled: z.boolean(),
  policy_name: z.string(),
  additional_config: z.record(z.string(), z.unknown()),
  block: z.array(z.string()),
})

shared.add(policy, { id: 'Policy' })

/** A server of a configuration: what it runs or calls, and never a value of its variables or headers (security R37). */
export const configServerView = z.object({
  id: z.string(),
  slug: z.string().describe('Unique and never changed; its address is /servers/{slug}/mcp.'),
  name: z.string(),
  description: z.string(),
  command: z.string().nullable().describe('The program it is; null = it is called at url.'),
  args: z.array(z.string()),
  env: masked,
  env_fingerprints: fingerprints,
  url: z.string().nullable(),
  headers: masked,
  header_fingerprints: fingerprints,
  tools: z.record(z.string(), z.unknown()).describe('The tools that are let through; {} = every tool.'),
  input_guardrails: policy,
  output_guardrails: policy,
  created_at: isoTime,
  updated_at: isoTime,
})

shared.add(configServerView, { id: 'ConfigServer' })

/** The part of it that is never long. */
export const shortConfigServerView = configServerView.pick({
  id: true,
  slug: true,
  name: true,
  description: true,
  command: true,
  args: true,
  env: true,
  url: true,
  headers: true,
})

/** Shows a row of `servers` that belongs to a configuration. */
export function showConfigServer({ keys }: Pick<Context, 'keys'>, row: ServerRow) {
  const env = maskedValues(keys, row, 'env')
  const headers = maskedValues(keys, row, 'headers')
  return {
    id: row.id,
    slug: row.slug,
    name: row.name ?? '',
    description: row.description ?? '',
    command: row.command,
    args: JSON.parse(row.args) as string[],
    env: env.masked,
    env_fingerprints: env.fingerprints,
    url: row.url,
    headers: headers.masked,
    header_fingerprints: headers.fingerprints,
    tools: JSON.parse(row.tools) as Record<string, unknown>,
    input_guardrails: storedPolicy(row.input_guardrails),
    output_guardrails: storedPolicy(row.output_guardrails),
    created_at: row.created_at,
    updated_at: row.updated_at,
  }
}
