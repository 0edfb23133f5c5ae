import { z } from 'zod'
import type { ConfigRow, ServerRow } from '../../db/schema.ts'
import * as servers from '../../db/servers.ts'
import { guardrailPolicy, storedPolicy } from '../domain/guardrail-policy.ts'
import {
  fingerprintPattern,
  headerProblem,
  type ValueSide,
  valueFingerprint,
  variableProblem,
} from '../domain/server-values.ts'
import { mostServers } from './config-state.ts'
import type { Context } from './context.ts'
import { description, metadata, name } from './fields.ts'
import * as fields from './server-fields.ts'
import { openValues } from './server-values.ts'

/** A value that is named and not shown. */
const reference = z.strictObject({ $env: z.string().regex(fingerprintPattern, 'must be a fingerprint') })

/** What only an export says; an import makes its own. */
const said = z.string().max(200).optional()
const prints = z.record(z.string(), z.string()).optional()

const entry = z.strictObject({
  server_id: said,
  server_slug: said,
  server_name: name,
  description: description.default(''),
  config: z
    .strictObject({
      command: fields.command.optional(),
      args: fields.args.optional(),
      env: fields.named(z.union([fields.value, reference]), variableProblem).optional(),
      env_fingerprints: prints,
      url: fields.url.optional(),
      headers: fields.named(z.union([fields.headerValue, reference]), headerProblem).optional(),
      header_fingerprints: prints,
    })
    .refine(fields.oneKind, 'has parts of a program and of an address')
    .refine(({ command, url }) => command !== undefined || url !== undefined, 'must have a command or a url'),
  tools: fields.tools.default({}),
  input_guardrails_policy: guardrailPolicy.prefault({}),
  output_guardrails_policy: guardrailPolicy.prefault({}),
  metadata: metadata.optional(),
  created_at: said,
  updated_at: said,
})

type Entry = z.output<typeof entry>

/** The servers of a document up to the first that is none: a body has room for millions of faults, and each takes time. */
function entries(given: unknown[], { issues }: z.core.$RefinementCtx): Entry[] {
  const found: Entry[] = []
  const seen = new Set<string>()
  for (const [at, one] of given.entries()) {
    const parsed = entry.safeParse(one)
    if (!parsed.success) {
      for (const issue of parsed.error.issues)
        issues.push({ ...issue, path: [at, ...issue.path] } as z.core.$ZodRawIssue)
      return z.NEVER
    }
    const { server_name } = parsed.data
    if (seen.has(server_name)) {
      const path = [at, 'server_name']
      issues.push({ code: 'custom', path, message: 'names a server twice', input: one })
      return z.NEVER
    }
    seen.add(server_name)
    found.push(parsed.data)
  }
  return found
}

/** The one document of a configuration: what an export is, in a file and in an answer, and what an import takes. */
export const configDocument = z
  .strictObject({
    mcp_config_id: said,
    exported_at: said,
    config: z.strictObject({
      mcp_config_id: said,
      mcp_config_name: z.string().max(200).optional(),
      mcp_config: z
        .array(z.unknown().meta({ type: 'object' }))
        .max(mostServers)
        .transform(entries),
      created_at: said,
      updated_at: said,
    }),
  })
  .describe('A configuration as export_config answers it.')

export type ConfigDocument = z.output<typeof configDocument>
export type DocumentEntry = ConfigDocument['config']['mcp_config'][number]

/** The schema of a document in an answer: what is stored is not judged again. */
export const documentView = z
  .record(z.string(), z.unknown())
  .describe('The whole export, as import_config takes it.')

/** A configuration as a document; values are named by fingerprint unless `secrets` puts them in (security R37). */
export async function exportedConfig(ctx: Context, { id, name, ...times }: ConfigRow, secrets: boolean) {
  const rows = await servers.listOf(ctx.db, id)
  return {
    mcp_config_name: name,
    mcp_config: rows.map((row) => exportedServer(ctx, row, secrets)),
    created_at: times.created_at,
    updated_at: times.updated_at,
  }
}

function exportedServer(ctx: Context, row: ServerRow, secrets: boolean) {
  const values = (side: ValueSide) => exportedValues(ctx, row, side, secrets)
  return {
    server_id: row.id,
    server_slug: row.slug,
    server_name: row.name ?? '',
    description: row.description ?? '',
    config:
      row.url === null
        ? { command: row.command ?? '', args: JSON.parse(row.args) as string[], env: values('env') }
        : { url: row.url, headers: values('headers') },
    tools: JSON.parse(row.tools) as Record<string, unknown>,
    input_guardrails_policy: storedPolicy(row.input_guardrails),
    output_guardrails_policy: storedPolicy(row.output_guardrails),
    ...(row.metadata === '{}' ? {} : { metadata: JSON.parse(row.metadata) as Record<string, unknown> }),
    created_at: row.created_at,
    updated_at: row.updated_at,
  }
}

function exportedValues({ keys }: Context, row: ServerRow, side: ValueSide, secrets: boolean) {
  const values = Object.entries(openValues(keys, row, side))
  return Object.fromEntries(
    values.map(([name, value]) => [
      name,
      secrets ? value : { $env: valueFingerprint(keys.values, side, name, value) },
    ]),
  )
}
