import { z } from 'zod'
import type { AnyOperation } from './operation.ts'

interface Shapes {
  name: string
  input: z.ZodObject
  output: z.ZodObject
}

const built = new WeakMap<AnyOperation, Shapes>()

/**
 * The schemas of an operation with the members that are for dialects only. Such a member is optional, unless it stands in
 * the place of one that must be given.
 */
export function dialectShapes(operation: AnyOperation): Shapes {
  const known = built.get(operation)
  if (known !== undefined) return known
  const { name, input, output, dialect } = operation
  const shapes = {
    name,
    input: beside(input, dialect?.input),
    output: beside(output, dialect?.output),
  }
  built.set(operation, shapes)
  return shapes
}

function beside(own: z.ZodObject, more: z.ZodObject | undefined): z.ZodObject {
  if (more === undefined) return own
  const members = Object.entries(more.shape).map(([name, member]) => {
    const required = name in own.shape && !own.shape[name]?.safeParse(undefined).success
    return [name, required ? member : z.optional(member)]
  })
  return own.extend(Object.fromEntries(members))
}
