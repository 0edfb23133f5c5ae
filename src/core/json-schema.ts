import type { z } from 'zod'

type Node = z.core.JSONSchema.BaseSchema

/** Leaves out of a node that zod wrote what says nothing more about its values. */
export function lean(node: Node): void {
  if (node.format !== undefined) delete node.pattern
  if (node.maximum === Number.MAX_SAFE_INTEGER) delete node.maximum
  if (node.minimum === Number.MIN_SAFE_INTEGER) delete node.minimum
  mergeNull(node)
}

/** `anyOf: [{type: 'string'}, {type: 'null'}]` says no more than `type: ['string', 'null']`. */
function mergeNull(node: Node): void {
  const [some, none, another] = node.anyOf ?? []
  if (some === undefined || none?.type !== 'null' || another !== undefined) return
  if (typeof some.type !== 'string' || some.enum !== undefined) return
  const { description = some.description } = node
  delete node.anyOf
  Object.assign(node, some, { type: [some.type, 'null'] }, description === undefined ? {} : { description })
}
