import type { ServerRow } from '../../db/schema.ts'
import * as servers from '../../db/servers.ts'
import type { Context } from './context.ts'
import { type Runs, toldRuns } from './server-runs.ts'
import { freeSlugs } from './server-slugs.ts'
import { sealValues } from './server-values.ts'

/** A server of a configuration before it has an id and a slug; its values are not sealed yet. */
export type NewServer = Runs &
  Pick<ServerRow, 'name' | 'description' | 'metadata' | 'tools' | 'input_guardrails' | 'output_guardrails'>

/** Stores servers that are made together; each gets its own row in the trail, with the whole argv (security R34). */
export async function addServers(
  ctx: Context,
  configId: string,
  entries: readonly NewServer[],
): Promise<void> {
  const ids = await insertServers(ctx, configId, entries)
  for (const [at, target_id] of ids.entries()) {
    const entry = entries[at]
    if (entry === undefined) continue
    ctx.record({
      action: 'add_config_server',
      target_id,
      details: { config_id: configId, name: entry.name, ...toldRuns(entry) },
    })
  }
}

/** Stores servers of a configuration and answers their ids. */
export async function insertServers(
  ctx: Context,
  configId: string,
  entries: readonly NewServer[],
): Promise<string[]> {
  const rows = await newRows(ctx, configId, entries)
  await servers.insertMany(ctx.db, rows)
  return rows.map(({ id }) => id)
}

async function newRows(ctx: Context, configId: string, entries: readonly NewServer[]) {
  const slugs = await freeSlugs(
    ctx,
    entries.map((entry) => entry.name),
  )
  return entries.map((entry, at) => {
    const id = ctx.newId('server')
    const slug = slugs[at]
    if (slug === undefined) throw new Error('one entry in, one slug out')
    return {
      id,
      slug,
      config_id: configId,
      name: entry.name,
      description: entry.description,
      metadata: entry.metadata,
      command: entry.command,
      args: entry.args,
      env: sealValues(ctx.keys, id, 'env', entry.env),
      url: entry.url,
      headers: sealValues(ctx.keys, id, 'headers', entry.headers),
      tools: entry.tools,
      input_guardrails: entry.input_guardrails,
      output_guardrails: entry.output_guardrails,
      created_at: ctx.now,
      updated_at: ctx.now,
    }
  })
}
