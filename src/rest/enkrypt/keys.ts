import { z } from 'zod'
import { tools } from '../../../tools/index.ts'
import { type Route, to } from '../route.ts'
import { empty, identifier, oneOf } from './bodies.ts'
import { key, keyOf, ownedKey, ownedKeyOf } from './objects.ts'
import { envelope, nothing, says } from './says.ts'

/** Secrets of this kind alone; disabled ones and expired ones are listed, deleted ones are not (enkrypt:keys:list:only-user-keys). */
const only = { kind: 'user_key' as const }
const listed: { kind: 'user_key'; status: ('active' | 'disabled' | 'expired')[] } = {
  ...only,
  status: ['active', 'disabled', 'expired'],
}
const changes = 'user_keys:write'
const of = ({ params }: { params: { api_key: string } }) => ({ token_id: params.api_key })
const ofUser = ({ params }: { params: { user_identifier: string } }) => ({ user_id: params.user_identifier })

/** Routes 38 to 45 and the details of one: user keys. */
export const keyRoutes: Route[] = [
  to('POST /api/v1/users/:user_identifier/api-keys', tools.generate_user_key, {
    body: z.strictObject({ project_name: identifier.optional(), project_id: identifier.optional() }),
    input: ({ params, body: { project_name, project_id } }) => ({
      ...ofUser({ params }),
      project_id: oneOf({ project_name, project_id }),
    }),
    answer: envelope(key),
    output: ({ token, delivery }) => says('API key generated successfully', keyOf(token, delivery.secret)),
    status: 201,
  }),
  to('GET /api/v1/users/:user_identifier/api-keys', tools.list_magic_tokens, {
    permission: 'user_keys:read',
    query: z.strictObject({ project_identifier: identifier.optional() }),
    all: true,
    fixed: listed,
    input: ({ params, query }) => ({
      owner_id: params.user_identifier,
      ...(query.project_identifier === undefined ? {} : { project_id: query.project_identifier }),
    }),
    answer: envelope(z.array(key)),
    output: ({ tokens }) =>
      says(
        'User API keys retrieved successfully',
        tokens.map((one) => keyOf(one)),
      ),
  }),
  to('DELETE /api/v1/users/:user_identifier/api-keys', tools.revoke_user_keys, {
    input: ofUser,
    answer: envelope(z.object({ deleted: z.int() })),
    output: ({ revoked }) => says('All user API keys deleted successfully', { deleted: revoked }),
  }),
  to('GET /api/v1/api-keys', tools.list_magic_tokens, {
    permission: 'user_keys:read',
    all: true,
    fixed: listed,
    answer: envelope(z.array(ownedKey)),
    output: ({ tokens }) => says('All API keys retrieved successfully', tokens.map(ownedKeyOf)),
  }),
  to('POST /api/v1/api-keys/rotate', tools.rotate_token, {
    permission: changes,
    body: z.strictObject({ api_key: identifier, grace_seconds: z.int().min(0).max(86_400).optional() }),
    fixed: only,
    input: ({ body }) => ({ token_id: body.api_key, grace_seconds: body.grace_seconds }),
    answer: envelope(key.extend({ new_api_key: z.string() })),
    output: ({ token, delivery: { secret = '' } }) =>
      says('API key rotated successfully', { ...keyOf(token, secret), new_api_key: secret }),
  }),
  to('GET /api/v1/api-keys/:api_key', tools.get_token, {
    permission: 'user_keys:read',
    fixed: only,
    input: of,
    answer: envelope(
      ownedKey.extend({
        mcp_config_id: z.string().nullable(),
        mcp_config_name: z.string().nullable(),
        disabled_at: z.string().nullable(),
        enabled_at: z.string().nullable(),
      }),
    ),
    output: ({ token, config }) =>
      says('API key details retrieved successfully', {
        ...ownedKeyOf(token),
        mcp_config_id: config?.id ?? null,
        mcp_config_name: config?.name ?? null,
        disabled_at: token.disabled_at,
        enabled_at: token.enabled_at,
      }),
  }),
  to('POST /api/v1/api-keys/:api_key/disable', tools.set_token_enabled, {
    permission: changes,
    body: empty,
    fixed: only,
    input: ({ params }) => ({ ...of({ params }), enabled: false }),
    answer: nothing,
    output: () => says('API key disabled successfully', null),
  }),
  to('POST /api/v1/api-keys/:api_key/enable', tools.set_token_enabled, {
    permission: changes,
    body: empty,
    fixed: only,
    input: ({ params }) => ({ ...of({ params }), enabled: true }),
    answer: nothing,
    output: () => says('API key enabled successfully', null),
  }),
  to('DELETE /api/v1/api-keys/:api_key', tools.revoke_token, {
    permission: changes,
    fixed: only,
    input: of,
    answer: nothing,
    output: () => says('API key deleted successfully', null),
  }),
]
