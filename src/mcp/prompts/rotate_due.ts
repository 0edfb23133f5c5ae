import { tools } from '../../../tools/index.ts'
import { endingWithin, soon } from '../resources/expiring.ts'
import type { Prompt } from './prompt.ts'
import { runbook } from './runbook.ts'
import { tokenLines, tokenLinks } from './token-lines.ts'
import { wholeNumber } from './whole-number.ts'

/** Most days ahead that may be asked for. */
const mostDays = 365

export const rotate_due: Prompt = {
  name: 'rotate_due',
  title: 'Renew tokens that end soon',
  description:
    'Finds the tokens that end soon, decides with you which to rotate, prolong or let go, and does it one by one without breaking what uses them.',
  toolset: 'tokens',
  arguments: [
    { name: 'within_days', description: `How many days ahead to look, 1 to ${mostDays}; default ${soon}.` },
  ],
  uses: ['list_magic_tokens', 'get_token', 'rotate_token', 'update_token', 'validate_token'],
  async write({ given, run, offers, now }) {
    const days = wholeNumber('within_days', given['within_days'], { least: 1, most: mostDays }) ?? soon
    const asked = endingWithin(days, now)
    const { tokens, next_cursor } = await run(tools.list_magic_tokens, asked)
    const due = tokens.length === 0 ? ['No active token ends by then: say so, and you are done.'] : []
    const text = runbook({
      goal: `Renew the access tokens that end within ${days} days, so that nothing stops working and nothing lives on that nobody needs.`,
      facts: [
        `Looked for active tokens that end before ${asked.expires_before}.`,
        ...due,
        ...tokenLines(tokens, next_cursor !== null),
      ],
      before: [
        `Look again with list_magic_tokens (status ["active"], expires_before "${asked.expires_before}"): the list above is as old as this message.`,
        'Call get_token for each and note generation, last_used_at and the reach.',
        'Propose one of three for each token and wait for a yes: rotate and prolong (in use), let it end (not used for 30 days or never), or ask the owner (unclear).',
      ],
      steps: [
        'Take one token at a time, the one that ends first before the others; never start the next before this one is checked.',
        'update_token with token_id and expires_in_days if it shall live on: rotating alone does not move the end.',
        'rotate_token with token_id, grace_seconds 3600 while a deployment has to pick up the new secret (0 after a leak), and an idempotency_key of your own. Leave delivery out: the person gets a one-time link.',
        offers('rotate_due_tokens')
          ? 'For many tokens with old secrets that one team deploys at once, rotate_due_tokens does what the step before does, with dry_run and its confirm.'
          : undefined,
        'Pass the link on and say whose token it is and until when the old secret still opens servers.',
        'validate_token with the token_id: it must be valid. If it is not, stop here.',
      ],
      after: [
        'get_token again: generation went up by one and expires_at is the new end.',
        'When the grace is over, look at last_used_at: a predecessor that is still used means somebody has not switched.',
        offers('list_audit_events')
          ? 'list_audit_events with target_id shows rotate_token once for each token, by you.'
          : undefined,
        'Report three lists: rotated, left to end, still open, with ids.',
      ],
      stop: [
        'before you prolong a token that never was used, that reaches every server, or whose owner you do not know.',
        'if rotate_token answers conflict: somebody rotated at the same time; read get_token before anything else.',
        'if a policy refuses the lifetime: say which rule it was and let the person choose a shorter one.',
      ],
    })
    return { text, links: tokenLinks(tokens) }
  },
}
