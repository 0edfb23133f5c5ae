import { tools } from '../../../tools/index.ts'
import { invokeDialect } from '../../core/invoke.ts'
import { readForm } from '../../http/form.ts'
import type { Endpoint } from './endpoint.ts'

const operation = tools.revoke_secret
const members = ['token', 'token_type_hint'] as const

/**
 * `POST /oauth2/revoke`: ends the token a secret belongs to (RFC 7009). A success tells nothing of it; who may not ask
 * about tokens, as a user key, may not revoke one here either.
 */
export const revoke: Endpoint = {
  path: '/oauth2/revoke',
  operation,
  async run(face, request, caller) {
    await invokeDialect(face.core, caller, operation, await readForm(request, members), 'tokens:validate')
    return undefined
  },
}
