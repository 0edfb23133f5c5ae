import type { z } from 'zod'
import type { tools } from '../../../tools/index.ts'
import { tokenEntry } from '../resources/token.ts'
import type { Json } from '../surface.ts'
import { quoted } from './quoted.ts'

export type Listed = z.output<typeof tools.list_magic_tokens.output>['tokens'][number]

/** Tokens a runbook names one by one; the others are counted. */
export const mostNamed = 15

/** A line about each token, and one about those that are not named. */
export function tokenLines(tokens: readonly Listed[], more: boolean): string[] {
  const left = tokens.length - mostNamed
  return [
    ...tokens.slice(0, mostNamed).map(tokenLine),
    ...(left > 0 || more ? [`and ${more ? 'more' : `${left} more`}; list_magic_tokens shows them all.`] : []),
  ]
}

function tokenLine({ id, name, status, expires_at, last_used_at, access, allowed_ips }: Listed): string {
  const facts = [
    status,
    expires_at === null ? 'never ends' : `ends ${expires_at}`,
    last_used_at === null ? 'never used' : `last used ${last_used_at}`,
    access.all_servers
      ? 'reaches every server'
      : `reaches ${access.servers.length} servers by name and ${access.groups.length} groups`,
    allowed_ips === null ? 'from any address' : `from ${allowed_ips.length} address ranges`,
  ]
  return `${id} ${quoted(name ?? '')}: ${facts.join(', ')}.`
}

/** Links to the tokens that are named. */
export function tokenLinks(tokens: readonly Listed[]): Json[] {
  return tokens.slice(0, mostNamed).map((token) => ({ type: 'resource_link', ...tokenEntry(token) }))
}
