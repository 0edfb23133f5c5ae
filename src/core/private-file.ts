import { randomBytes } from 'node:crypto'
import { chmod, lstat, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes a folder of ours that nobody else may enter; a link of the same name does not lead elsewhere (R4). */
export async function makePrivateFolder(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found?.isSymbolicLink()) await rm(path)
  await mkdir(path, { recursive: true, mode: 0o700 })
  await chmod(path, 0o700)
}

/** Text, or pieces of one. */
export type Content = string | AsyncIterable<string>

/** Writes a file only its user can read: temporary file, fsync, rename; a link of the same name is replaced (R4). */
export async function writePrivately(path: string, content: Content): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const draft = await draftPrivately(path)
  try {
    await draft.keep(path, content)
  } finally {
    await draft.drop()
  }
}

/** A file only its user can read that has no name yet. */
export interface PrivateDraft {
  /** Fills it and puts it in its place, of whatever is there but a folder. */
  keep(path: string, content: Content): Promise<void>
  /** Removes it, unless it was kept. */
  drop(): Promise<void>
}

/** Makes an empty file beside where it will be, so that little can fail once there is something to write. */
export async function draftPrivately(beside: string): Promise<PrivateDraft> {
  const temporary = `${beside}.${randomBytes(6).toString('hex')}.tmp`
  const file = await open(temporary, 'wx', 0o600)
  return {
    async keep(path, content) {
      for await (const piece of typeof content === 'string' ? [content] : content)
        await file.appendFile(piece)
      await file.sync()
      await file.close()
      await chmod(temporary, 0o600)
      await rename(temporary, path)
    },
    async drop() {
      await file.close()
      await rm(temporary, { force: true })
    },
  }
}
