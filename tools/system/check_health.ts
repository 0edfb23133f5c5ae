import { z } from 'zod'
import * as audit from '../../db/audit.ts'
import * as health from '../../db/health.ts'
import * as keys from '../../db/keys.ts'
import type { ServerRow } from '../../db/schema.ts'
import type { Context } from '../../src/core/context.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { readValues } from '../../src/core/server-values.ts'
import { isoTime } from '../../src/core/views/named.ts'

export const check_health = operation({
  name: 'check_health',
  title: 'Check the health',
  description:
    'Looks whether the instance is sound: policy, the end of the trail, and the sealed values of servers can be read, and somebody can administer it. Answers issues that need somebody, warnings that may be meant, and how many things there are. It proves no chain, which "tokenwright audit verify" does; list_audit_events shows what was done.',
  input: z.strictObject({}),
  output: z.object({
    status: z.enum(['healthy', 'degraded']).describe('degraded = there are issues.'),
    issues: z.array(z.string()),
    warnings: z.array(z.string()),
    statistics: z
      .object({
        projects: z.int(),
        users: z.int(),
        configs: z.int(),
        user_keys: z.int().describe('Switched off ones included.'),
        disabled_user_keys: z.int(),
        tokens: z.int().describe('Not revoked; user keys and management keys are none.'),
        servers: z.int(),
        groups: z.int(),
      })
      .describe('How many there are; what is deleted or revoked is left out.'),
    timestamp: isoTime,
  }),
  permission: 'system:read',
  effect: 'read',
  async run(ctx) {
    refuseBound(ctx)
    const issues: string[] = []
    const warnings: string[] = []
    let statistics: health.Statistics = { ...none }
    for (const [unreadable, check] of checks) {
      // What is wrong with the store is the answer, whatever the store says of it.
      await check(ctx, issues, warnings).catch(() => issues.push(unreadable))
    }
    await health
      .statistics(ctx.db)
      .then((counted) => (statistics = counted))
      .catch(() => issues.push('The things in the store cannot be counted.'))
    const status = issues.length === 0 ? ('healthy' as const) : ('degraded' as const)
    return { status, issues, warnings, statistics, timestamp: ctx.now }
  },
})

const none: health.Statistics = {
  projects: 0,
  users: 0,
  configs: 0,
  user_keys: 0,
  disabled_user_keys: 0,
  tokens: 0,
  servers: 0,
  groups: 0,
}

type Check = (ctx: Context, issues: string[], warnings: string[]) => Promise<void>

const checks: [unreadable: string, check: Check][] = [
  ['The settings cannot be read.', async (ctx) => void (await ctx.settings())],
  ['The trail cannot be read.', trail],
  ['The servers cannot be read.', sealedValues],
  ['The management keys cannot be read.', admins],
  ['The projects cannot be read.', projects],
]

async function trail({ db }: Context, issues: string[]): Promise<void> {
  const head = await audit.head(db)
  if (head.seq === 0 || (await audit.holds(db, head))) return
  // A writer may have moved the end between the two reads.
  if (await audit.holds(db, await audit.head(db))) return
  issues.push('The end of the trail is not where it should be; run "tokenwright audit verify".')
}

async function sealedValues(ctx: Context, issues: string[]): Promise<void> {
  let closed = 0
  const opens = (row: ServerRow) =>
    [readValues(ctx.keys, row, 'env'), readValues(ctx.keys, row, 'headers')].every((values) => values)
  for await (const rows of health.sealedServers(ctx.db)) closed += rows.filter((row) => !opens(row)).length
  if (closed === 0) return
  issues.push(`The env or headers of ${closed} servers do not open: they were moved or changed in the store.`)
}

async function admins({ db, now }: Context, _: string[], warnings: string[]): Promise<void> {
  if ((await keys.usableAdmins(db, now)).length > 0) return
  warnings.push('No admin key works: only the command line can administer this instance.')
}

async function projects({ db }: Context, _: string[], warnings: string[]): Promise<void> {
  const without = await health.projectsWithoutConfig(db)
  if (without > 0) warnings.push(`${without} projects have no configuration: their tokens reach no server.`)
}
