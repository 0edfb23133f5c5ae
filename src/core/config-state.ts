import * as configs from '../../db/configs.ts'
import type { ConfigRow, ServerRow } from '../../db/schema.ts'
import * as servers from '../../db/servers.ts'
import type { Context } from './context.ts'
import { AppError, notFound } from './errors.ts'
import { namesToo, readsNamesToo } from './found.ts'

/** Servers of one configuration at most: enough for anybody, and few enough to change, copy and show at once. */
export const mostServers = 1_000

/** The configuration in the caller's scope. */
export async function findConfig(ctx: Context, id: string): Promise<ConfigRow> {
  return configOr(ctx, id, namesToo(ctx, id))
}

/** As `findConfig`, by its exact name too: for reads, where the face's contract has names. */
export async function findConfigNamed(ctx: Context, text: string): Promise<ConfigRow> {
  return configOr(ctx, text, readsNamesToo(ctx, text))
}

async function configOr(ctx: Context, text: string, named: boolean): Promise<ConfigRow> {
  const byId = await configs.find(ctx.db, ctx.scope, text)
  const found = byId ?? (named ? await configs.findNamed(ctx.db, ctx.scope, text) : undefined)
  if (found === undefined) throw notFound('configuration', text, 'list_configs shows the ids.')
  return found
}

/** Refuses a name that another configuration has. */
export async function refuseTakenConfig(ctx: Context, name: string): Promise<void> {
  if ((await configs.findNamed(ctx.db, {}, name)) === undefined) return
  throw new AppError(
    'conflict',
    'Another configuration has this name. Choose a different one; list_configs shows them.',
    {
      entity: 'configuration',
      field: 'name',
      reason: 'name_taken',
    },
  )
}

/** Marks the configuration as changed and answers its row. */
export async function touchConfig(ctx: Context, config: ConfigRow): Promise<ConfigRow> {
  return (await configs.update(ctx.db, config.id, { updated_at: ctx.now })) ?? config
}

/** A live server of the configuration. */
export async function findConfigServer(ctx: Context, config: ConfigRow, id: string): Promise<ServerRow> {
  return serverOr(ctx, config, id, namesToo(ctx, id))
}

/** As `findConfigServer`, by its exact name too: for reads, where the face's contract has names. */
export async function findConfigServerNamed(ctx: Context, config: ConfigRow, id: string): Promise<ServerRow> {
  return serverOr(ctx, config, id, readsNamesToo(ctx, id))
}

async function serverOr(ctx: Context, config: ConfigRow, text: string, named: boolean): Promise<ServerRow> {
  const byId = await servers.find(ctx.db, ctx.scope, text)
  const own = byId?.config_id === config.id && byId.deleted_at === null ? byId : undefined
  const found = own ?? (named ? await servers.findInConfig(ctx.db, config.id, text) : undefined)
  if (found === undefined) throw notFound('server', text, 'get_config shows the servers and their ids.')
  return found
}

/** Refuses a name that another server of the configuration has. */
export async function refuseTakenServer(ctx: Context, configId: string, name: string): Promise<void> {
  const other = await servers.findInConfig(ctx.db, configId, name)
  if (other === undefined) return
  throw new AppError(
    'conflict',
    'Another server of the same configuration has this name. Choose a name; get_config shows those there are.',
    { entity: 'server', id: other.id, field: 'name', reason: 'name_taken' },
  )
}
