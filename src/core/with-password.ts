import { z } from 'zod'
import type { Caller } from './context.ts'
import { secrets } from './fields.ts'
import { type Core, invoke, told } from './invoke.ts'
import type { AnyOperation } from './operation.ts'
import { invalid, parseInput } from './parse.ts'
import { signIn } from './sign-in.ts'

/** What callers of an operation with `credential: 'password'` send beside its input; what is wrong with them is theirs to be told by sign-in. */
export const credentials = z.looseObject({
  email: z.string().min(1).describe('E-mail of the person who signs in; letter case does not matter.'),
  password: z
    .string()
    .min(1)
    .describe('Password of the person who signs in.')
    .register(secrets, { secret: true, ofPeople: true }),
})

/**
 * Signs in with the e-mail and the password in the body and runs the operation as that person, for this one call. What
 * is wrong with the body is refused first: it costs nothing. Throws what `signIn` and `invoke` do.
 */
export async function invokeWithPassword(
  core: Core,
  from: Omit<Caller, 'actor'>,
  operation: AnyOperation,
  body: unknown,
): Promise<object> {
  const sent = credentials.safeParse(body ?? {})
  if (!sent.success) throw invalid(sent.error.issues.map(issueOf))
  const { email, password, ...input } = sent.data
  parseInput(operation, input)
  try {
    const actor = await signIn(core, { email, password, via: from.via, ip: from.ip })
    return await invoke(core, { ...from, actor }, operation, input)
  } catch (error) {
    throw told(core, { ...from, actor: { kind: 'nobody' } }, error)
  }
}

function issueOf({ path }: z.core.$ZodIssue) {
  const place = path.map(String)
  const message = place.length === 0 ? 'must be a JSON object' : 'must be a text that is not empty'
  return { path: place, code: 'invalid_credentials', message }
}
