import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, lstat, open } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { scanJson } from '../domain/json-scan.ts'
import type { Host } from './context.ts'
import { AppError } from './errors.ts'
import { type Content, makePrivateFolder, writePrivately } from './private-file.ts'

/** Bytes of the largest document that is read. */
const largest = 16 * 1024 * 1024

/** The name of a file in `exports/` of the data folder: no caller names a path (security R35). */
export const fileName = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be a bare file name: 1 to 64 letters, digits, . _ -')
  .refine((name) => name !== '.' && name !== '..', 'must be a bare file name')

/** Writes a document into `exports/`, private to its user, in the place of an older one (security R4, R35). */
export async function writeExport({ dataDir }: Host, name: string, content: Content): Promise<void> {
  const folder = join(dataDir, 'exports')
  await makePrivateFolder(folder)
  await writePrivately(join(folder, name), content).catch((error: NodeJS.ErrnoException) => {
    if (!inTheWay.has(error.code ?? '')) throw error
    throw new AppError('conflict', 'In the exports folder there is a folder of that name.', {
      entity: 'file',
    })
  })
}

const inTheWay = new Set(['EISDIR', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'])

/**
 * The JSON document of that name in `exports/`; plain files only, no links. `member` is that of the input which named it.
 * Throws `not_found`, `invalid_input`, `too_large`.
 */
export async function readExport(
  host: Host,
  name: string,
  member = 'input_file',
  most = largest,
): Promise<unknown> {
  const bytes = await withExport(host, name, member, async (file) => {
    if ((await file.stat()).size > most)
      throw new AppError('too_large', `${member}: the file is larger than ${most} bytes.`)
    return file.readFile()
  })
  if (scanJson(bytes, { depth: 32, members: Number.POSITIVE_INFINITY }) !== 'ok') throw unreadable(member)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw unreadable(member)
  }
}

/** SHA-256 of the file of that name in `exports/`, however large it is. */
export function exportDigest(host: Host, name: string): Promise<string> {
  return withExport(host, name, 'input_file', async (file) => {
    const hash = createHash('sha256')
    for await (const piece of file.createReadStream({ autoClose: false })) hash.update(piece)
    return hash.digest('hex')
  })
}

async function withExport<T>(
  { dataDir }: Host,
  name: string,
  member: string,
  work: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const folder = join(dataDir, 'exports')
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const file = await lstat(folder)
    // O_NOFOLLOW looks at the last part of a path only.
    .then((found) =>
      found.isDirectory() ? open(join(folder, name), flags) : Promise.reject(unreadable(member)),
    )
    .catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw unreadable(member)
      throw new AppError(
        'not_found',
        `${member}: there is no file of that name in the exports folder. Check the name, or give the content itself.`,
        { entity: 'file', field: member },
      )
    })
  try {
    if (!(await file.stat()).isFile()) throw unreadable(member)
    return await work(file)
  } finally {
    await file.close()
  }
}

function unreadable(member: string): AppError {
  return new AppError(
    'invalid_input',
    `${member}: the file is no plain file of JSON that this program wrote.`,
    {
      entity: 'file',
      field: member,
    },
  )
}
