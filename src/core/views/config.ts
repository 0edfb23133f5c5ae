import { z } from 'zod'
import * as configs from '../../../db/configs.ts'
import { holdsText } from '../../../db/page.ts'
import * as projects from '../../../db/projects.ts'
import type { ConfigRow } from '../../../db/schema.ts'
import * as servers from '../../../db/servers.ts'
import type { Context } from '../context.ts'
import { shared } from '../fields.ts'
import { grouped } from '../grouped.ts'
import { configServerView, shortConfigServerView, showConfigServer } from './config-server.ts'
import { isoTime } from './named.ts'

const user = z.object({ id: z.string(), name: z.string() })

/** A configuration in full. */
export const configView = z.object({
  id: z.string(),
  name: z.string(),
  servers: z.array(configServerView),
  projects: z.array(user.extend({ member_count: z.int() })).describe('The projects it is assigned to.'),
  created_at: isoTime,
  updated_at: isoTime,
})

shared.add(configView, { id: 'Config' })

/** What a model is shown of one: of its servers no policies and tools, which may be long. */
export const shortConfigView = configView.extend({ servers: z.array(shortConfigServerView) })

/** The little of a configuration that changes tell a model. */
export const namedConfigView = configView.pick({ id: true, name: true, updated_at: true })

/** A configuration as lists show it. */
export const listedConfigView = configView.omit({ servers: true, projects: true }).extend({
  server_count: z.int(),
  projects: z.array(user),
  match: z
    .enum(['config_name', 'server_name'])
    .nullable()
    .describe('Where the text was found; null = none was asked for.'),
})

shared.add(listedConfigView, { id: 'ListedConfig' })

/** Shows one row with its servers, oldest first, and the projects in the caller's scope that use it. */
export async function showConfig(ctx: Pick<Context, 'db' | 'scope' | 'keys'>, row: ConfigRow) {
  const rows = await servers.listOf(ctx.db, row.id)
  const used = await configs.projectsOf(ctx.db, ctx.scope, [row.id])
  const members = await projects.memberCounts(
    ctx.db,
    ctx.scope,
    used.map(({ id }) => id),
  )
  return {
    ...row,
    servers: rows.map((server) => showConfigServer(ctx, server)),
    projects: used.map(({ id, name }) => ({ id, name, member_count: members.get(id) ?? 0 })),
  }
}

/** Shows rows as lists do, found by this text if there was one; two queries for any number of configurations. */
export async function listConfigs(
  ctx: Pick<Context, 'db' | 'scope'>,
  rows: readonly ConfigRow[],
  text: string | undefined,
) {
  const ids = rows.map((row) => row.id)
  const counts = await configs.serverCounts(ctx.db, ids)
  const used = grouped(await configs.projectsOf(ctx.db, ctx.scope, ids), (one) => one.config_id)
  return rows.map((row) => ({
    ...row,
    server_count: counts.get(row.id) ?? 0,
    projects: (used.get(row.id) ?? []).map(({ id, name }) => ({ id, name })),
    match:
      text === undefined
        ? null
        : holdsText(row.name, text)
          ? ('config_name' as const)
          : ('server_name' as const),
  }))
}
