import { z } from 'zod'
import * as links from '../../db/links.ts'
import * as tokens from '../../db/tokens.ts'
import type { Context } from '../../src/core/context.ts'
import { AppError } from '../../src/core/errors.ts'
import { secretString } from '../../src/core/fields.ts'
import { mayCollect } from '../../src/core/hand-over.ts'
import { operation } from '../../src/core/operation.ts'
import { isoTime } from '../../src/core/views/named.ts'
import { unseal } from '../../src/domain/seal.ts'
import { digest } from '../../src/domain/secret.ts'

export const redeem_link = operation({
  name: 'redeem_link',
  title: 'Redeem a one-time link',
  description:
    'Hands over the secret that waits behind a one-time link, once and within 10 minutes of its making; the code is the only credential it takes. What waits on a sign-in page is for whoever asked for it: the caller is judged too. A second attempt is refused, says when the first was, and is recorded. Rotate the token for a new secret when the link has gone.',
  input: z.strictObject({
    code: secretString('The code: what stands behind # or /hand-over/ in the address.'),
  }),
  output: z.object({
    token_id: z.string(),
    name: z.string().nullable().describe('Name of the token.'),
    secret: secretString('The full secret; shown this once.'),
    redeemed_at: isoTime,
  }),
  permission: 'public',
  effect: 'change',
  faces: ['rest', 'cli'],
  target: (_, done) => done?.token_id,
  // Guesses leave no row, or guessing could fill the disk; nor do they take the one writer's turn.
  prepare: async (ctx, { code }) => void (await findLink(ctx, code)),
  async run(ctx, { code }) {
    const link = await findLink(ctx, code)
    const token = await tokens.find(ctx.db, {}, link.token_id)
    const answer = { token_id: link.token_id, name: token?.name ?? null }
    if (!(await mayCollect(ctx, link))) {
      ctx.deny({ refused: 'not_asked_by' })
      return { ...answer, secret: '', redeemed_at: foreign }
    }
    const secret = await burn(ctx, link)
    if (secret !== undefined) return { ...answer, secret, redeemed_at: ctx.now }
    ctx.deny({ refused: link.redeemed_at === null ? 'ended' : 'redeemed' })
    return { ...answer, secret: '', redeemed_at: link.redeemed_at ?? '' }
  },
  /** A refusal inside the transaction would take its own record back, so it is told here, of an empty secret. */
  async deliver(_, done) {
    if (done.secret !== '') return done
    if (done.redeemed_at === foreign) throw unknownCode()
    const why =
      done.redeemed_at === ''
        ? 'This link has expired or its secret was replaced'
        : `This link was opened at ${done.redeemed_at}`
    throw new AppError(
      'gone',
      `${why}. If that was not you, rotate the token now; either way that makes a new link.`,
      {
        entity: 'link',
        id: done.token_id,
        reason: done.redeemed_at === '' ? 'ended' : 'redeemed',
      },
    )
  },
})

/** Stands for the time where the caller is told what everybody is told of a code that does not exist. */
const foreign = '-'

async function findLink(ctx: Context, code: string): Promise<links.LinkRow> {
  const link = await links.findByCode(ctx.db, digest(ctx.keys.link, code))
  // Without a sign-in nobody has asked for anything.
  const isForeign = link?.asked_by != null && ctx.actor.kind === 'nobody'
  if (link !== undefined && !isForeign) return link
  throw unknownCode()
}

function unknownCode(): AppError {
  return new AppError('not_found', 'No link has this code. Check it, or rotate the token.', {
    entity: 'link',
  })
}

/** The secret, for the one call that burns a link in its time. */
async function burn(ctx: Context, link: links.LinkRow): Promise<string | undefined> {
  if (link.sealed === null || link.expires_at <= ctx.now) return undefined
  const secret = unseal(ctx.keys.link, link.sealed, link.id)
  return (await links.redeem(ctx.db, link.id, ctx.now)) ? secret : undefined
}
