import * as projects from '../../db/projects.ts'
import type { TokenRow } from '../../db/schema.ts'
import * as tokens from '../../db/tokens.ts'
import { policyOf, type Violation, violationsOf } from '../domain/policy.ts'
import { type Policy, type ProjectPolicy, projectPolicySchema } from '../domain/settings.ts'
import type { Context } from './context.ts'
import { AppError } from './errors.ts'

type Asking = Pick<Context, 'db' | 'settings'>
type Belongs = Pick<TokenRow, 'owner_id' | 'project_id'>

/** What binds the tokens of a project, or those of none, as it stands in this transaction. */
export async function policyFor(ctx: Asking, projectId: string | null): Promise<Policy> {
  return policyOf(await ctx.settings(), await ownPolicy(ctx, projectId))
}

async function ownPolicy({ db }: Asking, projectId: string | null): Promise<ProjectPolicy | null> {
  return readPolicy(projectId === null ? null : await projects.findPolicy(db, projectId))
}

/** The policy a caller gives a project. */
export const projectPolicy = projectPolicySchema
  .nullable()
  .describe(
    'What its tokens must keep beyond the settings, replaced whole; the stricter wins. null = nothing.',
  )

/** As the row of the project holds it; undefined = not given, and what asks for nothing is none. */
export function policyText(policy: ProjectPolicy | null | undefined): string | null | undefined {
  if (policy === undefined) return undefined
  const asked = Object.entries(policy ?? {}).filter(([, value]) => value !== undefined)
  return asked.length === 0 ? null : JSON.stringify(Object.fromEntries(asked))
}

/** The policy of a project as its row holds it. */
export function readPolicy(text: string | null): ProjectPolicy | null {
  return text === null ? null : projectPolicySchema.parse(JSON.parse(text))
}

/** The call that mends what a token breaks, as the sentence of a refusal. */
const mending: Partial<Record<Violation['rule'], string>> = {
  max_lifetime_days: 'Shorten it with update_token first.',
  require_expiry: 'Give it an end with update_token (expires_in_days) first.',
  require_allowed_ips: 'Give it allowed_ips with update_token first.',
}

const broken: Partial<Record<Violation['rule'], keyof TokenRow>> = {
  max_lifetime_days: 'expires_at',
  require_expiry: 'expires_at',
  require_allowed_ips: 'allowed_ips',
}

/** Refuses to renew what the policy would not let anyone make now: rotation obeys it as well. */
export async function requirePolicy(ctx: Context, token: TokenRow): Promise<void> {
  const refusal = await policyRefusal(ctx, token)
  if (refusal !== undefined) throw refusal
}

/** The refusal of a token that the policy does not let anyone renew; undefined = it may be renewed. */
export async function policyRefusal(ctx: Context, token: TokenRow): Promise<AppError | undefined> {
  const policy = await policyFor(ctx, token.project_id)
  // To renew a token that nobody used is what wakes it.
  const [first] = violationsOf(token, policy, ctx.now).filter(({ rule }) => rule in mending)
  if (first === undefined) return roomRefusal(ctx, token, 0)
  return new AppError('conflict', `${first.detail} ${mending[first.rule]}`, {
    entity: 'token',
    id: token.id,
    field: broken[first.rule] ?? 'token_id',
    reason: first.rule,
  })
}

/** A bound on the live tokens of an owner, and where it counts them: the instance everywhere, a project in itself. */
export async function boundsOf(
  ctx: Asking,
  projectId: string | null,
): Promise<{ most: number; project_id: string | null }[]> {
  const instance = (await ctx.settings()).max_live_tokens_per_owner
  const own = (await ownPolicy(ctx, projectId))?.max_live_tokens_per_owner ?? null
  return [
    ...(instance === null ? [] : [{ most: instance, project_id: null }]),
    ...(own === null ? [] : [{ most: own, project_id: projectId }]),
  ]
}

/**
 * Refuses more live tokens than an owner may have. It counts inside the transaction that adds one, and these follow one
 * another, so that no race makes one too many.
 */
export async function requireRoom(ctx: Context, owned: Belongs): Promise<void> {
  const refusal = await roomRefusal(ctx, owned, 1)
  if (refusal !== undefined) throw refusal
}

async function roomRefusal(
  ctx: Context,
  { owner_id, project_id }: Belongs,
  adding: 0 | 1,
): Promise<AppError | undefined> {
  if (owner_id === null) return undefined
  for (const { most, project_id: within } of await boundsOf(ctx, project_id)) {
    const live = await tokens.countLive(ctx.db, owner_id, within, ctx.now, most + 1)
    if (live + adding <= most) continue
    const where = within === null ? '' : ' in this project'
    return new AppError(
      'conflict',
      `An owner may have ${most} live tokens${where} (max_live_tokens_per_owner), and this one has ${live > most ? 'more' : 'them'}. End one with revoke_token first.`,
      { entity: 'user', id: owner_id, field: 'owner_id', reason: 'max_live_tokens_per_owner' },
    )
  }
  return undefined
}
