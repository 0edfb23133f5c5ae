import { z } from 'zod'
import * as reach from '../../db/reach.ts'
import { toolRulesSchema } from '../domain/tool-rules.ts'
import { limitColumns, type UseLimits, useLimitsSchema } from '../domain/use-limits.ts'
import type { Context } from './context.ts'
import { idList } from './fields.ts'
import { refuseFurther, refuseOutside } from './limits.ts'
import { existingMembers } from './token-state.ts'

function accessOf(ids: (kind: 'group' | 'server', what: string) => z.ZodArray<z.ZodString>) {
  return z
    .strictObject({
      all_servers: z.boolean().optional().describe('true = every server, also those added later.'),
      servers: ids('server', 'Server id').optional().describe('Exactly these servers.'),
      groups: ids('group', 'Group id').optional().describe('The servers in these groups.'),
      tool_rules: toolRulesSchema
        .nullable()
        .optional()
        .describe('Globs on server/tool; deny wins, null = none.'),
      limits: useLimitsSchema.nullable().optional().describe('How often it may be used; null = no limits.'),
    })
    .refine(({ all_servers, servers, groups }) => !(all_servers === true && (servers ?? groups)), {
      message: 'give all_servers or an explicit set of servers and groups, not both',
    })
}

/** What a token reaches, as it is asked for: everything, or exactly these; unknown and empty mean nothing (R16). */
export const access = accessOf(idList)

export type Access = z.output<typeof access>

/** Ids as a dialect gives them: as many as a body may hold. */
export const anyIds = z.array(z.string().min(1))

/** An access as a dialect gives it. */
export const anyAccess = accessOf(() => anyIds)

/** The columns of `tokens` that an access sets. */
export function accessColumns(
  asked: Access,
): Partial<UseLimits> & { all_servers?: number; tool_rules?: string | null } {
  const { tool_rules: rules, limits } = asked
  return {
    ...(asked.all_servers === true ? { all_servers: 1 } : {}),
    ...(asked.all_servers === false || asked.servers || asked.groups ? { all_servers: 0 } : {}),
    ...(rules === undefined ? {} : { tool_rules: rules === null ? null : JSON.stringify(rules) }),
    ...(limits === undefined ? {} : limitColumns(limits)),
  }
}

/** Checks the named groups and servers before anything is written, and answers how to set them. */
export async function resolveAccess(ctx: Context, asked: Access) {
  await refuseFurther(ctx, asked)
  await refuseOutside(ctx, asked.servers ?? [])
  const all = asked.all_servers === true
  const { groups, servers } = await existingMembers(ctx, asked)
  /** Sets the memberships that were asked for and leaves the others; true if any changed. */
  return async (tokenId: string): Promise<boolean> => {
    const newGroups = all ? [] : groups
    const newServers = all ? [] : servers
    const changedGroups = newGroups !== undefined && (await reach.setGroups(ctx.db, tokenId, newGroups))
    const changedServers = newServers !== undefined && (await reach.setServers(ctx.db, tokenId, newServers))
    return changedGroups || changedServers
  }
}
