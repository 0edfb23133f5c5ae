import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import type { ServerRow } from '../../db/schema.ts'
import * as servers from '../../db/servers.ts'
import { type GuardrailPolicy, storedPolicy } from '../domain/guardrail-policy.ts'
import type { Context } from './context.ts'
import { differing } from './found.ts'
import type { runsPart } from './server-fields.ts'
import { changedRuns, runColumns, toldRuns } from './server-runs.ts'

const sides = ['input_guardrails', 'output_guardrails'] as const

/** What may change of a server as the gateway opens it; what is absent stays. */
export interface ServerChange {
  runs?: z.output<typeof runsPart> | undefined
  tools?: Record<string, unknown> | undefined
  description?: string | undefined
  input_guardrails?: GuardrailPolicy | undefined
  output_guardrails?: GuardrailPolicy | undefined
}

/** Changes a live server and notes for the trail which columns, the whole argv, and of values the names (security R34, R37). */
export async function changeServer(
  ctx: Context,
  server: ServerRow,
  asked: ServerChange,
): Promise<{ row: ServerRow; changed: boolean }> {
  const next = asked.runs && changedRuns(ctx, server, asked.runs)
  const changes = {
    ...(next === undefined ? {} : runColumns(ctx, server, next)),
    ...differing(server, {
      description: asked.description,
      tools: asked.tools && JSON.stringify(asked.tools),
    }),
    ...policyColumns(server, asked),
  }
  const changed = Object.keys(changes).length > 0
  const row = changed
    ? await servers.update(ctx.db, ctx.scope, server.id, { ...changes, updated_at: ctx.now })
    : server
  ctx.note({
    changed: Object.keys(changes),
    ...(next === undefined ? {} : toldRuns(next)),
    ...Object.fromEntries(sides.flatMap((side) => (asked[side] ? [[side, toldPolicy(asked[side])]] : []))),
  })
  return { row: row ?? server, changed }
}

/** The policies that differ from those that are stored. */
function policyColumns(
  server: ServerRow,
  asked: ServerChange,
): Partial<Pick<ServerRow, (typeof sides)[number]>> {
  const differ = sides.filter(
    (side) => asked[side] !== undefined && !isDeepStrictEqual(storedPolicy(server[side]), asked[side]),
  )
  return Object.fromEntries(differ.map((side) => [side, JSON.stringify(asked[side])]))
}

function toldPolicy({ enabled, policy_name, block }: GuardrailPolicy) {
  return { enabled, policy_name, block }
}
