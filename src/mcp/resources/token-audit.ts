import { tools } from '../../../tools/index.ts'
import { isId } from '../../domain/id.ts'
import { iconsOf } from '../icons.ts'
import type { Kind } from './kind.ts'

const scheme = 'audit://token/'

/** Events of one token that are shown. */
const latest = 100

/** The trail of one token. */
export const tokenAudit: Kind = {
  address: { uriTemplate: `${scheme}{id}` },
  name: 'token-audit',
  title: 'The trail of a token',
  description:
    'Who did what to one token, the latest 100 events, newest first, denied attempts included; list_audit_events shows older ones.',
  icons: iconsOf('tokens'),
  annotations: { audience: ['user', 'assistant'], priority: 0.4 },
  operation: tools.list_audit_events,
  idIn(uri) {
    const id = uri.slice(scheme.length)
    return uri.startsWith(scheme) && isId('token', id) ? id : undefined
  },
  async read(run, id) {
    // The trail of an id nobody has would be an empty one instead of none.
    await run(tools.get_token, { token_id: id })
    return run(tools.list_audit_events, { target_id: id, limit: latest })
  },
}

/** The address of the trail of a token. */
export function auditUri(id: string): string {
  return `${scheme}${id}`
}
