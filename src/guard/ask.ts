import { type Post, unexpected } from './post.ts'
import { type Active, type Inactive, readIntrospection, readVerdict, type Verdict } from './told.ts'

/** Whether a token may be used for a server and a tool, from an address. */
export interface Question {
  token: string
  server: string
  tool?: string
  ip: string
}

export type Told = Active | Inactive

export type Ask = (question: Question) => Promise<Told>

/** Asks by introspection (RFC 7662), which counts as one use of the token. */
export function makeAsk(post: Post): Ask {
  return async (question) => {
    const told = readIntrospection(await post('/oauth2/introspect', new URLSearchParams({ ...question })))
    if (told === undefined) throw unexpected('is no introspection')
    return told
  }
}

/** What is wrong with a token that is not active: introspection has one answer for all of them. */
export async function whyNot(post: Post, question: Question): Promise<Verdict> {
  const verdict = readVerdict(await post('/v1/validate_token', question))
  if (verdict === undefined) throw unexpected('is no verdict')
  return verdict
}
