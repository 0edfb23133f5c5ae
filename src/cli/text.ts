const unsafe = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu
const isoTime = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(\.\d+)?Z$/

/** Text without characters that could steer a terminal or turn its direction (security R54). */
export function visible(text: string): string {
  return text.replace(unsafe, (character) => {
    if (character === '\n') return '\\n'
    if (character === '\t') return ' '
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** A JSON document whose text cannot steer a terminal either; it means the same. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value, null, 2)
  return `${text.replace(unsafe, (character) => (character === '\n' ? character : visible(character)))}\n`
}

/** Cuts to `width` characters and says so. */
export function shorten(text: string, width: number): string {
  const characters = [...text]
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`
}

/** Breaks a text into lines of `width` characters at most, at blanks; a longer word is cut by whoever prints it. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`
    if (lines.length > 0 && [...longer].length <= width) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}

/** Fills up with blanks to `width` characters. */
export function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - [...text].length))
}

/** One value on one line: times to the minute, lists with commas, objects as what they say. */
export function inline(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return shortTime(visible(value))
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return value.map(inline).join(', ')
  if ('tool' in value && 'arguments' in value) return commandOf(value as Call)
  const entries = Object.entries(value)
  const label = entries.find(
    ([name, held]) => (name === 'slug' || name === 'name') && typeof held === 'string',
  )
  if (label !== undefined && 'id' in value) return inline(label[1])
  if ('name' in value && 'id' in value) return inline(value.id)
  return entries.flatMap(([name, held]) => fact(visible(name), held)).join('; ')
}

interface Call {
  tool: string
  arguments: Record<string, unknown>
}

/** The call of a tool as the command that does the same. */
function commandOf({ tool, arguments: given }: Call): string {
  const flags = Object.entries(given).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => `--${name.replaceAll('_', '-')} ${word(one)}`),
  )
  return ['tokenwright', tool.replaceAll('_', '-'), ...flags].join(' ')
}

function word(value: unknown): string {
  const text = visible(typeof value === 'string' ? value : JSON.stringify(value))
  return /^[\w.:/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

function fact(name: string, value: unknown): string[] {
  if (value === true) return [name]
  const text = value === false ? '' : inline(value)
  return text === '' ? [] : [`${name}: ${text}`]
}

function shortTime(text: string): string {
  return text.replace(isoTime, '$1 $2Z')
}
