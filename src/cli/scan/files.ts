import { createReadStream } from 'node:fs'
import { opendir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../../core/errors.ts'
import type { Collection } from './found.ts'

const pieceBytes = 1024 * 1024

/** Looks through a file, or through all files below a folder but those of git itself; links are not followed. */
export async function scanFiles(collection: Collection, path: string, tell: () => void): Promise<void> {
  const named = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new AppError('not_found', `There is nothing to scan there (${cause.code}).`, { cause })
  })
  if (!named.isDirectory()) return scanFile(collection, path, tell)
  for await (const file of filesBelow(collection, path)) await scanFile(collection, file, tell)
}

/** Looks through bytes as they come. */
export async function scanStream(
  collection: Collection,
  stream: AsyncIterable<Buffer | string>,
  path: string,
  tell: () => void,
): Promise<void> {
  const take = collection.begin({ path, commit: null })
  for await (const piece of stream) {
    take(Buffer.from(piece))
    tell()
  }
  collection.counts.files += 1
}

async function scanFile(collection: Collection, path: string, tell: () => void): Promise<void> {
  try {
    await scanStream(collection, createReadStream(path, { highWaterMark: pieceBytes }), path, tell)
  } catch {
    collection.counts.unreadable += 1
  }
}

async function* filesBelow(collection: Collection, folder: string): AsyncGenerator<string> {
  const entries = await opendir(folder).catch(() => undefined)
  if (entries === undefined) {
    collection.counts.unreadable += 1
    return
  }
  for await (const entry of entries) {
    const path = join(folder, entry.name)
    if (entry.isFile()) yield path
    // What git keeps is compressed, and is read through its history.
    else if (entry.isDirectory() && entry.name !== '.git') yield* filesBelow(collection, path)
  }
}
