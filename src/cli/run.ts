import { CommanderError } from 'commander'
import { AppError, type ErrorCode } from '../core/errors.ts'
import { secretPattern } from '../domain/secret.ts'
import { CommandFailed } from './failed.ts'
import { program } from './program.ts'
import { visible } from './text.ts'
import type { World } from './world.ts'

/** The exit code of each refusal; 0 is success. */
const exitCodes: Record<ErrorCode, number> = {
  invalid_input: 2,
  unauthenticated: 3,
  forbidden: 4,
  ip_not_allowed: 4,
  not_found: 5,
  conflict: 6,
  gone: 6,
  already_done: 6,
  too_large: 2,
  rate_limited: 7,
  unavailable: 8,
  unsupported: 2,
  internal: 1,
}

/** Runs one command line and answers the exit code; faults nobody expected are the caller's. */
export async function runCommandLine(world: World, argv: readonly string[]): Promise<number> {
  try {
    await program(world).parseAsync(argv.length === 0 ? ['--help'] : argv, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    // `tokenwright key` alone: its help is printed already and says what is missing.
    if (error instanceof CommanderError && error.code === 'commander.help') return exitCodes.invalid_input
    const refusal = refusalOf(error)
    if (refusal === undefined) throw error
    world.terminal.stderr.write(told(refusal, argv.includes('--json')))
    return error instanceof CommandFailed ? error.exit : exitCodes[refusal.code]
  }
}

/** The line on standard error that says what was refused. */
export function told({ code, message }: { code: ErrorCode; message: string }, json: boolean): string {
  const clean = message.replace(secretPattern, '[secret]')
  return json ? `${JSON.stringify({ error: code, detail: clean })}\n` : `tokenwright: ${visible(clean)}\n`
}

function refusalOf(error: unknown): { code: ErrorCode; message: string } | undefined {
  if (error instanceof CommandFailed) return error.refusal
  if (error instanceof AppError) return { code: error.code, message: error.message }
  if (!(error instanceof CommanderError)) return undefined
  const sentence = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ')
  const message = `${sentence.charAt(0).toUpperCase()}${sentence.slice(1).replace(/\.$/, '')}. See: tokenwright --help`
  return { code: 'invalid_input', message }
}
