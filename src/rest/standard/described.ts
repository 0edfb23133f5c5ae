import { z } from 'zod'
import { tools } from '../../../tools/index.ts'
import type { Chapter, Described } from '../openapi/described.ts'
import { forwardRefusal } from './forward-words.ts'
import { oauthRefusal } from './words.ts'

const { introspect_token, revoke_secret } = tools
const refusals = [400, 401, 403, 405, 413, 415, 429, 500, 503]

const oauth: Described[] = [
  {
    method: 'POST',
    path: '/oauth2/introspect',
    id: 'oauth2_introspect',
    summary: 'Introspect a token (RFC 7662)',
    about: 'The operation introspect_token with a form as its body. Needs tokens:validate.',
    body: introspect_token.input,
    form: true,
    basic: true,
    answers: {
      200: { about: 'What the token is; {"active":false} for every other.', schema: introspect_token.output },
    },
    refusals,
  },
  {
    method: 'POST',
    path: '/oauth2/revoke',
    id: 'oauth2_revoke',
    summary: 'Revoke a token (RFC 7009)',
    about:
      'The operation revoke_secret with a form as its body; the answer is the same whether there was a token or not. Needs tokens:write.',
    body: revoke_secret.input,
    form: true,
    basic: true,
    answers: { 200: { about: 'The token, if there was one in reach, is revoked.' } },
    refusals,
  },
]

const asked = z.object({
  server: z
    .string()
    .optional()
    .describe('The server that is asked for (id or slug); also as the header X-Auth-Server.'),
  tool: z.string().optional().describe('The tool that is asked for; also as the header X-Auth-Tool.'),
})

const verify: Described = {
  method: 'GET',
  path: '/auth/verify',
  id: 'forward_auth',
  summary: 'May the token of this request pass?',
  about:
    'For proxies that ask before they let a request through; the credential is that of the request itself. Every method is answered alike, a body is not read.',
  query: asked,
  answers: {
    200: {
      about: 'It may. A header of a value that the token has not is left out.',
      headers: {
        'X-Auth-Token-Id': 'The id of the token.',
        'X-Auth-Token-Name': 'Its name; all but visible ASCII is percent-encoded.',
        'X-Auth-Token-Owner': 'The id of its owner.',
        'X-Auth-Token-Project': 'The id of its project.',
        'X-Auth-Token-Groups': 'Slugs of its groups, a comma between two.',
        'X-Auth-Token-Expires-At': 'When the secret ends, ISO 8601 UTC.',
      },
    },
  },
  refusals: [401, 403, 429, 500, 503],
}

/** The endpoints of standards, for the documentation. */
export const standardChapters: Chapter[] = [
  {
    tag: 'OAuth',
    about:
      'Introspection and revocation for clients of OAuth; the caller is a management key, by Bearer or by Basic.',
    family: 'oauth2',
    refusal: oauthRefusal,
    routes: oauth,
  },
  {
    tag: 'Forward-auth',
    about: 'What proxies ask about the requests they hold.',
    family: 'forward_auth',
    refusal: forwardRefusal,
    routes: [
      verify,
      {
        ...verify,
        path: '/auth/verify/:server',
        id: 'forward_auth_server',
        summary: 'May the token of this request pass to a server?',
        params: { server: 'The server that is asked for (id or slug).' },
      },
    ],
  },
]
