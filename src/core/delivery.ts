import { join } from 'node:path'
import { z } from 'zod'
import * as links from '../../db/links.ts'
import { seal } from '../domain/seal.ts'
import { digest, makeSecret } from '../domain/secret.ts'
import { type DeliveryKind, deliveryKinds, type Policy } from '../domain/settings.ts'
import { type Actor, actorId } from './actor.ts'
import type { Context, Via } from './context.ts'
import { AppError } from './errors.ts'
import { secretString } from './fields.ts'
import { makePrivateFolder, writePrivately } from './private-file.ts'

/** How long a one-time link waits, ms (security R7). */
const linkLife = 10 * 60_000

/** Prefix of the codes of one-time links. */
export const linkPrefix = 'once'

/** How a new secret reaches its user; the argument of create and rotate. */
export const delivery = z
  .enum(deliveryKinds)
  .optional()
  .describe(
    'How the secret is handed over: link = one-time page (default here; keeps it out of this conversation), inline = in this answer, file = a private file on this machine.',
  )

/** What an answer says of a new secret. */
export const deliveryView = z.object({
  kind: z.enum(deliveryKinds),
  secret: secretString('The full secret; shown this once.').optional(),
  url: z.string().optional().describe('Opens a page that reveals the secret once.'),
  code: z.string().optional().describe('Redeems the secret once: tokenwright claim.'),
  expires_at: z.string().optional().describe('When the link ends.'),
  path: z.string().optional().describe('The file that holds the secret as MCP_TOKEN=…'),
  next: z.string().describe('What to tell the user.'),
})

export type DeliveryView = z.input<typeof deliveryView>

const localFaces: readonly Via[] = ['stdio', 'cli']
const modelFaces: readonly Via[] = ['stdio', 'mcp']

/** Whether what the face answers is read by a model. */
export function isModelFace(via: Via): boolean {
  return modelFaces.includes(via)
}

/** The kind of delivery in force for this call; refuses what the face or the policy forbids, before any effect. */
export function chooseDelivery(
  ctx: Context,
  asked: DeliveryKind | undefined,
  { delivery_kinds }: Policy,
): DeliveryKind {
  const toModel = isModelFace(ctx.via)
  const kind = asked ?? (toModel ? 'link' : 'inline')
  if (kind === 'file' && !localFaces.includes(ctx.via)) {
    throw new AppError(
      'invalid_input',
      'delivery "file" works on stdio and the command line only; ask for "link".',
      {
        field: 'delivery',
      },
    )
  }
  if ((toModel || asked !== undefined) && !delivery_kinds.includes(kind)) {
    const allowed = delivery_kinds.map((one) => `"${one}"`).join(' or ')
    const next = allowed === '' ? 'instance and project have none in common' : `ask for ${allowed}`
    throw new AppError(
      'forbidden',
      `delivery "${kind}" is forbidden by the setting delivery_kinds; ${next}.`,
      {
        field: 'delivery',
      },
    )
  }
  return kind
}

/** A page of ours where a person signs in and sees one secret once; the id in its address opens nothing by itself. */
export interface Page {
  id: string
  url: string
}

/** Whoever asked for a secret that waits on a page, as its link remembers them. */
export interface Asker {
  kind: Actor['kind']
  id: string | null
  name: string | null
}

/** Inside the transaction: what will be handed over; the secret of a link or a page waits sealed in the store. */
export async function handOver(
  ctx: Context,
  tokenId: string,
  secret: string,
  kind: DeliveryKind,
  page?: Page,
): Promise<DeliveryView> {
  if (kind !== 'link') return { kind, secret, next: 'Store the secret now; it is not shown again.' }
  const id = ctx.newId('link')
  const code = page?.id ?? makeSecret(linkPrefix)
  const expires_at = new Date(Date.parse(ctx.now) + linkLife).toISOString()
  await links.insert(ctx.db, {
    id,
    code_hash: digest(ctx.keys.link, code),
    token_id: tokenId,
    sealed: seal(ctx.keys.link, secret, id),
    created_at: ctx.now,
    expires_at,
    redeemed_at: null,
    asked_by: page === undefined ? null : JSON.stringify(askerOf(ctx)),
  })
  if (page !== undefined) return { kind, url: page.url, expires_at, next: toPage }
  return {
    kind,
    code,
    expires_at,
    next: 'Run "tokenwright claim" and enter the code to see the secret once.',
  }
}

const toPage =
  'The user was sent to this page: it shows the secret once, after they sign in there, for 10 minutes. Nothing in this conversation opens it. Where the page does not load, "tokenwright claim" takes its address.'

function askerOf({ actor }: Context): Asker {
  return { kind: actor.kind, id: actorId(actor), name: 'name' in actor ? actor.name : null }
}

/** After the commit: puts the secret where it was asked to be. */
export async function deliver(ctx: Context, tokenId: string, made: DeliveryView): Promise<DeliveryView> {
  if (made.kind === 'file' && made.secret !== undefined) {
    const folder = join(ctx.host.dataDir, 'secrets')
    const path = join(folder, `${tokenId}.env`)
    await makePrivateFolder(folder)
    await writePrivately(path, `MCP_TOKEN=${made.secret}\n`)
    return {
      kind: 'file',
      path,
      next: `The secret is in ${path} as MCP_TOKEN; this conversation does not hold it.`,
    }
  }
  if (made.kind === 'link' && made.code !== undefined) {
    const base = await ctx.host.revealBase()
    if (base === null) return made
    const url = `${base.replace(/\/$/, '')}/reveal#${made.code}`
    const { code: _, ...rest } = made
    return {
      ...rest,
      url,
      next: 'Give the user this link: it opens once, for 10 minutes, and shows the secret to them alone. Where it does not open, "tokenwright claim" takes the part behind the #.',
    }
  }
  return made
}
