import { z } from 'zod'
import type { TokenRow } from '../../db/schema.ts'
import { access } from '../../src/core/access.ts'
import type { Context } from '../../src/core/context.ts'
import { effectOf, standingOf } from '../../src/core/effect.ts'
import { allowedIps, idList, idOrName, time } from '../../src/core/fields.ts'
import { refuseExpiry } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { operationOf, refuseMixed, type Subject, subjectOf } from '../../src/core/simulated.ts'
import { isoTime, named } from '../../src/core/views/named.ts'
import { showToken } from '../../src/core/views/token.ts'
import { changes, summaryOf, warningsOf } from '../../src/domain/told-change.ts'

const shown = 20

const someServers = z.object({
  count: z.int(),
  servers: z.array(named).describe(`${shown} of them at most.`),
})

const output = z.object({
  summary: z.string(),
  warnings: z.array(z.string()),
  refused: z
    .object({ code: z.string(), detail: z.string() })
    .nullable()
    .describe('What the real call would answer you; null = it would be done.'),
  servers_lost: someServers,
  servers_gained: someServers,
  servers_kept: someServers,
  tokens_hit: z.object({
    count: z.int().describe('Tokens that lose or gain a server.'),
    tokens: z.array(z.object({ id: z.string(), name: z.string().nullable() })),
  }),
  last_used_at: isoTime.nullable().describe('Of the token, or the latest of those that are hit.'),
  last_used_ip: z.string().nullable(),
  last_used_ago_seconds: z.int().nullable(),
  use_count: z.int(),
  predecessor: z
    .object({ valid_until: isoTime, last_used_at: isoTime.nullable() })
    .nullable()
    .describe('The replaced secret of the token, while its grace lasts.'),
})

export const simulate_change = operation({
  name: 'simulate_change',
  title: 'Simulate a change',
  description:
    'Tells what a change would do before it is made: which servers a token would lose and gain, when it was last used, and what to mind. access, allowed_ips and expires_at go with update, group_id or server_id with delete. Nothing is changed; revoke_token, set_token_enabled, rotate_token, update_token and delete_group make it real. To see why something is open now use explain_access.',
  input: z.strictObject({
    token_id: idOrName('token', 'Token to change').optional(),
    group_id: idOrName('group', 'Instead: group to delete').optional(),
    server_id: idOrName('server', 'Instead: server to delete').optional(),
    change: z.enum(changes).describe('What would be done; delete is for groups and servers.'),
    access: access.optional().describe('With update: new reach, as update_token takes it.'),
    allowed_ips: allowedIps.nullable().optional().describe('With update: new address list; null = any.'),
    expires_at: time.nullable().optional().describe('With update: new end (ISO 8601); null = never.'),
    group_ids: idList('group', 'Group id').optional().describe('With add_groups and remove_groups.'),
  }),
  output,
  permission: 'tokens:read',
  effect: 'read',
  target: ({ token_id, group_id, server_id }) => token_id ?? group_id ?? server_id,
  check(input, now) {
    refuseMixed(input)
    refuseExpiry({ expires_at: input.expires_at }, now)
  },
  async run(ctx, input) {
    const subject = await subjectOf(ctx, input)
    const { of, tokens, among } = subject
    const rehearsed = await ctx.rehearse(...operationOf(input, subject), (at) =>
      standingOf(at, tokens, among),
    )
    const { refused, before, after, output: made } = rehearsed
    const { lost, gained, kept, hit } = effectOf(before, after)
    const felt = of === 'token' ? tokens : tokens.filter(({ id }) => hit.includes(id))
    const facts = await useOf(ctx, felt, subject)
    const told = {
      change: input.change,
      of,
      // Who may not make the change is still told what it would do.
      refused: made === undefined ? (refused?.message ?? null) : null,
      changed: (made as { changed?: boolean } | undefined)?.changed !== false,
      lost: lost.length,
      gained: gained.length,
      kept: kept.length,
      hit: hit.length,
      used:
        facts.last_used_ago_seconds === null
          ? null
          : { seconds: facts.last_used_ago_seconds, ip: facts.last_used_ip },
      predecessor_until: facts.predecessor?.valid_until ?? null,
      before: of === 'token' ? before.get(subject.id) : undefined,
      after: of === 'token' ? after.get(subject.id) : undefined,
    }
    return {
      summary: summaryOf(told),
      warnings: [
        ...(made !== undefined && refused !== undefined ? [refused.message] : []),
        ...warningsOf(told),
      ],
      refused: refused === undefined ? null : { code: refused.code, detail: refused.message },
      servers_lost: some(lost),
      servers_gained: some(gained),
      servers_kept: some(kept),
      tokens_hit: {
        count: hit.length,
        tokens: tokens.filter(({ id }) => hit.includes(id)).slice(0, shown),
      },
      ...facts,
    }
  },
})

function some(servers: z.input<typeof named>[]) {
  return { count: servers.length, servers: servers.slice(0, shown) }
}

/** When these tokens were last used, and how often. */
async function useOf(ctx: Context, tokens: readonly TokenRow[], { of }: Subject) {
  const [latest] = tokens.toSorted((a, b) => ((a.last_used_at ?? '') < (b.last_used_at ?? '') ? 1 : -1))
  const at = latest?.last_used_at ?? null
  const only = of === 'token' ? latest : undefined
  return {
    last_used_at: at,
    last_used_ip: at === null ? null : (latest?.last_used_ip ?? null),
    last_used_ago_seconds:
      at === null ? null : Math.max(0, Math.floor((Date.parse(ctx.now) - Date.parse(at)) / 1_000)),
    use_count: tokens.reduce((sum, token) => sum + token.use_count, 0),
    predecessor: only === undefined ? null : (await showToken(ctx, only)).predecessor,
  }
}
