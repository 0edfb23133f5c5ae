import type { z } from 'zod'
import { idempotencyKey } from '../../core/fields.ts'
import type { Chapter, Described, Told } from './described.ts'
import { refusalResponses } from './responses.ts'
import { inMarkdown, type Json, parametersOf, type Schemas, schemasOf } from './schemas.ts'

/** What the document says of the server. */
export interface About {
  version: string
  /** Where people reach it. */
  url: string
}

/** A heading and the chapters under it. */
export type Part = readonly [heading: string, chapters: readonly Chapter[]]

interface Converted {
  bodies: Schemas
  answers: Schemas
}

/** The OpenAPI 3.1 document of these chapters; each schema and each refusal that repeats stands in it once. */
export function documentOf(parts: readonly Part[], { version, url }: About): object {
  const chapters = parts.flatMap(([, some]) => some)
  const { bodies, answers } = converted(chapters)
  const paths: Record<string, Json> = {}
  for (const chapter of chapters) {
    for (const route of chapter.routes) {
      const path = route.path.replace(/:(\w+)/g, '{$1}')
      const method = route.method.toLowerCase()
      paths[path] = { ...paths[path], [method]: operationOf(chapter, route, { bodies, answers }) }
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tokenwright',
      version,
      description: inMarkdown(about),
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url }],
    tags: chapters.map((chapter) => ({ name: chapter.tag, description: inMarkdown(chapter.about) })),
    'x-tagGroups': parts.map(([name, some]) => ({ name, tags: some.map(({ tag }) => tag) })),
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        basic: { type: 'http', scheme: 'basic' },
      },
      parameters: { IdempotencyKey: retryHeader },
      responses: refusalResponses(chapters, answers),
      schemas: { ...bodies.components, ...answers.components },
    },
  }
}

const about =
  'Issues, scopes, rotates, checks and revokes the credentials of MCP servers. Every operation is at POST /v1/<name>; ' +
  'the dialects serve the same operations, on the same store, for clients of other products.'

const retryHeader = {
  name: 'Idempotency-Key',
  in: 'header',
  description: idempotencyKey.description,
  schema: { type: 'string', minLength: 16, maxLength: 128 },
}

/** Bodies are shown as they are sent, answers as they arrive. */
function converted(chapters: readonly Chapter[]): Converted {
  const bodies = new Map<string, z.ZodType>()
  const answers = new Map<string, z.ZodType>()
  for (const { family, refusal, routes } of chapters) {
    answers.set(`${family}_error`, refusal)
    for (const { id, body, answers: told } of routes) {
      if (body !== undefined) bodies.set(`${id}_body`, body)
      for (const { schema } of Object.values(told)) {
        if (schema !== undefined) answers.set(`${id}_answer`, schema)
      }
    }
  }
  return { bodies: schemasOf(bodies, 'input'), answers: schemasOf(answers, 'output') }
}

function operationOf({ tag, family }: Chapter, route: Described, { bodies, answers }: Converted): Json {
  const { id, summary, about, query, body, retryable } = route
  const parameters = [
    ...pathParametersOf(route),
    ...(query === undefined ? [] : parametersOf(query)),
    ...(retryable ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : []),
  ]
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: inMarkdown(about),
    security: route.public ? [] : [{ bearer: [] }, ...(route.basic ? [{ basic: [] }] : [])],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: bodyOf(body, bodies, route.form) }),
    responses: {
      ...Object.fromEntries(
        Object.entries(route.answers).map(([status, told]) => [status, answerOf(told, answers)]),
      ),
      ...Object.fromEntries(
        route.refusals.map((status) => [status, { $ref: `#/components/responses/${family}_${status}` }]),
      ),
    },
  }
}

function pathParametersOf({ path, params = {} }: Described): Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    ...(params[name] ? { description: inMarkdown(params[name]) } : {}),
    schema: { type: 'string' },
  }))
}

function bodyOf(body: z.ZodType, bodies: Schemas, form = false): Json {
  const type = form ? 'application/x-www-form-urlencoded' : 'application/json'
  return { required: !body.safeParse({}).success, content: { [type]: { schema: bodies.of(body) } } }
}

function answerOf({ about, schema, type, headers }: Told, answers: Schemas): Json {
  const told = { description: about, ...(headers === undefined ? {} : { headers: headersOf(headers) }) }
  if (type !== undefined) return { ...told, content: { [type]: { schema: { type: 'string' } } } }
  if (schema === undefined) return told
  return { ...told, content: { 'application/json': { schema: answers.of(schema) } } }
}

function headersOf(headers: Record<string, string>): Json {
  const entries = Object.entries(headers).map(([name, description]) => [
    name,
    { description: inMarkdown(description), schema: { type: 'string' } },
  ])
  return Object.fromEntries(entries)
}
