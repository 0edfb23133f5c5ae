import { tools } from '../../../tools/index.ts'
import { ifFound } from './found.ts'
import type { Prompt, Writing } from './prompt.ts'
import { quoted } from './quoted.ts'
import { runbook } from './runbook.ts'
import { type Listed, tokenLines, tokenLinks } from './token-lines.ts'

export const audit_exposure: Prompt = {
  name: 'audit_exposure',
  title: 'See what tokens expose',
  description:
    'Answers what could be reached if a token leaked: reach, addresses, lifetime and use of one token or of all, the widest first, with the smallest change that mends each. Changes nothing without a yes.',
  toolset: 'access',
  arguments: [
    {
      name: 'token',
      description: 'Only this token: exact name or id, never its secret. Without it all tokens in reach.',
      completes: 'token',
    },
  ],
  uses: ['list_magic_tokens', 'get_token', 'explain_access'],
  async write(writing) {
    const { given, offers } = writing
    const name = given['token']
    const { facts, tokens } = name === undefined ? await widest(writing) : await one(writing, name)
    const text = runbook({
      goal:
        name === undefined
          ? 'Find out what the access tokens in reach expose, and propose the smallest changes that make it less.'
          : `Find out what the token ${quoted(name)} exposes, whether it was used by somebody it is not for, and how to make it less.`,
      facts,
      before: [
        'This is a reading job: steps 1 to 4 change nothing. Do them all before you propose anything.',
        name === undefined
          ? 'list_magic_tokens (status ["active"], pages of 100) until next_cursor is null: the list above is only its start.'
          : 'get_token with the token: read status, access, allowed_ips, expires_at, last_used_ip, generations and predecessor.',
      ],
      steps: [
        'Sort by what a thief would gain: reaches every server; reaches servers that write or pay; no address list; no end or one far away; not used for 90 days or never.',
        'get_token for the ten at the top. A last_used_ip outside of where the owner works is a finding of its own.',
        'explain_access for each of them and the server that would hurt most: note which rule opens it, a group, a name or all_servers.',
        offers('list_audit_events')
          ? 'list_audit_events with target_id: who made it, who widened it, and whether denied attempts came shortly before.'
          : 'Who made and widened it is in the trail, which you may not read: name the tokens for which an admin should.',
        'Report a table: id, name, what it opens, from where, until when, last use, finding, proposal. Wait for a yes to each proposal.',
        offers('update_token')
          ? 'update_token for what is too wide: access with the servers that are used, allowed_ips of where it is used, expires_in_days.'
          : 'You have no tool to narrow a token here: hand the proposals to somebody who has.',
        offers('simulate_change')
          ? 'Before such a change simulate_change shows which servers are lost; a token that is in use must not lose one it needs.'
          : undefined,
        offers('set_token_enabled')
          ? 'set_token_enabled with enabled false for what seems abandoned: it can be lifted if somebody misses it within a week.'
          : undefined,
        offers('report_leak')
          ? 'report_leak if a secret was seen where it should not be: it does what the policy says, and comes before everything else.'
          : undefined,
        offers('rotate_token') && !offers('report_leak')
          ? 'rotate_token with grace_seconds 0 if a secret was seen where it should not be; that comes before everything else.'
          : undefined,
      ],
      after: [
        'explain_access again for each changed token: what should be refused is refused, what is needed is allowed.',
        'Report what was mended, what is left open and who decides it.',
      ],
      stop: [
        'at once if a token was used from an address nobody knows: say so before you finish the list.',
        'before you disable or narrow anything that was used in the last 7 days.',
        'if the owner of a token is unknown: do not guess from its name.',
      ],
    })
    return { text, links: tokenLinks(tokens) }
  },
}

async function widest({ run }: Writing): Promise<{ facts: string[]; tokens: Listed[] }> {
  const { tokens, next_cursor, total } = await run(tools.list_magic_tokens, {
    status: ['active'],
    limit: 100,
  })
  const wide = tokens.filter(({ access, allowed_ips, expires_at }) => {
    return access.all_servers || allowed_ips === null || expires_at === null
  })
  const count = (fits: (token: Listed) => boolean) => tokens.filter(fits).length
  const facts = [
    `Active tokens in your reach: ${total ?? 'more than 1,000'}; of the newest ${tokens.length}:`,
    `${count(({ access }) => access.all_servers)} reach every server, ${count((one) => one.allowed_ips === null)} may come from any address, ${count((one) => one.expires_at === null)} never end, ${count((one) => one.last_used_at === null)} never were used.`,
  ]
  const first = [...wide].sort((a, b) => width(b) - width(a))
  return { facts: [...facts, ...tokenLines(first, next_cursor !== null)], tokens: first }
}

function width({ access, allowed_ips, expires_at }: Listed): number {
  return (access.all_servers ? 4 : 0) + (allowed_ips === null ? 2 : 0) + (expires_at === null ? 1 : 0)
}

async function one({ run }: Writing, name: string): Promise<{ facts: string[]; tokens: Listed[] }> {
  const found = await ifFound(run(tools.get_token, { token_id: name }))
  if (found === undefined)
    return {
      facts: ['No single token in your reach has that name or id: list_magic_tokens finds it.'],
      tokens: [],
    }
  return { facts: tokenLines([found.token], false), tokens: [found.token] }
}
