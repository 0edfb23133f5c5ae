import { z } from 'zod'
import { AppError } from '../../core/errors.ts'
import { fileName } from '../../core/exports.ts'
import { name } from '../../core/fields.ts'
import { soughtBy, soughtWithin } from '../query.ts'

/** The body of a route that takes none. */
export const empty = z.strictObject({})

/** A new name; blanks around it do not count (enkrypt:wire:name:rules). */
export const newName = z
  .string()
  .transform((text) => text.trim())
  .pipe(name)

/** A configuration, project or key by id or name, as it stands in a body or query; what no name can be is not found. */
export const identifier = z.string().min(1).transform(soughtBy)

/** A user by id or e-mail. */
export const userIdentifier = z
  .string()
  .min(1)
  .transform((text) => soughtWithin(text, 254))

/** What an export is asked with. */
export const exportFile = z.strictObject({
  output_file: fileName.optional(),
  include_secrets: z.boolean().optional(),
})

export const search = z.strictObject({ search_term: z.string().max(200) })

/** One of two spellings of the same thing; both and neither are refused (enkrypt:client:openapi:aliases). */
export function oneOf(body: Record<string, string | undefined>): string {
  const names = Object.keys(body)
  const [given, another] = Object.values(body).filter((value) => value !== undefined)
  if (given !== undefined && another === undefined) return given
  throw new AppError('invalid_input', `Give exactly one of ${names.join(' and ')}.`, {
    field: names[0] ?? '',
  })
}
