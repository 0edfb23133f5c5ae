import { AppError } from '../../core/errors.ts'

const absent = ['not_found', 'forbidden', 'conflict', 'gone', 'invalid_input']

/** What a look-up finds; undefined if there is none, several have the name, or it is not the caller's to see. */
export async function ifFound<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking
  } catch (error) {
    if (error instanceof AppError && absent.includes(error.code)) return undefined
    throw error
  }
}
