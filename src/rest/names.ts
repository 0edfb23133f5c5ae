import { AppError, type Issue } from '../core/errors.ts'
import { invalid } from '../core/parse.ts'

/** What a route calls the members of its operation that it calls something else; null = it has no such member. */
export type MemberNames = Readonly<Record<string, string | null>>

/** A refusal that names members of the operation, in the words of the route. */
export function inWordsOf(names: MemberNames | undefined, error: unknown): unknown {
  if (names === undefined || !(error instanceof AppError) || error.issues.length === 0) return error
  return invalid(error.issues.flatMap((issue) => renamed(names, issue)))
}

function renamed(names: MemberNames, issue: Issue): Issue[] {
  const [member = '', ...rest] = issue.path
  const name = names[member]
  if (name === null) return []
  return [name === undefined ? issue : { ...issue, path: [name, ...rest] }]
}
