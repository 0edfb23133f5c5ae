import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import * as meta from '../../db/meta.ts'
import type { Store } from '../../db/open.ts'
import { fingerprint, formatMaster, parseMaster } from '../domain/keys.ts'

/** The configuration is wrong; the start ends with this sentence. */
export class StartRefused extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'StartRefused'
  }
}

/** The fact of the store that names its master key by fingerprint. */
export const masterFact = 'master_fingerprint'

/**
 * The master key of this store: from `given` (TOKENWRIGHT_SECRET), else from `<dataDir>/secret.key`, which the first
 * start makes. A store that knows another key, or whose key is gone, refuses the start (security R3).
 */
export async function loadMaster(store: Store, dataDir: string, given: string | undefined): Promise<Buffer> {
  const known = await meta.get(store.read, masterFact)
  const path = join(dataDir, 'secret.key')
  const master = given === undefined ? fromFile(path, known === undefined) : fromEnvironment(given)
  const ours = fingerprint(master)
  const stands = known ?? (await store.write((db) => meta.setOnce(db, masterFact, ours)))
  if (stands !== ours) {
    const source = given === undefined ? 'secret.key' : 'TOKENWRIGHT_SECRET'
    throw new StartRefused(
      `${source} does not belong to this database. Put back the key the database was made with.`,
    )
  }
  return master
}

function fromEnvironment(text: string): Buffer {
  const master = parseMaster(text)
  if (master === undefined)
    throw new StartRefused('TOKENWRIGHT_SECRET must be 32 bytes in base64url (43 characters).')
  return master
}

function fromFile(path: string, mayCreate: boolean): Buffer {
  if (!existsSync(path)) {
    if (!mayCreate) {
      throw new StartRefused(
        'The database exists but its secret.key is missing from the data folder. Put the file back, or set TOKENWRIGHT_SECRET; without it no token can be checked.',
      )
    }
    create(path)
  }
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600)
  const master = parseMaster(readFileSync(path, 'utf8'))
  if (master === undefined)
    throw new StartRefused('secret.key in the data folder is damaged. Put the original file back.')
  return master
}

/** Makes the file whole or not at all; of several first starts one wins and the others read its key. */
function create(path: string): void {
  mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    writeFileSync(temporary, `${formatMaster(randomBytes(32))}\n`, { mode: 0o600, flag: 'wx', flush: true })
    linkSync(temporary, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    unlinkSync(temporary)
  }
}
