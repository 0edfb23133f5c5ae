import { z } from 'zod'
import * as reach from '../../db/reach.ts'
import { toolRulesSchema } from '../domain/tool-rules.ts'
import type { Context } from './context.ts'
import { idList } from './fields.ts'
import { refuseFurther, refuseOutside } from './limits.ts'
import { existingGroups, existingServers } from './token-state.ts'

/** What a token reaches, as it is asked for: everything, or exactly these; unknown and empty mean nothing (R16). */
export const access = z
  .strictObject({
    all_servers: z.boolean().optional().describe('true = every server, also those added later.'),
    servers: idList('server', 'Server id').optional().describe('Exactly these servers.'),
    groups: idList('group', 'Group id').optional().describe('The servers in these groups.'),
    tool_rules: toolRulesSchema
      .nullable()
      .optional()
      .describe('Globs on server/tool: {allow, deny}; deny wins.'),
  })
  .refine(({ all_servers, servers, groups }) => !(all_servers === true && (servers ?? groups)), {
    message: 'give all_servers or an explicit set of servers and groups, not both',
  })

export type Access = z.output<typeof access>

/** The columns of `tokens` that an access sets. */
export function accessColumns(asked: Access): { all_servers?: number; tool_rules?: string | null } {
  const rules = asked.tool_rules
  return {
    ...(asked.all_servers === true ? { all_servers: 1 } : {}),
    ...(asked.all_servers === false || asked.servers || asked.groups ? { all_servers: 0 } : {}),
    ...(rules === undefined ? {} : { tool_rules: rules === null ? null : JSON.stringify(rules) }),
  }
}

/** Checks the named groups and servers before anything is written, and answers how to set them. */
export async function resolveAccess(ctx: Context, asked: Access) {
  await refuseFurther(ctx, asked)
  await refuseOutside(ctx, asked.servers ?? [])
  const all = asked.all_servers === true
  const groups = asked.groups && (await existingGroups(ctx, asked.groups))
  const servers = asked.servers && (await existingServers(ctx, asked.servers))
  /** Sets the memberships that were asked for and leaves the others; true if any changed. */
  return async (tokenId: string): Promise<boolean> => {
    const newGroups = all ? [] : groups
    const newServers = all ? [] : servers
    const changedGroups = newGroups !== undefined && (await reach.setGroups(ctx.db, tokenId, newGroups))
    const changedServers = newServers !== undefined && (await reach.setServers(ctx.db, tokenId, newServers))
    return changedGroups || changedServers
  }
}
