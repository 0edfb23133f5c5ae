import { operations } from '../../tools/index.ts'
import type { AnyOperation } from '../core/operation.ts'

/** An operation by name; the commands that are more than one operation name theirs. */
export function operationNamed(name: string): AnyOperation {
  const found = operations.find((operation) => operation.name === name)
  if (found === undefined) throw new Error(`no operation ${name}`)
  return found
}

/** Whether the command line offers it as a command of its own; one that asks for a password has a command made for it. */
export function offered({ faces, credential }: AnyOperation): boolean {
  return credential === undefined && (faces?.includes('cli') ?? true)
}
