import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Actor } from '../src/core/actor.ts'
import { AppError } from '../src/core/errors.ts'
import type { AnyOperation } from '../src/core/operation.ts'
import { operations } from '../tools/index.ts'
import { database } from './support/databases.ts'
import { type Instance, openInstance } from './support/instance.ts'

/** Who may call what: the rows of security.md part 1, as data. `self` = only for its own id. */
type Cell = 'yes' | 'no' | 'self'
type Row = Record<(typeof callers)[number], Cell>

const callers = [
  'nobody',
  'access',
  'predecessor',
  'user_key',
  'validator',
  'reader',
  'operator',
  'admin',
  'user',
] as const

const row = (cells: Partial<Row>): Row => ({
  nobody: 'no',
  access: 'no',
  predecessor: 'no',
  user_key: 'no',
  validator: 'no',
  reader: 'no',
  operator: 'no',
  admin: 'yes',
  user: 'no',
  ...cells,
})

const readers = row({ reader: 'yes', operator: 'yes' })
const operators = row({ operator: 'yes' })
const admins = row({})
const ownReads = row({ ...readers, user_key: 'yes' })
/** A person who signed in with a password, and nobody else. */
const signedIn = row({ user: 'yes', admin: 'no' })
const tokenChange = row({ operator: 'yes', user_key: 'yes' })

const matrix: Record<string, Row> = {
  create_token: tokenChange,
  get_token: row({ ...ownReads, access: 'self', predecessor: 'self' }),
  list_magic_tokens: ownReads,
  update_token: tokenChange,
  rotate_token: row({ ...tokenChange, access: 'self' }),
  revoke_token: tokenChange,
  set_token_enabled: tokenChange,
  validate_token: row({ ...readers, validator: 'yes' }),
  explain_access: ownReads,
  simulate_change: ownReads,
  revoke_tokens: tokenChange,
  rotate_due_tokens: tokenChange,
  report_leak: row({ ...tokenChange, access: 'self' }),
  check_secrets: ownReads,
  lint_tokens: ownReads,
  add_groups: tokenChange,
  remove_groups: tokenChange,
  list_groups: readers,
  create_group: operators,
  get_group: readers,
  update_group: operators,
  delete_group: operators,
  add_group_servers: operators,
  remove_group_servers: operators,
  list_servers: ownReads,
  get_server: ownReads,
  create_server: admins,
  update_server: admins,
  set_server_upstream: admins,
  delete_server: admins,
  list_projects: ownReads,
  get_project: ownReads,
  create_project: admins,
  update_project: admins,
  delete_project: admins,
  add_project_member: admins,
  remove_project_member: admins,
  remove_project_members: admins,
  assign_config: admins,
  unassign_config: admins,
  export_project: admins,
  set_environment: admins,
  delete_environment: admins,
  list_configs: ownReads,
  get_config: ownReads,
  get_project_config: ownReads,
  create_config: admins,
  update_config: admins,
  copy_config: admins,
  delete_config: admins,
  validate_config: readers,
  export_config: admins,
  import_config: admins,
  add_config_server: admins,
  get_config_server: ownReads,
  update_config_server: admins,
  set_server_guardrails: admins,
  remove_config_server: admins,
  remove_config_servers: admins,
  generate_user_key: operators,
  revoke_user_keys: operators,
  list_users: readers,
  get_user: readers,
  create_user: admins,
  update_user: admins,
  delete_user: admins,
  reset_password: admins,
  list_audit_events: readers,
  verify_audit: readers,
  get_settings: readers,
  update_settings: admins,
  create_management_key: admins,
  list_management_keys: readers,
  revoke_management_key: admins,
  generate_mcp_token: signedIn,
  revoke_mcp_token: signedIn,
  describe_credential: row({ access: 'yes', predecessor: 'yes', user_key: 'yes', admin: 'no' }),
  introspect_token: row({ ...readers, validator: 'yes' }),
  revoke_secret: tokenChange,
  check_health: readers,
  create_backup: admins,
  restore_backup: admins,
  reset_system: admins,
  redeem_link: row(Object.fromEntries(callers.map((caller) => [caller, 'yes']))),
}

const self = 'mgtk_0000000000000000000001'
const other = 'mgtk_0000000000000000000002'

const holder = {
  id: self,
  name: 'self',
  allowed_ips: null,
  expires_at: null,
  project_id: null,
  generation: 1,
}

function actorOf(caller: (typeof callers)[number]): Actor {
  if (caller === 'nobody') return { kind: 'nobody' }
  if (caller === 'user')
    return { kind: 'user', id: 'usr_0000000000000000000001', name: 'user@example.com', proof: 'x' }
  if (caller === 'user_key') {
    const bound = { project_id: 'proj_0000000000000000000001', owner_id: 'usr_0000000000000000000001' }
    return { ...holder, ...bound, kind: 'user_key', predecessor: false }
  }
  if (caller === 'access' || caller === 'predecessor') {
    return { ...holder, kind: 'access', owner_id: null, predecessor: caller === 'predecessor' }
  }
  return { ...holder, kind: 'management', id: 'mkey_0000000000000000000001', role: caller }
}

/** The least input that the schema takes, with every id pointing at `id`. */
function leastInput(operation: AnyOperation, id: string): Record<string, unknown> {
  if (operation.name === 'validate_token') return { token: 'x' }
  if (operation.name === 'restore_backup') return { input_file: 'none.json' }
  const beyondSchema: Record<string, object> = {
    update_config_server: { description: 'x' },
    set_server_guardrails: { input: {} },
    set_server_upstream: { tools: {} },
    simulate_change: { token_id: other, change: 'revoke' },
    revoke_tokens: { unused_for_days: 1 },
    report_leak: { token_id: id },
    import_config: { data: { config: { mcp_config: [] } } },
  }
  const samples: Record<string, unknown> = {
    name: 'x',
    code: 'once_x',
    new_password: 'long enough',
    enabled: true,
    email: 'nobody@example.com',
    role: 'reader',
    variables: {},
    group_ids: [],
    server_ids: [],
    environment: 'x',
    confirm: true,
    runs: { command: 'x' },
    older_than_days: 1,
    change: 'revoke',
    secrets: ['x'],
  }
  const input: Record<string, unknown> = { ...beyondSchema[operation.name] }
  for (const [member, schema] of Object.entries<{ safeParse(value: unknown): { success: boolean } }>(
    operation.input.shape,
  )) {
    if (!schema.safeParse(undefined).success) input[member] = member in samples ? samples[member] : id
  }
  return input
}

/** Whether the call got past authorization; what it found behind it does not matter here. */
async function passes(
  instance: Instance,
  operation: AnyOperation,
  actor: Actor,
  id: string,
): Promise<boolean> {
  try {
    await instance.call(actor, operation, leastInput(operation, id) as never)
    return true
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    expect(error.code, `${operation.name}: ${error.message}`).not.toBe('internal')
    expect(error.code, `${operation.name}: ${error.message}`).not.toBe('invalid_input')
    const denied =
      error.code === 'unauthenticated' || (error.code === 'forbidden' && error.entity !== undefined)
    return !denied
  }
}

describe('R13: the permission matrix', () => {
  let instance: Instance
  beforeAll(async () => {
    instance = await openInstance(database('sqlite'))
  })
  afterAll(() => instance.close())

  it('has a row for every operation, and for nothing else', () => {
    expect(Object.keys(matrix).sort()).toEqual(operations.map((operation) => operation.name).sort())
  })

  it('keeps backup, restore, reset and the minting of keys away from MCP', () => {
    const hidden = operations.filter((operation) =>
      /management_key|backup|restore|reset|settings|redeem/.test(operation.name),
    )
    for (const operation of hidden) expect(operation.faces ?? ['mcp'], operation.name).not.toContain('mcp')
  })

  it.each(operations.map((operation) => [operation.name, operation] as const))(
    'holds for %s',
    async (name, operation) => {
      for (const caller of callers) {
        const cell = matrix[name]?.[caller]
        const actor = actorOf(caller)
        expect(await passes(instance, operation, actor, other), `${caller} on another id`).toBe(
          cell === 'yes',
        )
        if (cell !== 'self') continue
        // Repeating needs an idempotency key; a predecessor without one is refused like everybody else.
        expect(await passes(instance, operation, actor, self), `${caller} on itself`).toBe(true)
      }
    },
  )
})
