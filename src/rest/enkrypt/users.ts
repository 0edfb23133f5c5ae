import { z } from 'zod'
import { tools } from '../../../tools/index.ts'
import { whole } from '../../core/paging.ts'
import { type Route, to } from '../route.ts'
import { search } from './bodies.ts'
import { key, keyOf, named, namedOf, user, userOf } from './objects.ts'
import { envelope, says } from './says.ts'

const short = z.object({ user_id: z.string(), email: z.string() })
const shortOf = ({ id, email }: { id: string; email: string }) => ({ user_id: id, email })
const of = ({ params }: { params: { user_identifier: string } }) => ({ user_id: params.user_identifier })

/** Routes 32 to 37, 46, and the password: people. */
export const userRoutes: Route[] = [
  to('GET /api/v1/users', tools.list_users, {
    all: true,
    answer: envelope(z.array(user)),
    output: ({ users }) => says('Users retrieved successfully', users.map(userOf)),
  }),
  to('POST /api/v1/users', tools.create_user, {
    body: z.strictObject({ email: z.string(), name: z.string().optional(), password: z.string().optional() }),
    answer: envelope(short),
    output: ({ user }) => says('User created successfully', shortOf(user)),
    status: 201,
  }),
  to('POST /api/v1/users/search', tools.list_users, {
    body: search,
    all: true,
    input: ({ body }) => ({ search: body.search_term }),
    answer: envelope(
      z.array(short.extend({ match_type: z.enum(['email', 'project_name']), api_keys: z.int() })),
    ),
    output: ({ users, matches }) =>
      says(
        'Search completed successfully',
        users.map((one, at) => ({
          ...shortOf(one),
          match_type: matches?.[at] ?? ('email' as const),
          api_keys: one.user_key_count,
        })),
      ),
  }),
  to('GET /api/v1/users/:user_identifier', tools.get_user, {
    input: of,
    fixed: { with_keys: true },
    answer: envelope(user.extend({ api_keys: z.array(key) })),
    output: ({ user, user_keys = [] }) =>
      says('User retrieved successfully', {
        ...userOf(user),
        api_keys: user_keys.map((one) => keyOf(one)),
      }),
  }),
  to('PUT /api/v1/users/:user_identifier', tools.update_user, {
    body: z.strictObject({ new_email: z.string() }),
    names: { email: 'new_email' },
    input: ({ params, body }) => ({ ...of({ params }), email: body.new_email }),
    answer: envelope(short),
    output: ({ user }) => says('User updated successfully', shortOf(user)),
  }),
  to('DELETE /api/v1/users/:user_identifier', tools.delete_user, {
    body: z.strictObject({ force: z.boolean().optional() }),
    input: ({ params, body }) => ({ ...of({ params }), force: body.force }),
    answer: envelope(z.object({ revoked_api_keys: z.int() })),
    output: ({ revoked_user_keys }) =>
      says('User deleted successfully', { revoked_api_keys: revoked_user_keys }),
  }),
  to('GET /api/v1/users/:user_identifier/projects', tools.get_user, {
    input: of,
    fixed: { with_keys: true },
    answer: envelope(z.array(named.extend({ api_keys: z.int(), created_at: z.string() }))),
    output: ({ user }) =>
      says(
        'User projects retrieved successfully',
        whole(user.projects).map((one) => ({
          ...namedOf(one),
          api_keys: one.user_key_count,
          created_at: one.created_at,
        })),
      ),
  }),
  to('POST /api/v1/users/:user_identifier/reset-password', tools.reset_password, {
    body: z.strictObject({ new_password: z.string() }),
    input: ({ params, body }) => ({ ...of({ params }), new_password: body.new_password }),
    answer: envelope(z.object({ user_id: z.string(), revoked_tokens: z.int() })),
    output: ({ user, revoked_tokens }) =>
      says('Password reset successfully', { user_id: user.id, revoked_tokens }),
  }),
]
