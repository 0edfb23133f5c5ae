import { type Command, Option } from 'commander'
import { AppError } from '../../core/errors.ts'
import { gitleaksConfig, trufflehogConfig } from '../../domain/leak-patterns.ts'
import { prefixPattern, redacted, secretPattern } from '../../domain/secret.ts'
import { confirmed } from '../ask.ts'
import { CommandFailed } from '../failed.ts'
import { addProcessFlags, processFlagsOf } from '../process-flags.ts'
import { scanFiles, scanStream } from '../scan/files.ts'
import { type Collection, makeCollection } from '../scan/found.ts'
import { isRepository } from '../scan/git.ts'
import { scanHistory } from '../scan/history.ts'
import { type Judged, judge, placeText, prefixesOf, report } from '../scan/judged.ts'
import { makeProgress } from '../scan/progress.ts'
import { tableLines } from '../table.ts'
import { jsonText } from '../text.ts'
import type { Given, Session, World } from '../world.ts'

/** Exit codes of a scan beside those of refusals; 0 = everything was read and nothing found. */
const scanExits = { live: 10, dead: 11, unasked: 12, incomplete: 13 }

const about =
  'Finds secrets of Tokenwright in a file, a folder with its git history, or standard input (-), by their prefix and checksum, and says whether each is live. Exit codes: 0 nothing found, 10 a live one, 11 none that is live, 12 found and nobody asked (--offline), 13 nothing found but not everything could be read.'

/** `scan <path|->`. */
export function scanCommand(root: Command, world: World): void {
  const command = root
    .command('scan')
    .argument('[path]', 'file or folder; - reads standard input', '.')
    .summary('Finds leaked secrets in files and git history')
    .description(about)
    .option('--offline', 'ask nobody whether a secret is live; needs no store and no server')
    .option('--history', 'read the git history too (default: if the path is a repository)')
    .option('--no-history', 'read the files alone')
    .option('--prefix <prefix>', 'a further prefix of secrets; may be repeated', gathered)
    .option('--report', 'report each live secret with report_leak')
    .option('--yes', 'do not ask before reporting')
    .addOption(
      new Option('--patterns <scanner>', 'print the patterns for another scanner instead').choices([
        'gitleaks',
        'trufflehog',
      ]),
    )
    .option('--json', 'print JSON on a terminal too')
  addProcessFlags(command, world, 'command')
  command.action(async (path: string) => {
    const given = command.optsWithGlobals()
    const more = prefixesGiven(given)
    const isOffline = given['offline'] === true
    const session = isOffline ? undefined : await world.connect(processFlagsOf(world, given))
    try {
      const prefixes = await prefixesOf(session, more)
      const make = { gitleaks: gitleaksConfig, trufflehog: trufflehogConfig }[String(given['patterns'])]
      if (make !== undefined) world.terminal.stdout.write(make(prefixes))
      else await scan(world, session, { path, given, prefixes })
    } finally {
      await session?.close()
    }
  })
}

function gathered(text: string, before: string[] = []): string[] {
  return [...before, text]
}

function prefixesGiven(given: Given): string[] {
  const more = (given['prefix'] ?? []) as string[]
  if (more.every((one) => prefixPattern.test(one))) return more
  throw new AppError('invalid_input', '--prefix must be 2 to 8 lower-case letters or digits.', {
    field: 'prefix',
  })
}

interface Asked {
  path: string
  given: Given
  prefixes: readonly string[]
}

async function scan(
  world: World,
  session: Session | undefined,
  { path, given, prefixes }: Asked,
): Promise<void> {
  const collection = makeCollection(prefixes)
  await look(world, collection, path, given)
  const found = [...collection.found.values()]
  const judged = await judge(session, found)
  if (session !== undefined && given['report'] === true) {
    const live = judged.flatMap((one, at) => (one.live === true ? [at] : []))
    await agree(world, live.length, given)
    for (const at of live) {
      const [one, told] = [found[at], judged[at]]
      if (one !== undefined && told !== undefined) told.reported = await report(session, one)
    }
  }
  print(world, collection, judged, given)
  conclude(collection, judged)
}

async function look(world: World, collection: Collection, path: string, given: Given): Promise<void> {
  const progress = makeProgress(world.terminal, collection)
  try {
    if (path === '-') return await scanStream(collection, world.terminal.stdin, '-', progress.tell)
    await scanFiles(collection, path, progress.tell)
    const { history } = given
    if (history === true || (history !== false && (await isRepository(path))))
      await scanHistory(collection, { path, inherited: world.inherited() }, progress.tell)
  } finally {
    progress.clear()
  }
}

async function agree({ terminal }: World, count: number, given: Given): Promise<void> {
  if (count === 0 || given['yes'] === true) return
  const what = `Report ${count} live secret${count === 1 ? '' : 's'}`
  if (!terminal.stdin.isTTY || !terminal.stderr.isTTY)
    throw new AppError('invalid_input', `"${what}" cannot be undone; add --yes to do it without a question.`)
  if (!(await confirmed(terminal, `${what}: this cannot be undone. Go on?`)))
    throw new AppError('invalid_input', 'Nothing was reported.')
}

function print(
  { terminal }: World,
  { counts, full }: Collection,
  judged: readonly Judged[],
  given: Given,
): void {
  const { stdout, styled } = terminal
  if (given['json'] === true || !stdout.isTTY) {
    const answer = { secrets: judged, scanned: counts, truncated: full() }
    // A path may hold a secret as well.
    return void stdout.write(jsonText(answer).replace(secretPattern, '[secret]'))
  }
  const rows = judged.map(({ prefix, last4, live, verdict, id, places, places_total, reported }) => ({
    secret: redacted(prefix, last4),
    live: live === null ? 'not asked' : live ? 'LIVE' : 'no',
    verdict,
    ...(reported === null ? {} : { reported }),
    place: places.slice(0, 1).map(placeText).join('').replace(secretPattern, '[secret]'),
    more: places_total > 1 ? `+${places_total - 1}` : null,
    id,
  }))
  const lines = rows.length === 0 ? ['No secrets found.'] : tableLines(rows, stdout.columns || 80, styled)
  stdout.write(`${lines.join('\n')}\n`)
}

/** Ends with the exit code that says what was found. */
function conclude({ counts, full }: Collection, judged: readonly Judged[]): void {
  const notes = [
    ...(counts.unreadable > 0 ? [`${counts.unreadable} things could not be read.`] : []),
    ...(full() ? ['There are more than are told here.'] : []),
  ]
  const { length } = judged
  const live = judged.filter((one) => one.live === true)
  const found = `${length} ${length === 1 ? 'secret' : 'secrets'} found`
  const ended = (exit: number, sentence: string) =>
    new CommandFailed(new AppError('conflict', [sentence, ...notes].join(' ')), exit)
  if (live.length > 0) {
    const next = live.every(({ reported }) => reported === null)
      ? ' Add --report to report them as leaked.'
      : ''
    throw ended(scanExits.live, `${found}, ${live.length} live.${next}`)
  }
  if (judged.some((one) => one.live === null))
    throw ended(scanExits.unasked, `${found}; nobody was asked whether any is live.`)
  if (length > 0) throw ended(scanExits.dead, `${found}, none live here.`)
  if (notes.length > 0) throw ended(scanExits.incomplete, 'No secrets found.')
}
