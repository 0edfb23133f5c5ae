import type { ServerRow } from '../../db/schema.ts'
import * as servers from '../../db/servers.ts'
import type { Context } from './context.ts'
import { freeSlugs } from './server-slugs.ts'
import { sealValues, type Values } from './server-values.ts'

/** A server of a configuration before it has an id and a slug; its values are not sealed yet. */
export type NewServer = Pick<
  ServerRow,
  | 'name'
  | 'description'
  | 'metadata'
  | 'command'
  | 'args'
  | 'url'
  | 'tools'
  | 'input_guardrails'
  | 'output_guardrails'
> & { env: Values; headers: Values }

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
    ctx.record({ action: 'add_config_server', target_id, details: { config_id: configId, ...told(entry) } })
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

/** What the trail keeps of what a server runs or calls: the whole argv, and of values the names (security R34, R37). */
export function told({ name, command, args, url, env, headers }: Omit<NewServer, 'metadata'>) {
  return {
    name,
    ...(command === null
      ? {}
      : { argv: [command, ...(JSON.parse(args) as string[])], env: Object.keys(env) }),
    ...(url === null ? {} : { url, headers: Object.keys(headers) }),
  }
}
