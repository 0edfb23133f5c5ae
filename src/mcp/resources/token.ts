import type { z } from 'zod'
import { tools } from '../../../tools/index.ts'
import { isId } from '../../domain/id.ts'
import { iconsOf } from '../icons.ts'
import { type Kind, mimeType } from './kind.ts'

const scheme = 'token://'

/** One token in full, without its secret. */
export const token: Kind = {
  address: { uriTemplate: `${scheme}{id}` },
  name: 'token',
  title: 'A token',
  description:
    'One token in full: status, reach, addresses, expiry, limits and the uses of each secret; never the secret.',
  icons: iconsOf('tokens'),
  annotations: { audience: ['user', 'assistant'], priority: 0.6 },
  operation: tools.get_token,
  idIn: tokenIdIn,
  read: (run, token_id) => run(tools.get_token, { token_id }),
}

/** The address of a token. */
export function tokenUri(id: string): string {
  return `${scheme}${id}`
}

function tokenIdIn(uri: string): string | undefined {
  const id = uri.slice(scheme.length)
  return uri.startsWith(scheme) && isId('token', id) ? id : undefined
}

type TokenView = z.output<typeof tools.get_token.output>['token']

/** A token in a list of resources; text of others stands in the title alone (security R11). */
export function tokenEntry({ id, name, status, expires_at, updated_at }: Listed) {
  const end = expires_at === null ? 'never ends' : `ends ${expires_at}`
  return {
    uri: tokenUri(id),
    name: id,
    title: name || 'Token without a name',
    description: `Access token, ${status}, ${end}.`,
    mimeType,
    annotations: { audience: ['user', 'assistant'], priority: 0.5, lastModified: updated_at },
  }
}

type Listed = Pick<TokenView, 'id' | 'name' | 'status' | 'expires_at' | 'updated_at'>
