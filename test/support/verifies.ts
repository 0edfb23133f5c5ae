import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The ids a contract file states, and which of them need the gateway. */
export interface Contract {
  file: string
  ids: Set<string>
  gateway: Set<string>
}

const stated = /^- `([a-z]+(?::[a-z0-9_-]+){2,})`( \*\*\[gateway\]\*\*)?/gm

/** Reads the requirement ids of the contracts: each stands at the start of its list entry. */
export function readContract(file: string, text: string): Contract {
  const ids = new Set<string>()
  const gateway = new Set<string>()
  for (const [, id = '', mark] of text.matchAll(stated)) {
    ids.add(id)
    if (mark !== undefined) gateway.add(id)
  }
  return { file, ids, gateway }
}

const folder = new URL('../../docs/contracts/', import.meta.url).pathname

export const contracts: Contract[] = readdirSync(folder)
  .filter((file) => file.endsWith('.md'))
  .map((file) => readContract(file, readFileSync(join(folder, file), 'utf8')))

/** Cites the requirements a test proves, as the start of its title; an id no contract states stops the test file. */
export function verifies(...ids: string[]): string {
  for (const id of ids) {
    if (!contracts.some((contract) => contract.ids.has(id))) throw new Error(`no contract states ${id}`)
  }
  return `[${ids.join(' ')}]`
}
