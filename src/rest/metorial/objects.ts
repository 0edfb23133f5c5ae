import { z } from 'zod'
import { shared } from '../../core/fields.ts'
import type { WideTokenView } from '../../core/views/wide-token.ts'

const time = z.string().describe('YYYY-MM-DDTHH:MM:SS.mmmZ')
const status = z.enum(['active', 'deleted'])
const texts = {
  name: z.string().nullable(),
  description: z.string().nullable(),
  metadata: z.unknown().meta({ type: 'object' }),
  created_at: time,
  updated_at: time,
}

/** A group (metorial:groups:object:shape). */
export const group = z.object({
  object: z.literal('magic_mcp.group'),
  id: z.string(),
  status,
  slug: z.string(),
  ...texts,
})

shared.add(group, { id: 'MetorialGroup' })

const endpoint = z.object({ id: z.string(), alias: z.string(), url: z.string() })

/** A server (metorial:servers:object:shape). */
export const server = z.object({
  object: z.literal('magic_mcp.server'),
  id: z.string(),
  status,
  slug: z.string(),
  session_template_id: z.null(),
  endpoints: z.array(endpoint).describe('Where the gateway serves it.'),
  providers: z.array(z.unknown()),
  ...texts,
})

shared.add(server, { id: 'MetorialServer' })

const preview = z.object({
  object: z.literal('magic_mcp.server#preview'),
  id: z.string(),
  status,
  name: z.string().nullable(),
  description: z.string().nullable(),
})

/** A token (metorial:token:object:*). */
export const token = z.object({
  object: z.literal('magic_mcp.token'),
  id: z.string(),
  status,
  secret: z.string().describe('The full secret in the answers of create and rotate, else "".'),
  secret_redacted: z.string(),
  server: preview.nullable().describe('Of a token that names exactly one server and no group.'),
  endpoint: z.null(),
  groups: z.array(group),
  ...texts,
  access: z.object({ all_servers: z.boolean(), magic_mcp_server_ids: z.array(z.string()) }),
  disabled: z.boolean(),
  expires_at: time.nullable(),
  last_used_at: time.nullable(),
  deleted_at: time.nullable(),
})

shared.add(token, { id: 'MetorialToken' })

/** A page of a list (metorial:tokens:list:envelope). */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    object: z.literal('list'),
    items: z.array(item),
    pagination: z.object({ has_more_after: z.boolean(), has_more_before: z.boolean() }),
  })
}

/** The envelope of a list. */
export function listOf<Item>(
  items: Item[],
  {
    has_more_after = false,
    has_more_before = false,
  }: Partial<Record<'has_more_after' | 'has_more_before', boolean>>,
) {
  return { object: 'list' as const, items, pagination: { has_more_after, has_more_before } }
}

interface Plain {
  id: string
  slug: string
  status: 'active' | 'deleted'
  name: string | null
  description: string | null
  metadata: unknown
  created_at: string
  updated_at: string
}

const plain = ({ id, status, slug }: Plain) => ({ id, status, slug })
const textsOf = ({
  name,
  description,
  metadata,
  created_at,
  updated_at,
}: Omit<Plain, 'slug' | 'status'>) => ({
  name,
  description,
  metadata,
  created_at,
  updated_at,
})

export function groupOf(view: Plain): z.input<typeof group> {
  return { object: 'magic_mcp.group', ...plain(view), ...textsOf(view) }
}

/** `base` is the address people reach this server at, without a slash at the end. */
export function serverOf(view: Plain, base: string): z.input<typeof server> {
  const { id, slug } = view
  return {
    object: 'magic_mcp.server',
    ...plain(view),
    session_template_id: null,
    endpoints: [{ id, alias: slug, url: `${base}/servers/${slug}/mcp` }],
    providers: [],
    ...textsOf(view),
  }
}

/** `secret` only where one was just made. */
export function tokenOf(view: WideTokenView, secret = ''): z.input<typeof token> {
  const { access, group_views = [], server_views = [] } = view
  const [only, another] = server_views
  const linked =
    only !== undefined && another === undefined && !access.all_servers && group_views.length === 0
  return {
    object: 'magic_mcp.token',
    id: view.id,
    status: view.status === 'revoked' ? 'deleted' : 'active',
    secret,
    secret_redacted: view.secret_redacted,
    server: linked ? { object: 'magic_mcp.server#preview', ...only } : null,
    endpoint: null,
    groups: group_views.map(groupOf),
    ...textsOf(view),
    access: { all_servers: access.all_servers, magic_mcp_server_ids: access.servers.map(({ id }) => id) },
    disabled: !view.enabled,
    expires_at: view.expires_at,
    last_used_at: view.last_used_at,
    deleted_at: view.revoked_at,
  }
}
