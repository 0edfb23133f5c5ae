import { tools } from '../../../tools/index.ts'
import { ifFound } from './found.ts'
import type { Prompt, Writing } from './prompt.ts'
import { quoted } from './quoted.ts'
import { runbook } from './runbook.ts'
import { type Listed, tokenLines, tokenLinks } from './token-lines.ts'

const live = ['active', 'disabled', 'expired'] as const

export const offboard_user: Prompt = {
  name: 'offboard_user',
  title: 'End the access of a person',
  description:
    'Ends everything a person who leaves can open: pauses their tokens first, moves what others depend on, then revokes the rest and proves that nothing is left.',
  toolset: 'users',
  arguments: [
    {
      name: 'user',
      description: 'The person who leaves: e-mail or user id.',
      required: true,
      completes: 'user',
    },
  ],
  uses: ['list_magic_tokens', 'get_token', 'set_token_enabled', 'revoke_token', 'create_token'],
  async write(writing) {
    const { given, offers } = writing
    const asked = quoted(given['user'] ?? '')
    const { facts, tokens, id } = await userOf(writing)
    const owner = id === undefined ? 'the id of the user' : quoted(id)
    const text = runbook({
      goal: `End every access of the user ${asked}, without stopping work of others that runs on the tokens of this person.`,
      facts,
      before: [
        id === undefined
          ? `Find the user first${offers('list_users') ? ' with list_users' : ': ask the person for the user id (usr_…)'}. Do not go on with a guess.`
          : `Say whom you found and let the person confirm that it is the one: ${owner}.`,
        `list_magic_tokens with owner_id ${owner}, status ["active", "disabled", "expired"], until next_cursor is null.`,
        'get_token for each that was used in the last 30 days: last_used_ip and the name tell what runs on it. Such a token may belong to a service, not to a desk.',
        'Show the list as "pause now", "replace first" and "unclear", and wait for a yes.',
      ],
      steps: [
        offers('update_user')
          ? 'update_user with enabled false: all tokens of the user are refused from the next request on, and it can be lifted. Do it first if the person was let go.'
          : 'set_token_enabled with enabled false for each "pause now" token: it is refused from the next request on, and it can be lifted.',
        'For each "replace first" token: create_token with the same reach, a name that says the service and another owner_id; pass the one-time link on to that owner.',
        'Wait until last_used_at of the old token stands still, then set_token_enabled with enabled false.',
        offers('revoke_tokens')
          ? `revoke_tokens with owner_id ${owner} and dry_run true, show its summary, and after a yes the same call with its confirm instead of dry_run: all or none.`
          : 'revoke_token for each token, one by one: with dry_run true first, show its summary, and after a yes again with its confirm.',
        'Revoking is final: nothing brings a token back. Another summary than the one that was agreed to needs another yes.',
        offers('revoke_user_keys')
          ? 'revoke_user_keys for the keys the user has for configurations, with dry_run and confirm as before.'
          : 'Keys the user made for configurations are ended by an admin (revoke_user_keys).',
        offers('delete_user')
          ? 'delete_user with the user_id, only if the person asked for it, with dry_run and confirm as before; it revokes what is left and ends memberships with force true.'
          : 'Deleting the user is for an admin (delete_user in the users toolset); the tokens are ended without it.',
      ],
      after: [
        `list_magic_tokens with owner_id ${owner} and status ["active", "disabled", "expired"] must be empty.`,
        'validate_token with the token_id of one that was used a lot: it must be refused.',
        offers('list_audit_events')
          ? 'list_audit_events with action "revoke_token": one row for each of them. Look for management keys this person made as well (action "create_management_key").'
          : 'Ask an admin whether the person also had a management key: those are not in the list of tokens.',
        'Report: paused, replaced (old id and new id), revoked, left open and why.',
      ],
      stop: [
        'if more than one user fits, or the user found is the one you are working for.',
        'if a budget for what destroys is used up: only a person can lift it, so say it and wait.',
        'if a token of the person was used after the last working day: that is an incident, not a clean-up.',
      ],
    })
    return { text, links: tokenLinks(tokens) }
  },
}

async function userOf({ given, run }: Writing) {
  const nobody = { tokens: [] as Listed[], id: undefined }
  const found = await ifFound(run(tools.get_user, { user_id: given['user'] ?? '' }))
  if (found === undefined) return { facts: ['No user in your reach has that id or e-mail.'], ...nobody }
  const { id, email, name, enabled, projects, user_key_count } = found.user
  const asked = { owner_id: id, status: [...live], limit: 100 }
  const { tokens, next_cursor } = await run(tools.list_magic_tokens, asked)
  return {
    facts: [
      `The user is ${id}, e-mail ${quoted(email)}, name ${quoted(name ?? '')}, ${enabled ? 'enabled' : 'switched off'}, member of ${projects.length} projects, with ${user_key_count} user keys.`,
      `Tokens of this user that are not revoked: ${tokens.length}${next_cursor === null ? '' : ' or more'}.`,
      ...tokenLines(tokens, next_cursor !== null),
    ],
    tokens,
    id,
  }
}
