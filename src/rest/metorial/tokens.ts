import { z } from 'zod'
import { tools } from '../../../tools/index.ts'
import { AppError } from '../../core/errors.ts'
import { description, exactName } from '../../core/fields.ts'
import { soughtBy } from '../query.ts'
import { type Route, to } from '../route.ts'
import { listOf, pageOf, token, tokenOf } from './objects.ts'
import { placeOf, someOf, tokenQuery } from './query.ts'

/** Metadata is kept as its text, so that it comes back exactly as it was sent (metorial:wire:body:metadata). */
export const metadata = z
  .unknown()
  .meta({ type: 'object' })
  .refine(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'Expected an object',
  )
  .refine(finite, 'holds a number beyond the range of JSON numbers')
  .refine(whole, 'holds half a character (an unpaired surrogate)')

/** Without a number that has become infinite while it was read, and could not be given back. */
function finite(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  return typeof value !== 'object' || value === null || Object.values(value).every(finite)
}

/** Without half a character, which JSON can only escape and strict readers of a whole list stumble over (security R11). */
function whole(value: unknown): boolean {
  return !/(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/.test(JSON.stringify(value) ?? '')
}

export const texts = { description: description.optional(), metadata: metadata.optional() }

/** The texts of a body as operations take them. */
export function textsOf(body: {
  name?: string | undefined
  description?: string | undefined
  metadata?: unknown
}) {
  return {
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(body.description === undefined ? {} : { description: body.description }),
    ...(body.metadata === undefined ? {} : { metadata_text: JSON.stringify(body.metadata) }),
  }
}

/** What only managers hold: user keys count as plain access tokens here, which see and rotate themselves. */
export const readers = 'groups:read'
export const writers = 'groups:write'

/** An id of a thing; what is none is looked for all the same, and not found. */
const id = z.string().transform(soughtBy)

/** Ids of members. */
export const ids = z.array(id)
const show = { show: 'members' as const }
const grace_seconds = z.int().min(0).max(86_400)
const one = { answer: token, output: ({ token }: { token: Parameters<typeof tokenOf>[0] }) => tokenOf(token) }

/** There are no endpoints; one that is named is looked for under a name no server has (metorial:tokens:create:*). */
const noEndpoint = (id: string) => `endpoint ${id}`

/** A member of a token that is deleted is a state here, not a thing that is gone. */
function ofMembers(error: AppError): AppError {
  const { code, message, entity = '', id = '' } = error
  if (code === 'gone') return new AppError('conflict', message, { entity, id, reason: 'deleted' })
  if (code !== 'not_found' || !id.startsWith('endpoint ')) return error
  return new AppError('not_found', message, { entity: 'magic endpoint', id: id.slice('endpoint '.length) })
}

const deleted: 'revoked'[] = ['revoked']
const active: ('active' | 'disabled' | 'expired')[] = ['active', 'disabled', 'expired']

/** Routes 1 to 8. */
export const tokenRoutes: Route[] = [
  to('GET /magic-mcp-tokens', tools.list_magic_tokens, {
    permission: readers,
    query: tokenQuery,
    fixed: show,
    input: ({ query }) => {
      const { status, magic_mcp_group_id: groups, magic_mcp_server_id: servers } = query
      const wanted = new Set(status)
      // None of the endpoints that are asked for exists, nor does the group of that name.
      const endpoints = someOf(query.magic_mcp_endpoint_id)?.map(noEndpoint)
      const group_ids = endpoints ?? someOf(groups)
      const usable_on = someOf(servers)
      return {
        ...placeOf(query),
        ...(wanted.size === 1 ? { status: wanted.has('deleted') ? deleted : active } : {}),
        ...(group_ids === undefined ? {} : { group_ids }),
        ...(usable_on === undefined ? {} : { usable_on }),
      }
    },
    answer: pageOf(token),
    output: ({ tokens, ...flags }) =>
      listOf(
        tokens.map((view) => tokenOf(view)),
        flags,
      ),
  }),
  to('POST /magic-mcp-tokens', tools.create_token, {
    permission: writers,
    body: z.object({
      name: exactName,
      ...texts,
      group_ids: ids.optional(),
      magic_mcp_group_ids: ids.optional(),
      magic_mcp_server_id: id.optional(),
      magic_mcp_endpoint_id: id.optional(),
    }),
    fixed: { ...show, expires_at: null },
    input: ({ body }) => {
      const groups = [...new Set([...(body.group_ids ?? []), ...(body.magic_mcp_group_ids ?? [])])]
      const { magic_mcp_server_id: server, magic_mcp_endpoint_id: endpoint } = body
      const servers = server === undefined ? [] : [server]
      const reach = groups.length + servers.length > 0 ? { servers, groups } : { all_servers: true }
      return {
        ...textsOf(body),
        name: body.name,
        access: endpoint === undefined ? reach : { servers: [noEndpoint(endpoint)] },
      }
    },
    answer: token,
    output: ({ token, delivery }) => tokenOf(token, delivery.secret),
    error: ofMembers,
  }),
  to('GET /magic-mcp-tokens/:token_id', tools.get_token, { permission: readers, fixed: show, ...one }),
  to('PATCH /magic-mcp-tokens/:token_id', tools.update_token, {
    permission: writers,
    body: z.object({ name: exactName.optional(), ...texts }),
    fixed: show,
    input: ({ params, body }) => ({ ...params, ...textsOf(body) }),
    ...one,
  }),
  to('DELETE /magic-mcp-tokens/:token_id', tools.revoke_token, {
    permission: writers,
    fixed: show,
    answer: token,
    output: ({ token, changed }) => {
      if (changed) return tokenOf(token)
      throw new AppError('conflict', 'Deleted before.', { entity: 'token', id: token.id, reason: 'deleted' })
    },
  }),
  to('POST /magic-mcp-tokens/:token_id/add-groups', tools.add_groups, {
    permission: writers,
    body: z.object({ magic_mcp_group_ids: ids }),
    fixed: show,
    input: ({ params, body }) => ({ ...params, group_ids: body.magic_mcp_group_ids }),
    ...one,
    error: ofMembers,
  }),
  to('POST /magic-mcp-tokens/:token_id/remove-groups', tools.remove_groups, {
    permission: writers,
    body: z.object({ magic_mcp_group_ids: ids }),
    fixed: show,
    input: ({ params, body }) => ({ ...params, group_ids: body.magic_mcp_group_ids }),
    ...one,
  }),
  to('POST /magic-mcp-tokens/:token_id/rotate', tools.rotate_token, {
    permission: writers,
    body: z.object({ grace_seconds: grace_seconds.optional() }),
    fixed: show,
    answer: token,
    output: ({ token, delivery }) => tokenOf(token, delivery.secret),
  }),
]
