import { z } from 'zod'
import { shared } from '../../core/fields.ts'

/** A success: a message and the data, and nothing else (enkrypt:wire:success:envelope). */
export function envelope<Data extends z.ZodType>(data: Data) {
  return z.object({ message: z.string(), data })
}

/** The envelope around data; null where there is none. */
export function says<Data>(message: string, data: Data): { message: string; data: Data } {
  return { message, data }
}

/** The envelope of what has nothing to tell. */
export const nothing = envelope(z.null())

shared.add(nothing, { id: 'EnkryptNothing' })
