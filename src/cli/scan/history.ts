import { AppError } from '../../core/errors.ts'
import type { Collection, Place } from './found.ts'
import { endOf, git, linesOf, type Repository } from './git.ts'

/** Everything a ref, a reflog or the index leads to. */
const everything = ['--all', '--reflog']

/** Looks through every object of a repository once, with the path it first had. */
export async function scanHistory(
  collection: Collection,
  repository: Repository,
  tell: () => void,
): Promise<void> {
  const list = git(repository, ['rev-list', '--objects', '--indexed-objects', ...everything])
  const read = git(repository, [
    'cat-file',
    '--buffer',
    '--batch=%(objectname) %(objecttype) %(objectsize) %(rest)',
  ])
  list.stdin.end()
  // Whoever ends first ends the pipe; what went wrong is told by how the programs end.
  read.stdin.on('error', () => undefined)
  list.stdout.pipe(read.stdin)
  const ends = [endOf(list), endOf(read)]
  try {
    const reader = makeReader(collection)
    for await (const piece of read.stdout as AsyncIterable<Buffer>) {
      reader(piece)
      tell()
    }
    await Promise.all(ends)
  } finally {
    list.kill()
    read.kill()
    await Promise.allSettled(ends)
  }
  await nameCommits(collection, repository)
}

interface Current {
  left: number
  take(piece: Buffer): void
}

/** Takes the output of `cat-file --batch` apart: a line about each object, its bytes, and a line end. */
function makeReader(collection: Collection): (piece: Buffer) => void {
  let header = ''
  let now: Current | undefined
  return (piece) => {
    let at = 0
    while (at < piece.length) {
      if (now === undefined) {
        const end = piece.indexOf(10, at)
        header += piece.toString('utf8', at, end === -1 ? piece.length : end)
        at = end === -1 ? piece.length : end + 1
        if (end === -1) continue
        now = begun(collection, header)
        header = ''
      } else if (now.left > 0) {
        const some = piece.subarray(at, at + now.left)
        now.take(some)
        now.left -= some.length
        at += some.length
      } else {
        at += 1
        now = undefined
      }
    }
  }
}

function begun(collection: Collection, header: string): Current | undefined {
  const [, object = '', type, size, rest = ''] =
    /^([0-9a-f]{40,64}) (commit|tree|blob|tag) (\d+) ?(.*)$/s.exec(header) ?? []
  if (type === undefined) {
    if (!/ missing$/.test(header))
      throw new AppError('unavailable', 'git answered something nobody expected.')
    collection.counts.unreadable += 1
    return undefined
  }
  collection.counts.objects += 1
  const message = { path: `(${type} message)`, commit: object }
  const place = type === 'blob' ? { path: rest, commit: null, object } : message
  // A tree holds names and digests only.
  const take = type === 'tree' ? () => undefined : collection.begin(place)
  return { left: Number(size), take }
}

/** Says of each place in the history by which commit it came: the oldest that has it. */
async function nameCommits({ found }: Collection, repository: Repository): Promise<void> {
  const places = new Map<string, Place[]>()
  for (const one of found.values())
    for (const place of one.places)
      if (place.object !== undefined) places.set(place.object, [...(places.get(place.object) ?? []), place])
  if (places.size === 0) return
  const raw = [
    '--raw',
    '--no-abbrev',
    '--no-renames',
    '-m',
    '--no-ext-diff',
    '--no-textconv',
    '--no-show-signature',
  ]
  const log = git(repository, ['log', ...everything, ...raw, '--format=%H'])
  log.stdin.end()
  const ended = endOf(log)
  let commit = ''
  for await (const line of linesOf(log.stdout as AsyncIterable<Buffer>)) {
    if (/^[0-9a-f]{40,64}$/.test(line)) commit = line
    // Newest first, so that the last one that stays is the oldest.
    const [, , , object = ''] = line.startsWith(':') ? line.split(' ') : []
    for (const place of places.get(object) ?? []) place.commit = commit
  }
  await ended
}
