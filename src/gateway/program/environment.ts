import { parse } from 'node:path'
import { variableProblem } from '../../domain/server-values.ts'

/** The environment of a program: what it inherits, and over it what its entry says (security R34). */
export function environmentOf(
  inherited: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>>,
): Record<string, string> {
  // Refused when it is stored; looked at again, since a row can also come out of another program's hands.
  const fine = Object.entries(env).filter(([name]) => variableProblem(name) === undefined)
  return { ...inherited, ...Object.fromEntries(fine) }
}

/**
 * Where programs start: the root is always there, holds nothing of ours, and no other user can put a `node_modules` or
 * a program there that would then be run by its relative name, as in a folder for temporary files.
 */
export const neutralFolder = parse(process.execPath).root
