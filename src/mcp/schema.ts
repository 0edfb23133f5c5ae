import { z } from 'zod'
import { secrets } from '../core/fields.ts'
import { lean } from '../core/json-schema.ts'

export interface JsonSchema {
  type: 'object'
  [keyword: string]: unknown
}

/**
 * The JSON Schema (draft 2020-12) of what a tool takes, as lean as it can be without saying less of the types: a
 * model reads it in every conversation.
 */
export function inputSchema(schema: z.ZodObject): JsonSchema {
  return convert(schema, 'input', [])
}

/** What a model may be asked for: everything but secrets of people, which no conversation should hold (security R7). */
export function modelInput(schema: z.ZodObject): z.ZodObject {
  const hidden = Object.entries(schema.shape).filter(([, member]) => isOfPeople(member as z.ZodType))
  if (hidden.length === 0) return schema
  const names: Record<string, true> = Object.fromEntries(hidden.map(([name]) => [name, true]))
  return schema.omit(names as Parameters<typeof schema.omit>[0])
}

function isOfPeople(member: z.ZodType): boolean {
  const inner = member instanceof z.ZodOptional ? (member.unwrap() as z.ZodType) : member
  return secrets.get(inner)?.ofPeople === true
}

/**
 * The schema of what a tool answers; a short view tells neither what members mean nor which of the inner ones are always
 * there, because the full one does.
 */
export function outputSchema(schema: z.ZodObject, short: boolean): JsonSchema {
  return short
    ? convert(schema, 'output', [...unsaid, 'description'], ['required'])
    : convert(schema, 'output', unsaid)
}

/** What bounds an input says nothing to the reader of an answer, and answers stay open for members to come. */
const unsaid: readonly Keyword[] = [
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minimum',
  'maximum',
  'pattern',
  'additionalProperties',
]

type Node = z.core.JSONSchema.BaseSchema
type Keyword = keyof Node & string

function convert(
  schema: z.ZodObject,
  io: 'input' | 'output',
  without: readonly Keyword[],
  withoutInside: readonly Keyword[] = [],
): JsonSchema {
  const full = z.toJSONSchema(schema, {
    io,
    override({ zodSchema, jsonSchema: node, path }) {
      if (zodSchema._zod.def.type === 'record') {
        delete node.propertyNames
        delete node.additionalProperties
      }
      lean(node)
      for (const keyword of without) delete node[keyword]
      if (path.length === 0) return
      for (const keyword of withoutInside) delete node[keyword]
      if (node.properties !== undefined && Object.keys(node.properties).length === 0) delete node.properties
    },
  })
  // The draft is the one the protocol assumes of a schema that names none; the definitions were of free values.
  const { $schema: _, $defs: __, ...rest } = full
  return rest as JsonSchema
}
