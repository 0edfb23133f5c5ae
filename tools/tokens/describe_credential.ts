import { z } from 'zod'
import * as projects from '../../db/projects.ts'
import * as users from '../../db/users.ts'
import type { TokenActor } from '../../src/core/actor.ts'
import type { Context } from '../../src/core/context.ts'
import { operation } from '../../src/core/operation.ts'
import { isoTime } from '../../src/core/views/named.ts'

const times = { created_at: isoTime, updated_at: isoTime }

const environment = z.object({
  id: z.string(),
  project_id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  variables: z.record(z.string(), z.string()),
  is_default: z.boolean(),
  ...times,
})

const output = z.object({
  token: z.object({ id: z.string(), kind: z.enum(['access', 'user_key']) }),
  project: z
    .object({ id: z.string(), name: z.string(), description: z.string().nullable(), ...times })
    .nullable()
    .describe('The project the token is bound to.'),
  environments: z.array(environment).describe('All environments of that project.'),
  user: z.object({ id: z.string(), email: z.string() }).nullable().describe('Who owns the token.'),
})

export const describe_credential = operation({
  name: 'describe_credential',
  title: 'Describe the own credential',
  description:
    'Tells the holder of a token what it stands for: its id, its owner, and the project it is bound to with all environments and their variables. It is called with the token itself as credential, and a replaced secret may call it while its grace lasts. Use validate_token to ask about the token of somebody else.',
  input: z.strictObject({}),
  output,
  permission: 'tokens:self',
  effect: 'read',
  faces: ['rest'],
  permitsSelf: isToken,
  async run({ db, actor }) {
    if (!isToken(actor)) throw new Error('only a token describes itself')
    const { id, kind, project_id, owner_id } = actor
    // The token's own scope holds nothing but itself; these two are what it was made for.
    const project = project_id === null ? undefined : await projects.findLive(db, { project_id }, project_id)
    const user = owner_id === null ? undefined : await users.findLive(db, {}, owner_id)
    const environments = project === undefined ? [] : await projects.environmentsOf(db, [project.id])
    return {
      token: { id, kind },
      project: project ?? null,
      environments: environments.map(({ variables, is_default, ...rest }) => ({
        ...rest,
        variables: JSON.parse(variables) as Record<string, string>,
        is_default: is_default === 1,
      })),
      user: user ?? null,
    }
  },
})

function isToken(actor: Context['actor']): actor is TokenActor {
  return actor.kind === 'access' || actor.kind === 'user_key'
}
