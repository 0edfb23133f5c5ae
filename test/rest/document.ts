import { Ajv2020 } from 'ajv/dist/2020.js'

// biome-ignore lint/suspicious/noExplicitAny: a document is read by its paths
type Free = any

/** An operation of an OpenAPI document, with where it stands. */
export interface Documented {
  method: string
  /** With parameters as `{name}`. */
  path: string
  // biome-ignore lint/suspicious/noExplicitAny: a document is read by its paths
  operation: any
}

/** Every operation of the document. */
export function operationsOf(document: Free): Documented[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item as object).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  )
}

/** What a value at `$ref` is. */
export function resolve(document: Free, value: Free): Free {
  if (typeof value?.$ref !== 'string') return value
  const parts = value.$ref.slice(2).split('/')
  return parts.reduce((at: Free, part: string) => at?.[part], document)
}

/**
 * Checks bodies by the schemas of the document, with objects closed: a member the document does not name is wrong. Answers
 * what is wrong, null = nothing.
 */
export function checker(document: Free): (documented: Documented, status: number, body: unknown) => unknown {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
  ajv.addSchema(closed(document), 'document')
  return ({ operation }, status, body) => {
    const response = resolve(document, operation.responses[status])
    if (response === undefined) return `status ${status} is not documented`
    const { schema } = response.content?.['application/json'] ?? {}
    if (schema === undefined) return body === undefined ? null : 'no body is documented'
    const { $ref, ...rest } = closed(schema)
    const validate = ajv.compile($ref === undefined ? rest : { $ref: `document${$ref}` })
    return validate(body) ? null : validate.errors
  }
}

function closed(document: Free): Free {
  return JSON.parse(JSON.stringify(document), (_, value) =>
    value?.type === 'object' && value.properties !== undefined && value.additionalProperties === undefined
      ? { ...value, additionalProperties: false }
      : value,
  )
}
