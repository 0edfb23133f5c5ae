import { z } from 'zod'
import { findTokens } from '../../db/lookup.ts'
import type { Context } from '../../src/core/context.ts'
import { secretString } from '../../src/core/fields.ts'
import { type Holder, holderOf } from '../../src/core/leaked.ts'
import { operation } from '../../src/core/operation.ts'
import { candidateOf } from '../../src/core/verify.ts'
import { lastFour, shownPrefix } from '../../src/domain/secret.ts'
import { judge, type Verdict, verdicts } from '../../src/domain/verdict.ts'

const checked = z.object({
  prefix: z.string().describe('First 12 characters of the secret.'),
  last4: z.string(),
  kind: z.enum(['access', 'user_key', 'management']).nullable().describe('null = none in your reach.'),
  id: z.string().nullable(),
  name: z.string().nullable(),
  verdict: z.enum(verdicts).describe('What it would be told on an unlimited server now.'),
  live: z.boolean().describe('It works now, or would once it is switched on.'),
})

export const check_secrets = operation({
  name: 'check_secrets',
  title: 'Check secrets that were found',
  description:
    'Says of secrets that were found somewhere, such as in a repository, whether they are ours, whose, and whether they are live. Looking is no use of them and counts against no limit. Answers in the order given. Use report_leak to act on one, and validate_token where a token is presented to be used.',
  input: z.strictObject({
    secrets: z
      .array(secretString('A full secret.'))
      .min(1)
      .max(100)
      .describe('The secrets as they were found, 1 to 100.'),
  }),
  output: z.object({ secrets: z.array(checked) }),
  permission: 'tokens:read',
  effect: 'read',
  faces: ['rest', 'cli'],
  async run(ctx, { secrets }) {
    const found = []
    for (const secret of secrets) found.push(await check(ctx, secret))
    return { secrets: found }
  },
})

const dead: readonly Verdict[] = ['unknown', 'revoked', 'expired']

async function check(ctx: Context, secret: string): Promise<z.input<typeof checked>> {
  const shown = { prefix: shownPrefix(secret), last4: lastFour(secret) }
  const holder = await holderOf(ctx, secret)
  if (holder === undefined)
    return { ...shown, kind: null, id: null, name: null, verdict: 'unknown', live: false }
  const { id, kind, name } = holder.row
  const verdict = await verdictOf(ctx, holder)
  return { ...shown, id, kind, name, verdict, live: !dead.includes(verdict) }
}

async function verdictOf({ db, now }: Context, { row, secret }: Holder): Promise<Verdict> {
  if (secret === 'ended') return row.revoked_at === null ? 'unknown' : 'revoked'
  const [token] = await findTokens(db, [row.id])
  return token === undefined ? 'unknown' : judge(candidateOf(token), { now })
}
