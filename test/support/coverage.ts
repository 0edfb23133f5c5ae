import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync } from 'oxc-parser'
import { walk } from './syntax.ts'
import type { Contract } from './verifies.ts'

/** The ids a test file cites: the string arguments of its calls of `verifies`. */
export function citedIn(file: string, text: string): string[] {
  const cited: string[] = []
  walk(parseSync(file, text).program, (node) => {
    if (node.type !== 'CallExpression') return
    const { callee, arguments: args } = node as unknown as {
      callee: { type: string; name?: string }
      arguments: { type: string; value?: unknown }[]
    }
    if (callee.type !== 'Identifier' || callee.name !== 'verifies') return
    for (const arg of args)
      cited.push(arg.type === 'Literal' ? String(arg.value) : `not a plain string in ${file}`)
  })
  return cited
}

/** What every test file under `folder` cites. */
export function allCited(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .flatMap((file) => citedIn(file, readFileSync(join(folder, file), 'utf8')))
}

/** What is wrong between the contracts, the tests and the list of pending files; empty = all is well. */
export function coverageProblems(
  contracts: readonly Contract[],
  cited: readonly string[],
  pending: readonly string[],
): string[] {
  const known = new Set(contracts.flatMap((contract) => [...contract.ids]))
  const proven = new Set(cited)
  const unknown = [...proven]
    .filter((id) => !known.has(id))
    .map((id) => `${id}: cited, but no contract states it`)
  const missing = pending
    .filter((file) => !contracts.some((contract) => contract.file === file))
    .map((file) => `${file}: pending, but there is no such contract`)
  const perFile = contracts.flatMap(({ file, ids, gateway }) => {
    const open = [...ids].filter((id) => !proven.has(id) && !gateway.has(id))
    if (pending.includes(file))
      return open.length > 0 ? [] : [`${file}: every id is cited; take it off the pending list`]
    return open.map((id) => `${id}: no test cites it`)
  })
  return [...unknown, ...missing, ...perFile]
}
