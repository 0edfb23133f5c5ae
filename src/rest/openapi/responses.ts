import type { Chapter } from './described.ts'
import type { Json, Schemas } from './schemas.ts'

/** What a status of a refusal means in every family. */
const meanings: Record<number, string> = {
  400: 'The request is not valid.',
  401: 'The credential is missing or not valid.',
  403: 'This caller may not do that, or not from there.',
  404: 'There is no such thing in the reach of this caller.',
  405: 'The route has no such method.',
  409: 'The state of things does not allow it.',
  410: 'It is gone for ever.',
  412: 'The state of the thing does not allow it.',
  413: 'The body is too large.',
  415: 'The body is no JSON by its Content-Type.',
  429: 'Too many requests.',
  500: 'A fault of the server.',
  503: 'The store cannot be reached now.',
}

const headers: Record<number, string> = {
  401: 'WWW-Authenticate',
  405: 'Allow',
  429: 'Retry-After',
  503: 'Retry-After',
}

/** A response for each status a family refuses with. */
export function refusalResponses(chapters: readonly Chapter[], answers: Schemas): Record<string, Json> {
  const found: Record<string, Json> = {}
  for (const { family, refusal, routes } of chapters) {
    for (const status of new Set(routes.flatMap(({ refusals }) => refusals))) {
      const header = headers[status]
      found[`${family}_${status}`] = {
        description: meanings[status] ?? 'Refused.',
        ...(header === undefined ? {} : { headers: { [header]: { schema: { type: 'string' } } } }),
        content: { 'application/json': { schema: answers.of(refusal) } },
      }
    }
  }
  return found
}
