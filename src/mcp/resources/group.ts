import type { z } from 'zod'
import { tools } from '../../../tools/index.ts'
import { isId } from '../../domain/id.ts'
import { iconsOf } from '../icons.ts'
import { type Kind, mimeType } from './kind.ts'

const scheme = 'group://'

/** One group with the servers in it that the caller may see. */
export const group: Kind = {
  address: { uriTemplate: `${scheme}{id}` },
  name: 'group',
  title: 'A group of servers',
  description: 'One group of MCP servers and the servers in it, as far as they are in your reach.',
  icons: iconsOf('groups'),
  annotations: { audience: ['user', 'assistant'], priority: 0.5 },
  operation: tools.get_group,
  idIn(uri) {
    const id = uri.slice(scheme.length)
    return uri.startsWith(scheme) && isId('group', id) ? id : undefined
  },
  read: (run, group_id) => run(tools.get_group, { group_id }),
}

/** The address of a group. */
export function groupUri(id: string): string {
  return `${scheme}${id}`
}

type GroupView = z.output<typeof tools.get_group.output>['group']

/** A group in a list of resources; text of others stands in the title alone (security R11). */
export function groupEntry({ id, name, servers, updated_at }: GroupView) {
  return {
    uri: groupUri(id),
    name: id,
    title: name || 'Group without a name',
    description: `Group of MCP servers, ${servers.length} of them in your reach.`,
    mimeType,
    annotations: { audience: ['user', 'assistant'], priority: 0.4, lastModified: updated_at },
  }
}
