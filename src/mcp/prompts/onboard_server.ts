import { tools } from '../../../tools/index.ts'
import { groupEntry } from '../resources/group.ts'
import { ifFound } from './found.ts'
import type { Prompt, Writing } from './prompt.ts'
import { quoted } from './quoted.ts'
import { runbook } from './runbook.ts'

export const onboard_server: Prompt = {
  name: 'onboard_server',
  title: 'Bring a server into use',
  description:
    'Takes an MCP server from "it exists" to "the right client can use it and nobody else can": registers it where needed, chooses the group, makes a narrow token and proves what it opens.',
  toolset: 'servers',
  arguments: [
    {
      name: 'server',
      description: 'The server: its slug, exact name or id.',
      required: true,
      completes: 'server',
    },
    { name: 'purpose', description: 'What the token is for, such as "CI nightly".' },
    {
      name: 'group',
      description: 'The group the server belongs in: exact name or id.',
      completes: 'group',
    },
  ],
  uses: ['list_servers', 'list_magic_tokens', 'create_token', 'explain_access', 'validate_token'],
  async write(writing) {
    const { given, offers } = writing
    const server = await serverOf(writing)
    const group = await groupOf(writing)
    const asked = quoted(given['server'] ?? '')
    const text = runbook({
      goal: `Bring the MCP server ${asked} into use: one token that opens it for one purpose, and proof that it opens nothing else.`,
      facts: [
        ...server.facts,
        given['purpose'] === undefined ? undefined : `The purpose of the token: ${quoted(given['purpose'])}.`,
        ...group.facts,
      ],
      before: [
        `list_servers with text ${asked}: take the id only if exactly one server fits, and read runs (null = nothing is behind it yet).`,
        'list_magic_tokens with server_id: a token for the same purpose may exist already. Offer to keep it instead of making another.',
        offers('list_groups')
          ? 'list_groups: prefer a group that already holds the servers this purpose needs to naming them one by one.'
          : undefined,
        'Agree with the person on purpose, lifetime (30 days unless there is a reason) and the addresses the client calls from.',
      ],
      steps: [
        offers('create_server')
          ? 'If the server is not registered: create_server with its name. What it runs or calls is set by an admin with set_server_upstream.'
          : 'If the server is not registered: stop. An admin registers it with the servers toolset or "tokenwright create-server".',
        offers('add_group_servers')
          ? 'If it belongs in a group and is not in it: add_group_servers, after you said which tokens in that group gain it (list_magic_tokens with group_id).'
          : 'If it belongs in a group and is not in it: an admin adds it; name the group and the server, and go on without.',
        'create_token with a name that says the purpose, access {"servers": [id]} or {"groups": [id]}, allowed_ips if they are known, expires_in_days, and an idempotency_key. Never all_servers for one purpose. Leave delivery out: the person gets a one-time link.',
        'Pass the link on. It opens once and lasts ten minutes.',
        'explain_access for the token and this server: it must be allowed, and the rule must be the one you meant.',
        'explain_access for the token and one server it should not open: it must be refused.',
        'validate_token with the token_id and the server, from an address of the client if addresses are limited.',
      ],
      after: [
        'get_token: reach, addresses and expiry are as agreed, nothing more.',
        offers('list_audit_events')
          ? 'list_audit_events with target_id of the token: create_token once, by you.'
          : undefined,
        'Tell the person: server, token id, who it is for, from where, until when, and that rotate_due finds it before it ends.',
      ],
      stop: [
        'if several servers fit, or the name is only similar to the one asked for.',
        'before you use all_servers, no expiry, or any address for something that runs in one place.',
        'if the server has nothing behind it yet (runs is null): a token for it opens nothing today.',
      ],
    })
    return { text, links: group.links }
  },
}

async function serverOf({ given, run }: Writing) {
  const found = await ifFound(run(tools.get_server, { server_id: given['server'] ?? '' }))
  if (found === undefined) return { facts: ['No single server in your reach has that slug, name or id.'] }
  const { id, slug, name, status, runs } = found.server
  const { tokens, next_cursor } = await run(tools.list_magic_tokens, { server_id: id, status: ['active'] })
  const count = `${next_cursor === null ? '' : 'at least '}${tokens.length}`
  return {
    facts: [
      `The server is ${id}, slug ${slug}, name ${quoted(name ?? '')}, ${status}; behind it: ${runs ?? 'nothing yet'}.`,
      `Active tokens in your reach that open it: ${count}.`,
    ],
  }
}

async function groupOf({ given, run }: Writing) {
  if (given['group'] === undefined) return { facts: [], links: [] }
  const found = await ifFound(run(tools.get_group, { group_id: given['group'] }))
  if (found === undefined)
    return { facts: [`No single group in your reach is called ${quoted(given['group'])}.`], links: [] }
  const { group } = found
  const fact = `The group is ${group.id} ${quoted(group.name)}, ${group.status}, with ${group.servers.length} servers in your reach.`
  return { facts: [fact], links: [{ type: 'resource_link', ...groupEntry(group) }] }
}
