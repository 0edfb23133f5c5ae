import { tools } from '../../../tools/index.ts'
import { AppError } from '../../core/errors.ts'
import { type Route, to } from '../route.ts'
import { createBody, editBody, listQuery, rotateBody } from './bodies.ts'
import { newToken, newTokenOf, token, tokenList, tokenOf } from './objects.ts'
import { shown } from './words.ts'

const show = { show: 'reach' as const }

/** Nothing made or edited here lasts longer (mctx:tokens:create:expiry-policy). */
const bounded = { ...show, longest_days: 90 }

const one = { answer: token, output: ({ token }: { token: Parameters<typeof tokenOf>[0] }) => tokenOf(token) }

/** A server that is not there is a fault of the body, not of the path (mctx:tokens:create:servers-unknown). */
function ofServers(error: AppError): AppError {
  const { code, entity, message, id = '' } = error
  if (entity !== 'server' || (code !== 'not_found' && code !== 'gone')) return error
  const rule = `names a server that does not exist: ${shown(id)}`
  const issues = [{ path: ['server_ids'], code: 'unknown_server', message: rule }]
  return new AppError('invalid_input', message, { issues })
}

/** Routes 1 to 6. */
export const tokenRoutes: Route[] = [
  to('POST /api/tokens', tools.create_token, {
    body: createBody,
    fixed: bounded,
    input: ({ body: { server_ids = [], ...body } }) => ({
      ...body,
      ...(server_ids === 'all' ? { access: { all_servers: true } } : {}),
      ...(server_ids === 'all' || server_ids.length === 0 ? {} : { access: { servers: server_ids } }),
    }),
    answer: newToken,
    output: ({ token, delivery }) => newTokenOf(token, delivery),
    status: 201,
    error: ofServers,
  }),
  to('GET /api/tokens', tools.list_magic_tokens, {
    query: listQuery,
    fixed: show,
    input: ({ query: { status = 'active', limit = 100, cursor } }) => ({
      limit,
      cursor,
      ...(status === 'all' ? {} : { status: [status] }),
    }),
    answer: tokenList,
    output: ({ tokens, next_cursor }) => ({ tokens: tokens.map(tokenOf), next_cursor }),
  }),
  to('GET /api/tokens/:token_id', tools.get_token, { fixed: show, ...one }),
  to('PATCH /api/tokens/:token_id', tools.update_token, { body: editBody, fixed: bounded, ...one }),
  to('DELETE /api/tokens/:token_id', tools.revoke_token, { fixed: show, ...one }),
  to('POST /api/tokens/:token_id/rotate', tools.rotate_token, {
    body: rotateBody,
    fixed: show,
    answer: newToken,
    output: ({ token, delivery }) => newTokenOf(token, delivery),
  }),
]
