import { ago } from './told-change.ts'

/** What a change that has to be confirmed would do, as a person is told it. */
export interface ToldPreview {
  title: string
  /** What it is done to: a name that others chose, and an id. */
  name: string | null
  id: string | null
  /** Tokens that lose a server, and the names of the servers. */
  hit: number
  lost: readonly string[]
  revoked: number
  renewed: number
  /** Tokens that match and cannot be changed. */
  refused: number
  /** Of an operation on many tokens: not one matches. */
  nothing: boolean
  /** Names of the tokens. */
  names: readonly string[]
  /** Not all of it was looked at. */
  atLeast: boolean
  /** The latest use of one of the tokens; undefined = there is no token. */
  used: { seconds: number; ip: string | null } | null | undefined
}

const mostNames = 5

/** In sentences that stay the same for as long as the facts do, so that a yes to them keeps its meaning. */
export function questionOf(told: ToldPreview): string {
  const { used } = told
  const last = used ? [`Last used ${roughly(used.seconds)}${used.seconds < 3_600 ? '' : from(used.ip)}.`] : []
  return [...sentences(told), ...(used === null ? ['Never used.'] : last)].join(' ')
}

/** In sentences, with the last use to the minute. */
export function previewSummary(told: ToldPreview): string {
  const { used } = told
  const last = used ? [`Last used ${ago(used.seconds)}${from(used.ip)}.`] : []
  return [...sentences(told), ...(used === null ? ['Never used.'] : last)].join(' ')
}

function sentences(told: ToldPreview): string[] {
  const { title, name, id, hit, lost, revoked, renewed, refused, names, atLeast } = told
  if (told.nothing) return [`${title}.`, 'No token matches, so nothing would be changed.']
  const what = [...(name === null ? [] : [quoted(name)]), ...(id === null ? [] : [`(${plain(id, 60)})`])]
  const least = atLeast ? 'At least ' : ''
  return [
    `${title}${what.length === 0 ? '' : `: ${what.join(' ')}`}.`,
    hit === 0
      ? 'No token loses a server.'
      : `${least}${many(hit, 'token')} ${hit === 1 ? 'loses' : 'lose'} ${many(lost.length, 'server')}${list(lost)}.`,
    ...(revoked === 0 ? [] : [`${many(revoked, 'token')} ${is(revoked)} revoked${list(names)}.`]),
    ...(renewed === 0
      ? []
      : [`${many(renewed, 'token')} ${renewed === 1 ? 'gets' : 'get'} a new secret${list(names)}.`]),
    ...(refused === 0
      ? []
      : [
          `${many(refused, 'token')} ${is(refused)} refused and ${refused === 1 ? 'stays' : 'stay'} as before.`,
        ]),
  ]
}

function from(ip: string | null): string {
  return ip === null ? '' : ` from ${ip}`
}

/** How long ago, in words that change seldom. */
function roughly(seconds: number): string {
  return seconds < 3_600 ? 'within the last hour' : ago(seconds)
}

function list(names: readonly string[]): string {
  if (names.length === 0) return ''
  const more = names.length > mostNames ? ` and ${names.length - mostNames} more` : ''
  return ` (${names.slice(0, mostNames).map(quoted).join(', ')}${more})`
}

/** Text of others between quotes: nothing in it ends them, looks as if it did, breaks the line, turns its direction, or is a link, a picture or code where a client shows Markdown. */
export function quoted(text: string): string {
  return `"${plain(text, 60)}"`
}

/** Marks that are, or are read as, the ends of a quotation, and those of code. */
const quotation = /["`\u00AB\u00BB\u201C-\u201F\u2033\u2036\u275D\u275E\u301D-\u301F\uFF02]/gu

function plain(text: string, longest: number): string {
  const line = text
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .replace(quotation, "'")
    .replaceAll('<', '‹')
    .replaceAll('>', '›')
    .replaceAll('](', '] (')
    .trim()
  const characters = [...line]
  return characters.length <= longest ? line : `${characters.slice(0, longest - 1).join('')}…`
}

function many(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`
}

function is(n: number): string {
  return n === 1 ? 'is' : 'are'
}
