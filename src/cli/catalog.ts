import { operations } from '../../tools/index.ts'
import type { AnyOperation } from '../core/operation.ts'

/** An operation by name; the commands that are more than one operation name theirs. */
export function operationNamed(name: string): AnyOperation {
  const found = operations.find((operation) => operation.name === name)
  if (found === undefined) throw new Error(`no operation ${name}`)
  return found
}

/** Whether the command line offers it. */
export function offered(operation: AnyOperation): boolean {
  return operation.faces?.includes('cli') ?? true
}
