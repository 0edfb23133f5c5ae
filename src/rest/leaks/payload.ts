import { z } from 'zod'
import { AppError } from '../../core/errors.ts'
import { textProblem } from '../../domain/text.ts'
import { parseJson } from '../../http/body.ts'

/** Most matches of one report. */
const most = 100

const match = z.object({
  token: z.string().min(1).max(16_384),
  type: z.string().max(200),
  url: z.string().max(16_384).nullish(),
  source: z.string().max(200).nullish(),
})

/** A secret that was seen, as GitHub reports it. */
export type Match = z.output<typeof match>

/** The matches of a report; all of them or none. Throws `invalid_input`, `too_large`. */
export function readMatches(body: Buffer): Match[] {
  const list = parseJson(body)
  if (!Array.isArray(list)) throw unreadable()
  if (list.length > most)
    throw new AppError('too_large', `A report has ${most} matches at most. Send the rest in another one.`)
  const parsed = z.array(match).safeParse(list)
  // Without what was wrong where, as the text may be a secret.
  if (!parsed.success) throw unreadable()
  return parsed.data
}

/** Where it was seen, for the trail; undefined where that is no text for it. */
export function placeOf({ url, source }: Match): string | undefined {
  const place = [url, source].filter(Boolean).join(' ').slice(0, 500)
  return place === '' || textProblem(place, 'line') !== undefined ? undefined : place
}

function unreadable(): AppError {
  return new AppError(
    'invalid_input',
    'The body is no JSON array of {token, type, url, source}, all of them text.',
  )
}
