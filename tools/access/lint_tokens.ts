import { z } from 'zod'
import * as lint from '../../db/lint.ts'
import type { Context } from '../../src/core/context.ts'
import { cursor, id, limit } from '../../src/core/fields.ts'
import { type Linted, linted } from '../../src/core/lint.ts'
import { mendOf } from '../../src/core/mend.ts'
import { operation } from '../../src/core/operation.ts'
import { decode } from '../../src/core/paging.ts'
import {
  type Finding,
  type LintRule,
  lintRules,
  type Severity,
  severities,
  severityOf,
} from '../../src/domain/hygiene.ts'

/** Tokens looked at in one call, and in one statement. */
const mostLookedAt = 1_000
const atOnce = 250

const finding = z.object({
  token: z.object({ id: z.string(), name: z.string().nullable() }),
  rule: z.enum(lintRules),
  severity: z.enum(severities),
  detail: z.string(),
  mend: z
    .object({ tool: z.string(), arguments: z.record(z.string(), z.unknown()) })
    .describe('The call that ends this finding, as it can be made.'),
})

export const lint_tokens = operation({
  name: 'lint_tokens',
  title: 'Lint tokens',
  description:
    'Lists what is wrong with tokens, oldest first: what breaks the policy of the instance or of their project, and what is careless, such as a leak that still works or a token nobody uses. Each finding names the call that mends it. Nothing is changed; try a mend with simulate_change, and see tokens whole with list_magic_tokens.',
  input: z.strictObject({
    project_id: id('project', 'Only tokens of this project').optional(),
    owner_id: id('user', 'Only tokens of this user').optional(),
    rule: z.enum(lintRules).optional().describe('Only findings of this rule.'),
    severity: z.enum(severities).optional().describe('Only findings of this severity.'),
    limit,
    cursor: cursor.optional(),
  }),
  output: z.object({
    findings: z.array(finding),
    looked_at: z.int().describe('Tokens looked at in this call.'),
    complete: z
      .boolean()
      .describe(
        `false = there may be more behind next_cursor, even without findings here: a call looks at ${mostLookedAt} tokens at most.`,
      ),
    next_cursor: z.string().nullable(),
  }),
  permission: 'tokens:read',
  effect: 'read',
  async run(ctx, input) {
    const findings: z.input<typeof finding>[] = []
    let place = placeOf(input.cursor)
    let looked_at = 0
    while (looked_at < mostLookedAt) {
      // The last of the rows before is read again.
      const most = Math.min(atOnce, mostLookedAt - looked_at + 1)
      const rows = await lint.page(ctx.db, ctx.scope, input, place.id, most)
      for (const one of await linted(ctx, rows)) {
        for (const { rule, detail } of wanted(one, input, place)) {
          findings.push(await shown(ctx, one, rule, detail))
          if (findings.length < input.limit) continue
          const to = rows.filter(({ id }) => id <= one.row.id && id !== place.id).length
          const next_cursor = encode({ id: one.row.id, told: lintRules.indexOf(rule) })
          return { findings, looked_at: looked_at + to, complete: false, next_cursor }
        }
      }
      looked_at += rows.filter(({ id }) => id !== place.id).length
      const last = rows.at(-1)?.id
      if (rows.length < most || last === undefined)
        return { findings, looked_at, complete: true, next_cursor: null }
      place = { id: last, told: lintRules.length }
    }
    return { findings, looked_at, complete: false, next_cursor: encode(place) }
  },
})

/** The last token that was looked at, and the rule of it that was told last. */
interface Place {
  id: string
  told: number
}

function encode({ id, told }: Place): string {
  return Buffer.from(`${id}_${told}`).toString('base64url')
}

function placeOf(cursor: string | undefined): Place {
  if (cursor === undefined) return { id: '', told: -1 }
  const [, id = '', told = '-1'] = /^(.*)_(\d{1,2})$/.exec(decode(cursor)) ?? []
  return { id, told: Number(told) }
}

interface Wanted {
  rule?: LintRule | undefined
  severity?: Severity | undefined
}

/** The findings of a token that were asked for and not told yet. */
function wanted({ row, findings }: Linted, asked: Wanted, { id, told }: Place): Finding[] {
  return findings.filter(
    ({ rule }) =>
      (asked.rule ?? rule) === rule &&
      (asked.severity ?? severityOf[rule]) === severityOf[rule] &&
      (row.id !== id || lintRules.indexOf(rule) > told),
  )
}

async function shown(ctx: Context, one: Linted, rule: LintRule, detail: string) {
  const { id, name } = one.row
  const mend = await mendOf(ctx, one, rule)
  return { token: { id, name }, rule, severity: severityOf[rule], detail, mend }
}
