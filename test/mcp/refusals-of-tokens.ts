import type { States } from './states.ts'

/** A call that the state of things forbids, or a rule between its members; and what its refusal says. */
export type Case = [title: string, tool: string, args: (states: States) => object, code: string, says: RegExp]

const tokenChanges: [tool: string, args: (states: States) => object][] = [
  ['rotate_token', () => ({})],
  ['set_token_enabled', () => ({ enabled: true })],
  ['add_groups', ({ group }) => ({ group_ids: [group] })],
  ['remove_groups', ({ group }) => ({ group_ids: [group] })],
  ['update_token', () => ({ access: { all_servers: true } })],
]
/** Refusals about tokens, and what reads them. */
export const refusalsOfTokens: Case[] = [
  ...tokenChanges.flatMap(([tool, args]): Case[] => [
    [
      'a revoked token',
      tool,
      (made) => ({ token_id: made.revoked, ...args(made) }),
      'conflict',
      /final.* create_token/,
    ],
    [
      'an expired token',
      tool,
      (made) => ({ token_id: made.expired, ...args(made) }),
      'conflict',
      /update_token \(expires_in_days\)/,
    ],
  ]),
  ...['create_token', 'update_token'].flatMap((tool): Case[] => {
    const base = ({ plain }: States) => (tool === 'create_token' ? { name: 'x' } : { token_id: plain })
    const access = (of: (made: States) => object) => (made: States) => ({ ...base(made), access: of(made) })
    return [
      ['a deleted group', tool, access(({ gone }) => ({ groups: [gone.group] })), 'gone', /list_groups/],
      ['a deleted server', tool, access(({ gone }) => ({ servers: [gone.server] })), 'gone', /list_servers/],
      ['no group', tool, access(() => ({ groups: ['mggr_none'] })), 'not_found', /list_groups/],
      ['no server', tool, access(() => ({ servers: ['mgsr_none'] })), 'not_found', /list_servers/],
      [
        'an unknown member within a parameter',
        tool,
        access(() => ({ server_ids: [] })),
        'invalid_input',
        /^access\.server_ids: unknown argument server_ids; access takes all_servers, servers, groups/,
      ],
      [
        'an unknown member further within',
        tool,
        access(() => ({ limits: { requests: 5, per_seconds: 60, minutes: 5 } })),
        'invalid_input',
        /access\.limits\.minutes: .*; limits takes requests, per_seconds, max_uses/,
      ],
      [
        'members that exclude each other',
        tool,
        access(({ server }) => ({ all_servers: true, servers: [server] })),
        'invalid_input',
        /access.*all_servers/,
      ],
      [
        'an end in the past',
        tool,
        (made) => ({ ...base(made), expires_at: '2020-01-01T00:00:00Z' }),
        'invalid_input',
        /^The time in expires_at must lie in the future/,
      ],
      [
        'two ends',
        tool,
        (made) => ({ ...base(made), expires_at: '2099-01-01T00:00:00Z', expires_in_days: 3 }),
        'invalid_input',
        /expires_at.*expires_in_days|expires_in_days.*expires_at/i,
      ],
      [
        'an address that is none',
        tool,
        (made) => ({ ...base(made), allowed_ips: ['10.0.0.0/99'] }),
        'invalid_input',
        /allowed_ips\.0: .*/,
      ],
    ]
  }),
  [
    'a deleted group',
    'add_groups',
    (made) => ({ token_id: made.plain, group_ids: [made.gone.group] }),
    'gone',
    /list_groups/,
  ],
  [
    'a deleted server',
    'add_group_servers',
    (made) => ({ group_id: made.group, server_ids: [made.gone.server] }),
    'gone',
    /list_servers/,
  ],
  [
    'a deleted server',
    'create_group',
    ({ gone }) => ({ name: 'x', server_ids: [gone.server] }),
    'gone',
    /list_servers/,
  ],
  [
    'a name of several',
    'get_token',
    () => ({ token_id: 'twins' }),
    'conflict',
    /Several tokens.* id.* list_magic_tokens/,
  ],
  [
    'a name of several',
    'explain_access',
    ({ server }) => ({ token_id: 'twins', server }),
    'conflict',
    /Several tokens.* list_magic_tokens/,
  ],
  [
    'a name of several',
    'simulate_change',
    () => ({ token_id: 'twins', change: 'revoke' }),
    'conflict',
    /Several tokens.* list_magic_tokens/,
  ],
  [
    'a group name of several',
    'simulate_change',
    () => ({ group_id: 'same', change: 'delete' }),
    'conflict',
    /Several groups.* list_groups/,
  ],
  [
    'a name of several',
    'get_group',
    () => ({ group_id: 'same' }),
    'conflict',
    /Several groups.* list_groups/,
  ],
  [
    'a name of several',
    'get_server',
    () => ({ server_id: 'same' }),
    'conflict',
    /Several servers.* list_servers/,
  ],
  ...['update_token', 'revoke_token', 'rotate_token'].map(
    (tool): Case => [
      'a name where ids are taken',
      tool,
      () => ({ token_id: 'twins' }),
      'not_found',
      /list_magic_tokens shows the ids/,
    ],
  ),
  [
    'a member of no project',
    'create_token',
    (made) => ({ name: 'x', owner_id: made.stranger, project_id: made.project.project_id }),
    'conflict',
    /add_project_member/,
  ],
  [
    'a member of no project',
    'generate_user_key',
    (made) => ({ user_id: made.stranger, project_id: made.project.project_id }),
    'conflict',
    /add_project_member/,
  ],
  [
    'a file from afar',
    'create_token',
    () => ({ name: 'x', delivery: 'file' }),
    'invalid_input',
    /"file".* "link"/,
  ],
  [
    'both ways to ask',
    'validate_token',
    ({ plain }) => ({ token: 'x', token_id: plain }),
    'invalid_input',
    /exactly one of token and token_id/,
  ],
  ['no way to ask', 'validate_token', () => ({}), 'invalid_input', /exactly one of token and token_id/],
  [
    'no address',
    'validate_token',
    ({ plain }) => ({ token_id: plain, ip: 'x' }),
    'invalid_input',
    /^ip: must be an IP/,
  ],
  [
    'no address',
    'explain_access',
    ({ plain, server }) => ({ token_id: plain, server, ip: 'x' }),
    'invalid_input',
    /^ip: must be an IP/,
  ],
  [
    'parameters of another change',
    'simulate_change',
    ({ plain }) => ({ token_id: plain, change: 'revoke', group_ids: [] }),
    'invalid_input',
    /group_ids/,
  ],
  ['nothing to change', 'simulate_change', () => ({ change: 'revoke' }), 'invalid_input', /token_id/],
]
