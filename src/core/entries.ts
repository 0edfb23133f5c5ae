import { entriesOf, type FoundEntry, type Lookups } from '../../db/lookup.ts'
import type { Store } from '../../db/open.ts'
import { type GuardrailPolicy, storedPolicy } from '../domain/guardrail-policy.ts'
import type { Keys } from '../domain/keys.ts'
import { listedTools } from '../domain/tool-rules.ts'
import { readValues, type Values } from './server-values.ts'

/** What a server runs or calls, its values in the clear; it never leaves the process but towards that server. */
export type EntryRuns =
  | { kind: 'program'; command: string; args: readonly string[]; env: Values }
  | { kind: 'address'; url: string; headers: Values }

/** A server as the gateway opens it. */
export interface Entry {
  id: string
  slug: string
  /** null = nobody said yet, or the values cannot be opened. */
  runs: EntryRuns | null
  /** The names that are let through; null = every one. */
  tools: ReadonlySet<string> | null
  input: GuardrailPolicy
  output: GuardrailPolicy
}

/** How the gateway finds servers; an entry that did not change is the same object. */
export interface Entries {
  find(slug: string): Promise<Entry | undefined>
  /** All a token reaches, in id order. */
  of(tokenId: string): Promise<Entry[]>
}

/** Entries remembered at most. */
const mostRemembered = 2_000

/** Reads entries and remembers what was made of their texts, never whether they are there. */
export function makeEntries(store: Store, lookups: Lookups, keys: Keys): Entries {
  const made = new Map<string, { row: FoundEntry; entry: Entry }>()

  function entryOf(row: FoundEntry): Entry {
    const known = made.get(row.id)
    if (known !== undefined && sameRow(known.row, row)) return known.entry
    const entry = openEntry(row, keys, known)
    if (made.size >= mostRemembered) made.clear()
    made.set(row.id, { row, entry })
    return entry
  }

  return {
    async find(slug) {
      const row = await lookups.entry([slug])
      return row === undefined ? undefined : entryOf(row)
    },
    of: async (tokenId) => (await entriesOf(store.read, tokenId)).map(entryOf),
  }
}

/** What the gateway makes of a row. */
export function openEntry(row: FoundEntry, keys: Keys, known?: { row: FoundEntry; entry: Entry }): Entry {
  // What is running stays comparable by identity when only rules change.
  const same = known !== undefined && sameRuns(known.row, row)
  return {
    id: row.id,
    slug: row.slug,
    runs: same ? known.entry.runs : runsOf(row, keys),
    tools: listedTools(row.tools),
    input: storedPolicy(row.input_guardrails),
    output: storedPolicy(row.output_guardrails),
  }
}

function runsOf(row: FoundEntry, keys: Keys): EntryRuns | null {
  const { command, url } = row
  if (command !== null) {
    const env = readValues(keys, row, 'env')
    return env === undefined
      ? null
      : { kind: 'program', command, args: JSON.parse(row.args) as string[], env }
  }
  const headers = readValues(keys, row, 'headers')
  return url === null || headers === undefined ? null : { kind: 'address', url, headers }
}

function sameRow(a: FoundEntry, b: FoundEntry): boolean {
  return (
    a.tools === b.tools &&
    a.input_guardrails === b.input_guardrails &&
    a.output_guardrails === b.output_guardrails &&
    sameRuns(a, b)
  )
}

function sameRuns(a: FoundEntry, b: FoundEntry): boolean {
  return (
    a.command === b.command &&
    a.args === b.args &&
    a.url === b.url &&
    sameBytes(a.env, b.env) &&
    sameBytes(a.headers, b.headers)
  )
}

function sameBytes(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b)
}
