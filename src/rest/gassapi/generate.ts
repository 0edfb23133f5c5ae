import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { tools } from '../../../tools/index.ts'
import { AppError } from '../../core/errors.ts'
import { invokeWithPassword } from '../../core/with-password.ts'
import { answerJson, fixedHeaders, leaveBody, pathOf } from '../../http/answer.ts'
import { parseJson, readBytesOf } from '../../http/body.ts'
import type { Facts } from '../../http/facts.ts'
import { withIdempotencyKey } from '../../http/idempotency-key.ts'
import { boundsOf } from '../../http/limits.ts'
import type { Family, RawRoute } from '../../http/server.ts'
import type { HttpFace } from '../../http/types.ts'
import { generateRefusal, invalidJson, methodNotAllowed, missingFields } from './words.ts'

const operation = tools.generate_mcp_token

/** Its path, and the old one. */
export const paths = ['/public/generate-mcp-token', '/public/generate-mcp-token.php']

/** Any page may call it: the credential is in the body, and no browser adds one by itself (security R23). */
const anyPage = { 'access-control-allow-origin': '*' }
const preflight = {
  ...anyPage,
  'access-control-allow-methods': 'POST, OPTIONS',
  'access-control-allow-headers': 'Content-Type',
  'content-length': '0',
}

/** The body of the public route; more members are ignored. */
export const generateBody = z.object({ email: z.string(), password: z.string(), project_id: z.string() })

/** Its success, and nothing else in it (gassapi:generate:success:shape). */
export const generated = z.object({
  project: z.object({ id: z.string(), name: z.string(), description: z.string().nullable() }),
  mcpClient: z.object({ token: z.string() }),
})

/** `POST /public/generate-mcp-token`, under its old name too: signs in and makes a token in one request. */
export function generateRoute(face: HttpFace): RawRoute {
  return (request, response, facts) => {
    if (!paths.includes(pathOf(request))) return false
    facts.route = paths[0] ?? ''
    void answer(face, request, response, facts)
    return true
  }
}

/** How the route words what is refused before its own code runs; no Origin is. */
export const generateFamily: Family = {
  owns: (path) => paths.includes(path),
  anyOrigin: () => true,
  refusal(error, requestId) {
    const { headers, ...refused } = generateRefusal(error, requestId)
    return { ...refused, headers: { ...headers, ...anyPage } }
  },
}

async function answer(
  face: HttpFace,
  request: IncomingMessage,
  response: ServerResponse,
  facts: Facts,
): Promise<void> {
  if (request.method === 'OPTIONS') {
    leaveBody(request)
    response.writeHead(200, { ...fixedHeaders, ...preflight }).end()
    return
  }
  try {
    if (request.method !== 'POST') throw methodNotAllowed()
    const input = withIdempotencyKey(request, fieldsOf(await bodyOf(face, request)))
    const caller = { via: 'gassapi' as const, ip: facts.ip, client: null, request_id: facts.requestId }
    const out = await invokeWithPassword(face.core, caller, operation, input)
    answerJson(request, response, 201, successOf(operation.output.parse(out)), anyPage)
  } catch (error) {
    if (!(error instanceof AppError)) face.log.error({ error, request_id: facts.requestId }, 'request failed')
    const refusal = error instanceof AppError ? error : new AppError('internal', 'Internal error.')
    const { status, body, headers } = generateRefusal(refusal, facts.requestId)
    answerJson(request, response, status, body, { ...headers, ...anyPage })
  }
}

async function bodyOf({ limits }: HttpFace, request: IncomingMessage): Promise<unknown> {
  const bounds = boundsOf(limits, operation)
  const bytes = await readBytesOf(request, bounds.bodyBytes)
  const body = bytes.length === 0 ? undefined : parseJson(bytes, bounds)
  // What counts as empty where this route comes from is no input there at all (gassapi:generate:invalid:json).
  const isEmpty = !body || (typeof body === 'object' && Object.keys(body).length === 0)
  if (isEmpty) throw invalidJson()
  return body
}

function fieldsOf(body: unknown): z.output<typeof generateBody> {
  const found = generateBody.safeParse(body)
  if (!found.success || Object.values(found.data).includes('')) throw missingFields()
  // An id with half a character in it is the id of nothing (gassapi:generate:project:verbatim).
  return { ...found.data, project_id: found.data.project_id.replace(/[\0\p{Surrogate}]/gu, '\ufffd') }
}

function successOf({
  project: { id, name, description },
  secret,
}: z.output<typeof operation.output>): z.input<typeof generated> {
  return { project: { id, name, description }, mcpClient: { token: secret } }
}
