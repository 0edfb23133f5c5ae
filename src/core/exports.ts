import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { scanJson } from '../domain/json-scan.ts'
import type { Host } from './context.ts'
import { AppError } from './errors.ts'
import { makePrivateFolder, writePrivately } from './private-file.ts'

/** Bytes of the largest document that is read. */
const largest = 16 * 1024 * 1024

/** The name of a file in `exports/` of the data folder: no caller names a path (security R35). */
export const fileName = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be a bare file name: 1 to 64 letters, digits, . _ -')
  .refine((name) => name !== '.' && name !== '..', 'must be a bare file name')

/** Writes a document into `exports/`, private to its user, in the place of an older one (security R4, R35). */
export async function writeExport({ dataDir }: Host, name: string, content: string): Promise<void> {
  const folder = join(dataDir, 'exports')
  await makePrivateFolder(folder)
  await writePrivately(join(folder, name), content)
}

/** The JSON document of that name in `exports/`; plain files only, no links. Throws `not_found`, `invalid_input`, `too_large`. */
export async function readExport({ dataDir }: Host, name: string): Promise<unknown> {
  const bytes = await bytesOf(join(dataDir, 'exports', name))
  if (scanJson(bytes, { depth: 32, members: Number.POSITIVE_INFINITY }) !== 'ok') throw unreadable()
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw unreadable()
  }
}

async function bytesOf(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') {
        throw new AppError('not_found', 'There is no file of that name in the exports folder.', {
          entity: 'file',
        })
      }
      throw unreadable()
    },
  )
  try {
    const found = await file.stat()
    if (!found.isFile()) throw unreadable()
    if (found.size > largest) throw new AppError('too_large', `The file is larger than ${largest} bytes.`)
    return await file.readFile()
  } finally {
    await file.close()
  }
}

function unreadable(): AppError {
  return new AppError('invalid_input', 'The file is no plain file of JSON that this program wrote.', {
    entity: 'file',
  })
}
