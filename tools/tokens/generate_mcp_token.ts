import { z } from 'zod'
import * as projects from '../../db/projects.ts'
import * as tokens from '../../db/tokens.ts'
import type { Context } from '../../src/core/context.ts'
import { AppError } from '../../src/core/errors.ts'
import { idempotencyKey, secretString } from '../../src/core/fields.ts'
import { grantAddresses, grantExpiry } from '../../src/core/limits.ts'
import { newSecret } from '../../src/core/new-secret.ts'
import { operation } from '../../src/core/operation.ts'
import { signedIn } from '../../src/core/signed-in.ts'
import { policyFor, requireRoom } from '../../src/core/token-policy.ts'
import { showUnreaching, tokenView } from '../../src/core/views/token.ts'

const environment = z.object({
  id: z.string(),
  name: z.string(),
  is_default: z.boolean(),
  variables: z.record(z.string(), z.string()),
})

const output = z.object({
  user: z.object({ id: z.string(), email: z.string(), name: z.string().nullable() }),
  project: z.object({
    id: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    environments: z.array(environment),
  }),
  token: tokenView,
  secret: secretString('The full secret; shown this once.'),
  public_url: z.string().nullable().describe('The address of this instance, where one is known.'),
})

export const generate_mcp_token = operation({
  name: 'generate_mcp_token',
  title: 'Generate an MCP token',
  description:
    'Makes a token for a project in the name of the person who signs in for this call: it opens every server of the project and has no expiry. Any enabled member of the project may, with e-mail and password beside the input. Use revoke_mcp_token to take it back, and create_token with a management key for anything narrower.',
  input: z.strictObject({
    // A value of any form: what is no id of a project of the caller's is one refusal.
    project_id: z.string().min(1).describe('Project the token is for, by its id (proj_…).'),
    idempotency_key: idempotencyKey.optional(),
  }),
  output,
  permission: 'tokens:generate',
  effect: 'create',
  faces: ['rest', 'cli'],
  credential: 'password',
  retryable: true,
  target: (input, done) => done?.token.id ?? input.project_id,
  admit: granted,
  prepare: async (ctx) => newSecret(ctx.keys, (await ctx.settings()).token_prefix),
  async run(ctx, input, { secret, columns }) {
    const { user, project, expires_at } = await granted(ctx, input)
    await requireRoom(ctx, { owner_id: user.id, project_id: project.id })
    const row = await tokens.insert(ctx.db, {
      ...columns,
      id: ctx.newId('token'),
      kind: 'access',
      role: null,
      source: 'operation',
      name: tokenName(project.name),
      metadata: '{}',
      owner_id: user.id,
      project_id: project.id,
      all_servers: 1,
      expires_at,
      enabled: 1,
      generation: 1,
      created_at: ctx.now,
      created_by: user.id,
      updated_at: ctx.now,
    })
    ctx.note({ project_id: project.id, expires_at, all_servers: true })
    const environments = await projects.environmentsOf(ctx.db, [project.id])
    return {
      user,
      project: { ...project, environments: environments.map(shown) },
      token: await showUnreaching(ctx, row),
      secret,
      public_url: (await ctx.settings()).public_url,
    }
  },
})

/** Who gets a token for what, and that none has an end; throws `unauthenticated`, `forbidden`, `invalid_input`. */
async function granted(ctx: Context, { project_id }: { project_id: string }) {
  const user = await signedIn(ctx)
  const project = await projects.findLive(ctx.db, {}, project_id)
  const member = await projects.isMember(ctx.db, project_id, user?.id ?? '')
  if (user === undefined || project === undefined || !member) throw noAccess()
  // The operation holds the permission for a token without an end; the policy of the instance still binds it.
  const policy = await policyFor(ctx, project.id)
  const expires_at = await grantExpiry(ctx, { expires_at: null }, policy, true)
  grantAddresses(ctx, null, policy)
  return { user, project, expires_at }
}

function shown({ variables, is_default, ...rest }: Awaited<ReturnType<typeof projects.environmentsOf>>[0]) {
  return {
    ...rest,
    variables: JSON.parse(variables) as Record<string, string>,
    is_default: is_default === 1,
  }
}

/** At most 200 characters, and no half of one at the end. */
function tokenName(project: string): string {
  return `gassapi ${project}`.slice(0, 200).replace(/\p{Surrogate}$/u, '')
}

/** One refusal for a project that is not there, one of others, and a member who may no longer act. */
function noAccess(): AppError {
  return new AppError('forbidden', 'Project not found or access denied.', { reason: 'project' })
}
