import { z } from 'zod'
import * as groups from '../../../db/groups.ts'
import * as reach from '../../../db/reach.ts'
import type { TokenRow } from '../../../db/schema.ts'
import * as servers from '../../../db/servers.ts'
import type { Context } from '../context.ts'
import { groupView } from './group.ts'
import { named } from './named.ts'
import { serverView } from './server.ts'
import { showTokens, tokenView } from './token.ts'

/** What a dialect asks to see of a token beside the rest: the servers it reaches now, the groups and servers it names in full. */
export const widely = z.object({ show: z.enum(['reach', 'members']) })

const plainGroup = groupView.omit({ servers: true, deleted_at: true })
const plainServer = serverView.pick({ id: true, name: true, description: true, status: true })

export const wideTokenView = tokenView.extend({
  reach: z.array(named).optional(),
  group_views: z.array(plainGroup).optional(),
  server_views: z.array(plainServer).optional(),
})

/** The output of an operation on one token, as a dialect gets it. */
export const wideToken = z.object({ token: wideTokenView })

export type WideTokenView = z.input<typeof wideTokenView>

type Asked = z.output<typeof widely>['show'] | undefined

/** Shows rows with what was asked for; two queries more at the most for any number of tokens. */
export async function showWidely(
  ctx: Pick<Context, 'db' | 'now'>,
  rows: readonly TokenRow[],
  asked: Asked,
): Promise<WideTokenView[]> {
  const shown = await showTokens(ctx, rows)
  if (asked === 'reach') {
    const reached = await reach.reachedBy(
      ctx.db,
      shown.map(({ id }) => id),
    )
    return shown.map((token) => ({ ...token, reach: reached.get(token.id) ?? [] }))
  }
  return asked === 'members' ? withMembers(ctx, shown) : shown
}

/** Shows one row. */
export async function showOneWidely(
  ctx: Pick<Context, 'db' | 'now'>,
  row: TokenRow,
  asked: Asked,
): Promise<WideTokenView> {
  const [shown] = await showWidely(ctx, [row], asked)
  if (shown === undefined) throw new Error('one row in, one view out')
  return shown
}

async function withMembers({ db }: Pick<Context, 'db'>, tokens: WideTokenView[]): Promise<WideTokenView[]> {
  const named = (kind: 'groups' | 'servers') => [
    ...new Set(tokens.flatMap(({ access }) => access[kind].map(({ id }) => id))),
  ]
  const groupRows = new Map((await groups.findMany(db, named('groups'))).map((row) => [row.id, row]))
  const serverRows = new Map((await servers.findMany(db, {}, named('servers'))).map((row) => [row.id, row]))
  return tokens.map((token) => ({
    ...token,
    group_views: token.access.groups.flatMap(({ id }) => {
      const row = groupRows.get(id)
      return row === undefined
        ? []
        : [{ ...row, metadata: JSON.parse(row.metadata), status: 'active' as const }]
    }),
    server_views: token.access.servers.flatMap(({ id }) => {
      const row = serverRows.get(id)
      return row === undefined ? [] : [{ ...row, status: 'active' as const }]
    }),
  }))
}
