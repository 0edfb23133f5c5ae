import { z } from 'zod'
import { shared } from '../../core/fields.ts'
import { lean } from '../../core/json-schema.ts'

export type Json = Record<string, unknown>

type Node = z.core.JSONSchema.BaseSchema

/** JSON Schemas (draft 2020-12) of one direction. */
export interface Schemas {
  /** Where the schema stands. */
  of(schema: z.ZodType): Json
  /** What stands under `#/components/schemas`. */
  components: Record<string, Json>
}

const prefix = '#/components/schemas/'
/** Where zod puts what refers to itself: with us the values of free JSON, of which there is nothing to say. */
const circular = '__shared#'

/** Converts schemas together, each under the name it is asked for; those in `shared` keep their own, and stand there once. */
export function schemasOf(wanted: ReadonlyMap<string, z.ZodType>, way: 'input' | 'output'): Schemas {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of shared._idmap) registry.add(schema, { id: way === 'input' ? `${id}Input` : id })
  for (const [id, schema] of wanted) if (!registry.has(schema)) registry.add(schema, { id })
  const { schemas } = z.toJSONSchema(registry, {
    io: way,
    uri: (id) => `${prefix}${id}`,
    unrepresentable: 'any',
    override: way === 'input' ? brief : open,
  })
  const idOf = (schema: z.ZodType) => registry.get(schema)?.id ?? ''
  const components: Schemas['components'] = {}
  const keep = (id: string) => {
    if (id in components) return
    const node = bare(schemas[id] ?? {})
    components[id] = node
    for (const next of refsOf(node)) keep(next)
  }
  for (const schema of wanted.values()) keep(idOf(schema))
  return { of: (schema) => ({ $ref: `${prefix}${idOf(schema)}` }), components }
}

/** The members of a query, each as one parameter; what has no type of its own is text. */
export function parametersOf(query: z.ZodObject): Json[] {
  const { properties = {} } = z.toJSONSchema(query, { io: 'output', unrepresentable: 'any', override: brief })
  return Object.entries(query.shape).map(([name, member]) => {
    const { description, ...schema } = bare(properties[name] as Node)
    return {
      name,
      in: 'query',
      ...(description === undefined ? {} : { description }),
      ...((member as z.ZodType).safeParse(undefined).success ? {} : { required: true }),
      schema: 'type' in schema || 'anyOf' in schema ? schema : { type: 'string', ...schema },
    }
  })
}

/** Text as itself: the reader of a document takes descriptions for Markdown, in which `<name>` is a tag. */
export function inMarkdown(text: string): string {
  return text.replace(/(?<!\\)</g, '\\<')
}

function brief({ jsonSchema: node }: { jsonSchema: Node }): void {
  lean(node)
  for (const [name, member] of Object.entries(node.properties ?? {})) {
    // A member that no value fits is there to be refused in words of its own.
    if (JSON.stringify(member) === '{"not":{}}') delete node.properties?.[name]
  }
  if (node.description !== undefined) node.description = inMarkdown(node.description)
  if (JSON.stringify(node.propertyNames) === '{"type":"string"}') delete node.propertyNames
}

/** An answer may gain members. */
function open(one: { jsonSchema: Node }): void {
  brief(one)
  if (one.jsonSchema.additionalProperties === false) delete one.jsonSchema.additionalProperties
}

/** Without the addresses zod gives to what it converts. */
function bare(node: Node): Json {
  const { $id: _, $schema: __, ...rest } = node
  return JSON.parse(JSON.stringify(rest), (_name, value) =>
    typeof value?.$ref === 'string' && value.$ref.includes(circular) ? {} : value,
  )
}

function refsOf(node: Json): string[] {
  const found: string[] = []
  JSON.stringify(node, (name, value) => {
    if (name === '$ref') found.push(value.slice(prefix.length))
    return value
  })
  return found
}
