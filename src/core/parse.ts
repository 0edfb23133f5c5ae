import { z } from 'zod'
import { secretPattern } from '../domain/secret.ts'
import { AppError, type Issue } from './errors.ts'
import { secrets } from './fields.ts'

/** Faults that are told at most; a document may hold millions. */
const mostTold = 100

/** Names that callers choose, of variables and headers, are told up to this length. */
const longestName = 64

/** Characters of the faults that one sentence tells; models read it, and it is no place for a list. */
const longestTold = 240

/** Parses an operation's input; each thing wrong is named with its member and the rule, never with the value. */
export function parseInput<I extends z.ZodObject>(
  operation: { name: string; input: I },
  raw: unknown,
): z.output<I> {
  const parsed = judged(operation.input, raw ?? {})
  if (parsed.success) {
    const broken = brokenMembers(operation.input, (raw ?? {}) as object)
    if (broken.length > 0) throw invalid(broken)
    return parsed.data
  }
  const { issues } = parsed.error
  // Beside other faults there is no room for it.
  const takes = (path: Path) => (issues.length > 1 ? '' : taken(operation.input, path, operation.name))
  throw invalid(issues.slice(0, mostTold).map((issue) => toIssue(issue, takes)))
}

/** Parses the document in a file as strictly as an input; `member` is that of the input which named the file. */
export function parseDocument<S extends z.ZodType>(schema: S, value: unknown, member: string): z.output<S> {
  const parsed = judged(schema, value)
  const issues = parsed.success
    ? brokenIn(value)
    : parsed.error.issues.slice(0, mostTold).map((issue) => toIssue(issue, () => ''))
  if (parsed.success && issues.length === 0) return parsed.data
  throw invalid(issues.map((issue) => ({ ...issue, path: [member, ...issue.path] })))
}

function judged<S extends z.ZodType>(schema: S, value: unknown): z.ZodSafeParseResult<z.output<S>> {
  try {
    return schema.safeParse(value)
  } catch (error) {
    // zod hands faults on as the arguments of a call, and so many do not fit.
    if (!(error instanceof RangeError)) throw error
    throw new AppError('too_large', 'The input has more faults than can be told. Send something simpler.', {
      reason: 'complex',
    })
  }
}

type Path = (string | number)[]

/** Text one database stores and another refuses or changes, wherever it stands (security R20, F12). */
function brokenIn(value: unknown): Issue[] {
  const issues: Issue[] = []
  for (const issue of broken(value, [])) {
    issues.push(issue)
    if (issues.length === mostTold) break
  }
  return issues
}

function* broken(value: unknown, path: Path): Generator<Issue> {
  if (isSound(value)) return
  if (typeof value === 'string') yield brokenText(path)
  if (typeof value !== 'object' || value === null) return
  for (const [name, item] of Object.entries(value)) {
    const isElement = Array.isArray(value)
    if (!isElement && name === '__proto__') yield protoMember(path)
    else if (!isElement && !isSoundText(name)) yield brokenText(path)
    yield* broken(item, [...path, isElement ? Number(name) : shownName(name, longestName)])
  }
}

/** Most values are sound, and a document may hold millions of them. */
function isSound(value: unknown): boolean {
  if (typeof value === 'string') return isSoundText(value)
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isSound)
  return Object.entries(value).every(([name, item]) => isSoundMember(name, item))
}

function isSoundMember(name: string, value: unknown): boolean {
  return name !== '__proto__' && isSoundText(name) && isSound(value)
}

function isSoundText(text: string): boolean {
  return !text.includes('\0') && !/\p{Surrogate}/u.test(text)
}

function brokenText(path: Path): Issue {
  return { path, code: 'broken_text', message: 'holds NUL or half a character (an unpaired surrogate)' }
}

/** zod leaves `__proto__` out without a word. */
function protoMember(path: Path): Issue {
  return { path, code: 'broken_text', message: 'may not have a member __proto__' }
}

/** As `brokenIn` of each member; most inputs are small and sound, and are asked about for each request. */
function brokenMembers(input: z.ZodObject, raw: object): Issue[] {
  const issues: Issue[] = []
  for (const member of Object.keys(raw)) {
    const value: unknown = raw[member as never]
    const isFine = isSoundMember(member, value) || isSecret(input.shape[member])
    if (!isFine) issues.push(...brokenIn({ [member]: value }))
  }
  return issues
}

/** A malformed secret is just a wrong one, and its text goes nowhere. */
function isSecret(schema: unknown): boolean {
  if (!(schema instanceof z.ZodType)) return false
  return (
    secrets.has(schema) ||
    ('unwrap' in schema && typeof schema.unwrap === 'function' && isSecret(schema.unwrap()))
  )
}

/** The refusal of members that exclude each other, or of which one must be given. */
export function unchosen(members: readonly string[], message: string): AppError {
  return invalid(members.map((member) => ({ path: [member], code: 'choice', message })))
}

/** The refusal for bad input, with one sentence that names the first few problems. */
export function invalid(issues: Issue[]): AppError {
  const [first] = issues
  const told =
    first?.code === 'choice'
      ? [`${issues.map(placeOf).join(', ')}: ${first.message}`]
      : fitting(
          issues.slice(0, 3).map((issue) => `${placeOf(issue)}: ${issue.message}`),
          longestTold,
        )
  const untold = first?.code === 'choice' ? 0 : issues.length - told.length
  const more = untold > 0 ? ` (and ${untold} more)` : ''
  const field = first?.path.join('.')
  return new AppError('invalid_input', `${told.join('; ')}${more}.`, { issues, ...(field ? { field } : {}) })
}

/** The first texts that are so many characters at most together; one in any case. */
function fitting(texts: string[], most: number): string[] {
  let length = 0
  return texts.filter((text, at) => {
    length += text.length
    return at === 0 || length <= most
  })
}

function placeOf({ path }: Issue): string {
  return path.join('.') || 'input'
}

/** Which members there are where an unknown one was given, as the end of a sentence. */
function taken(input: z.ZodType, path: Path, name: string): string {
  const at = path.reduce<z.ZodType | undefined>(memberOf, input)
  const object = at === undefined ? undefined : bare(at)
  if (!(object instanceof z.ZodObject)) return ''
  return `; ${path.at(-1) ?? name} takes ${Object.keys(object.shape).join(', ') || 'none'}`
}

function memberOf(schema: z.ZodType | undefined, member: string | number): z.ZodType | undefined {
  const at = schema === undefined ? undefined : bare(schema)
  if (at instanceof z.ZodObject) return at.shape[member]
  return at instanceof z.ZodArray ? (at.element as z.ZodType) : undefined
}

/** A schema without what says that its value may be left out or null. */
function bare(schema: z.ZodType): z.ZodType {
  return 'unwrap' in schema && typeof schema.unwrap === 'function' && !(schema instanceof z.ZodArray)
    ? bare(schema.unwrap())
    : schema
}

/** `takes` says which members there are where an unknown one stands. */
function toIssue(issue: z.core.$ZodIssue, takes: (path: Path) => string): Issue {
  const path = issue.path.map((part) =>
    typeof part === 'number' ? part : shownName(String(part), longestName),
  )
  if (issue.code === 'unrecognized_keys') {
    const names = fitting(
      issue.keys.slice(0, 3).map((name) => shownName(name, 32)),
      40,
    )
    const untold = issue.keys.length - names.length
    const more = untold > 0 ? ` (and ${untold} more)` : ''
    const message = `unknown argument ${names.join(', ')}${more}${takes(path)}`
    return { path: [...path, names[0] ?? ''], code: 'unknown_member', message }
  }
  const absent = issue.code === 'invalid_type' && issue.message.endsWith('received undefined')
  const told = lower(issue.message).replace('expected record', 'expected object')
  return { path, code: issue.code ?? 'invalid', message: absent ? 'must be given' : told }
}

function lower(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1).replace(/\.$/, '')
}

/** A member's name as the caller is told it; one that is no plain name may be a secret in the wrong place. */
function shownName(name: string, longest: number): string {
  const plain =
    name.length <= longest && /^[A-Za-z_$][\w.-]*$/.test(name) && name.search(secretPattern) === -1
  return plain ? name : '(a name that is not shown)'
}
