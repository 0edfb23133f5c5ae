import { z } from 'zod'
import { AppError } from './errors.ts'
import { secrets } from './fields.ts'

/** A member of an operation's input as it can be given in text: a flag, a query parameter. */
export interface TextMember {
  name: string
  kind: 'string' | 'integer' | 'number' | 'boolean' | 'json'
  /** Takes several texts; `kind` is that of one. */
  list: boolean
  /** The only words it takes. */
  choices: readonly string[] | undefined
  /** Takes the word `null`. */
  nullable: boolean
  required: boolean
  description: string
  default: unknown
  /** Holds a secret, so it must not stand on a command line (security R14). */
  secret: boolean
}

interface Schema {
  type?: string | string[]
  anyOf?: Schema[]
  items?: Schema
  enum?: unknown[]
  const?: unknown
  description?: string
  default?: unknown
}

const made = new WeakMap<z.ZodObject, TextMember[]>()

/** The members of an input schema, in its order; what has no form in text is given as JSON. */
export function textMembers(input: z.ZodObject): readonly TextMember[] {
  const known = made.get(input)
  if (known !== undefined) return known
  const json = z.toJSONSchema(input, { io: 'input', unrepresentable: 'any' })
  const members = Object.entries(input.shape).map(([name, field]) => {
    const schema = (json.properties?.[name] ?? {}) as Schema
    return {
      name,
      required: json.required?.includes(name) ?? false,
      secret: isSecret(field),
      ...form(schema),
    }
  })
  made.set(input, members)
  return members
}

/** The value that texts stand for; what it is allowed to be is the schema's to say. Throws `invalid_input`. */
export function readText(member: TextMember, texts: readonly string[]): unknown {
  const [only] = texts
  if (texts.length === 1 && only === 'null' && member.nullable) return null
  if (member.list) return texts.map((text) => one(member, text))
  if (texts.length !== 1 || only === undefined) throw refusal(member, 'must be given once')
  return one(member, only)
}

/** Typed input from named texts; a name the schema does not know stays, for the schema to refuse by name. */
export function textInput(input: z.ZodObject, texts: Record<string, string | readonly string[]>): object {
  const members = new Map(textMembers(input).map((member) => [member.name, member]))
  const entries = Object.entries(texts).map(([name, text]) => {
    const member = members.get(name)
    return [name, member === undefined ? text : readText(member, typeof text === 'string' ? [text] : text)]
  })
  return Object.fromEntries(entries)
}

/** Whether a schema, optional or not, carries the mark of secrets. */
export function isSecret(schema: unknown): boolean {
  return secrets.has(bare(schema) as z.ZodType)
}

/** A schema without the wrappers that say it may be absent or null. */
export function bare(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return bare(schema.unwrap())
  }
  return schema
}

function form(schema: Schema): Omit<TextMember, 'name' | 'required' | 'secret'> {
  const { inner, nullable } = withoutNull(schema)
  const item = inner.type === 'array' ? withoutNull(inner.items ?? {}).inner : undefined
  const kind = kindOf(item ?? inner)
  const list = item !== undefined && kind !== 'json'
  const words = (list && item !== undefined ? item : inner).enum
  return {
    kind: item !== undefined && !list ? 'json' : kind,
    list,
    nullable,
    choices: words?.every((word) => typeof word === 'string') ? words : undefined,
    description: schema.description ?? inner.description ?? '',
    default: schema.default,
  }
}

function withoutNull(schema: Schema): { inner: Schema; nullable: boolean } {
  if (schema.anyOf !== undefined) {
    const others = schema.anyOf.filter((one) => one.type !== 'null')
    const [inner] = others
    const nullable = others.length < schema.anyOf.length
    return others.length === 1 && inner !== undefined ? { inner, nullable } : { inner: {}, nullable }
  }
  if (!Array.isArray(schema.type)) return { inner: schema, nullable: false }
  const types = schema.type.filter((one) => one !== 'null')
  const { type: _, ...rest } = schema
  const nullable = types.length < schema.type.length
  return {
    inner: types.length === 1 && types[0] !== undefined ? { ...rest, type: types[0] } : rest,
    nullable,
  }
}

function kindOf({ type }: Schema): TextMember['kind'] {
  return type === 'string' || type === 'integer' || type === 'number' || type === 'boolean' ? type : 'json'
}

function one(member: TextMember, text: string): unknown {
  switch (member.kind) {
    case 'string':
      return text
    case 'integer':
      if (/^-?\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
      throw refusal(member, 'must be a whole number')
    case 'number':
      if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text)
      throw refusal(member, 'must be a number')
    case 'boolean':
      if (text === 'true' || text === 'false') return text === 'true'
      throw refusal(member, 'must be true or false')
    case 'json':
      try {
        return JSON.parse(text)
      } catch {
        throw refusal(member, 'must be JSON')
      }
  }
}

function refusal(member: TextMember, rule: string): AppError {
  return new AppError('invalid_input', `${member.name}: ${rule}.`, { field: member.name })
}
