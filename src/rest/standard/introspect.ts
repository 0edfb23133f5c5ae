import { tools } from '../../../tools/index.ts'
import { invoke } from '../../core/invoke.ts'
import { readForm } from '../../http/form.ts'
import type { Endpoint } from './endpoint.ts'

const operation = tools.introspect_token
const members = ['token', 'token_type_hint', 'server', 'tool', 'ip'] as const

/** `POST /oauth2/introspect`: whether a token is good, and whose it is (RFC 7662). */
export const introspect: Endpoint = {
  path: '/oauth2/introspect',
  operation,
  run: async (face, request, caller) =>
    invoke(face.core, caller, operation, await readForm(request, members)),
}
