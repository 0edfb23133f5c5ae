import type { ServerRow } from '../../db/schema.ts'
import * as servers from '../../db/servers.ts'
import type { ValueSide } from '../domain/server-values.ts'
import { valueFingerprint } from '../domain/server-values.ts'
import type { ConfigDocument, DocumentEntry } from './config-document.ts'
import type { Context } from './context.ts'
import type { NewServer } from './server-rows.ts'
import { readValues, type Values } from './server-values.ts'

type Given = Record<string, string | { $env: string }>

/** What an import makes: servers with all values that are known here, and which variables are not. */
export interface Resolved {
  entries: NewServer[]
  missing_env: { server_name: string; variable: string }[]
}

/** Puts the values of this instance in the place of their references (enkrypt:configs:import:env). */
export async function resolveDocument(ctx: Context, { config }: ConfigDocument): Promise<Resolved> {
  const known = await valuesBehind(ctx, referencesIn(config.mcp_config))
  const missing_env: Resolved['missing_env'] = []
  const resolved = (server_name: string, side: ValueSide, given: Given = {}): Values => {
    const values: Values = {}
    for (const [variable, value] of Object.entries(given)) {
      const text = typeof value === 'string' ? value : known.get(placeOf(side, variable, value.$env))
      if (text === undefined) missing_env.push({ server_name, variable })
      else values[variable] = text
    }
    return values
  }
  const entries = config.mcp_config.map((entry) => ({
    name: entry.server_name,
    description: entry.description,
    metadata: JSON.stringify(entry.metadata ?? {}),
    command: entry.config.command ?? null,
    args: JSON.stringify(entry.config.args ?? []),
    env: resolved(entry.server_name, 'env', entry.config.env),
    url: entry.config.url ?? null,
    headers: resolved(entry.server_name, 'headers', entry.config.headers),
    tools: JSON.stringify(entry.tools),
    input_guardrails: JSON.stringify(entry.input_guardrails_policy),
    output_guardrails: JSON.stringify(entry.output_guardrails_policy),
  }))
  return { entries, missing_env }
}

/** A reference holds for the name it was made for, so that no value is led to another variable or header. */
function placeOf(side: ValueSide, name: string, fingerprint: string): string {
  return `${side} ${name} ${fingerprint}`
}

function referencesIn(entries: readonly DocumentEntry[]): Set<string> {
  const places = (side: ValueSide, given: Given = {}) =>
    Object.entries(given).flatMap(([name, value]) =>
      typeof value === 'string' ? [] : [placeOf(side, name, value.$env)],
    )
  return new Set(
    entries.flatMap(({ config }) => [...places('env', config.env), ...places('headers', config.headers)]),
  )
}

/** The values that belong in these places, as far as any server of this instance holds them. */
async function valuesBehind(ctx: Context, wanted: ReadonlySet<string>): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  let after = ''
  while (found.size < wanted.size) {
    const rows = await servers.holdingValues(ctx.db, after, 500)
    const last = rows.at(-1)
    if (last === undefined) break
    after = last.id
    for (const row of rows) {
      for (const [place, value] of placesOf(ctx, row)) if (wanted.has(place)) found.set(place, value)
    }
  }
  return found
}

function placesOf({ keys }: Context, row: ServerRow): [place: string, value: string][] {
  return (['env', 'headers'] as const).flatMap((side) =>
    Object.entries(readValues(keys, row, side) ?? {}).map(([name, value]): [string, string] => [
      placeOf(side, name, valueFingerprint(keys.values, side, name, value)),
      value,
    ]),
  )
}
