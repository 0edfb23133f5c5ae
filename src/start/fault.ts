import { isUnavailable, NewerSchema } from '../../db/errors.ts'
import { WrongSetting } from '../config.ts'
import { AppError, type ErrorCode } from '../core/errors.ts'
import { StartRefused } from '../core/master-key.ts'
import { redactText } from '../log.ts'

/** Why a process could not start or go on: a sentence without paths of ours or secrets, and its exit code. */
interface StartFault {
  code: ErrorCode
  exit: number
  sentence: string
}

const folder = 'Check --data and TOKENWRIGHT_DATA_DIR.'
const network: Record<string, string> = {
  EADDRINUSE: 'The port is taken by another program. Choose one with --port, or --port 0 for a free one.',
  EADDRNOTAVAIL: 'The address of --host is not one of this machine.',
  ENOTFOUND: 'A host name cannot be found. Check --host and TOKENWRIGHT_DATABASE_URL.',
}
const files: Record<string, string> = {
  EACCES: 'The data folder, or the port below 1024, is not open to this user.',
  EPERM: 'The data folder is not open to this user.',
  EROFS: 'The data folder is on a read-only disk.',
  ENOSPC: 'The disk of the data folder is full.',
  ENOTDIR: 'The data folder is a file, or lies below one.',
  EEXIST: 'The data folder is a file.',
  EISDIR: 'A file of the data folder is a folder.',
}

/** Turns a fault of the start into what the user is told. */
export function startFault(error: unknown): StartFault {
  if (error instanceof WrongSetting) return { code: 'invalid_input', exit: 2, sentence: error.message }
  if (error instanceof StartRefused) return { code: 'conflict', exit: 1, sentence: error.message }
  if (error instanceof NewerSchema) return { code: 'conflict', exit: 1, sentence: error.message }
  if (error instanceof AppError)
    return { code: error.code, exit: error.code === 'invalid_input' ? 2 : 1, sentence: error.message }
  const module = brokenModule(error)
  if (module !== undefined) {
    const sentence = `${module} cannot be loaded by this Node.js (${process.version}). Run: npm rebuild ${module}`
    return { code: 'internal', exit: 1, sentence }
  }
  const code = codeOf(error)
  if (code in network) return { code: 'invalid_input', exit: 1, sentence: network[code] ?? '' }
  if (code in files) return { code: 'invalid_input', exit: 1, sentence: `${files[code]} ${folder}` }
  if (isUnavailable(error) || /^(28|3D)/.test(code)) {
    const sentence = `The token store cannot be opened (${error instanceof Error && error.name === 'StoreUnavailable' ? error.message : code || 'no connection'}). Check --data or TOKENWRIGHT_DATABASE_URL.`
    return { code: 'unavailable', exit: 8, sentence: redactText(sentence) }
  }
  const name = error instanceof Error ? error.name : 'fault'
  const sentence = `Something nobody expected went wrong (${[name, code].filter(Boolean).join(' ')}). Run it with --log-level debug to see more.`
  return { code: 'internal', exit: 1, sentence }
}

/** The package with native code that this Node cannot load. */
function brokenModule(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const { message } = error
  const broken =
    /bindings file|NODE_MODULE_VERSION|Cannot find (module|package)|invalid ELF header|\.node/.test(message)
  if (!broken) return undefined
  return /better[-_]sqlite3/.test(message) ? 'better-sqlite3' : /argon2/.test(message) ? 'argon2' : undefined
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
}
