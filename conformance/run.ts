import { openSubject } from './fixture/serve.ts'
import { readExpected } from './runner/expected.ts'
import { runInspector } from './runner/inspector.ts'
import { runFixture, runReal } from './runner/plan.ts'
import { isGood, linesOf, tableOf } from './runner/report.ts'
import type { Verdict } from './runner/verdict.ts'

/** Runs the official suites and the Inspector, prints one table, and ends non-zero if anything is not as expected. */
async function main(): Promise<boolean> {
  const expected = readExpected()
  const verdicts: Verdict[] = []
  const fixture = await openSubject('fixture')
  try {
    verdicts.push(...(await runFixture(fixture.url, expected)))
  } finally {
    await fixture.close()
  }
  const real = await openSubject('real')
  try {
    verdicts.push(...(await runReal(real.url, expected)))
    verdicts.push(await runInspector(real))
  } finally {
    await real.close()
  }
  const lines = verdicts.flatMap(linesOf)
  process.stdout.write(`${[...lines, '', tableOf(verdicts)].join('\n')}\n`)
  return verdicts.every(isGood)
}

process.exitCode = (await main()) ? 0 : 1
