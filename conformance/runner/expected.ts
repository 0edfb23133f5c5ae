import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { folder } from './node.ts'
import { notScored } from './suite.ts'

export interface Expected {
  /** By suite: `scenario` or `scenario:check` → why. */
  failures: Map<string, Map<string, string>>
  warnings: Map<string, Map<string, string>>
}

/** Reads expected-failures.yaml. */
export function readExpected(): Expected {
  return parseExpected(readFileSync(join(folder, 'expected-failures.yaml'), 'utf8'), notScored)
}

/** Throws for a line it does not understand, an entry without a reason, and a failure of a scenario that is scored. */
export function parseExpected(text: string, free: (suite: string) => ReadonlySet<string>): Expected {
  const expected: Expected = { failures: new Map(), warnings: new Map() }
  let kind: Map<string, Map<string, string>> | undefined
  let suite: Map<string, string> | undefined
  for (const line of text.split('\n')) {
    if (/^\s*(#.*)?$/.test(line)) continue
    const [, top] = /^(failures|warnings):$/.exec(line) ?? []
    const [, name] = /^ {2}(\S+):$/.exec(line) ?? []
    const [, entry, why] = /^ {4}- (\S+) # (\S.*)$/.exec(line) ?? []
    if (top !== undefined) kind = expected[top as keyof Expected]
    else if (name !== undefined && kind !== undefined) {
      suite = new Map()
      kind.set(name, suite)
    } else if (entry !== undefined && why !== undefined && suite !== undefined) suite.set(entry, why)
    else throw new Error(`expected-failures.yaml: cannot read "${line}"; an entry is "- scenario # reason".`)
  }
  for (const [name, entries] of expected.failures) refuseScored(name, entries, free(name))
  return expected
}

function refuseScored(suite: string, entries: Map<string, string>, free: ReadonlySet<string>): void {
  for (const entry of entries.keys()) {
    const [scenario = ''] = entry.split(':')
    if (!free.has(scenario))
      throw new Error(
        `expected-failures.yaml: ${scenario} is scored by the suite (${suite}), so it must pass.`,
      )
  }
}
