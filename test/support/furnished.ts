import { createHash } from 'node:crypto'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { backupTableNames } from '../../src/domain/backup-tables.ts'
import { add_config_server } from '../../tools/configs/add_config_server.ts'
import { add_project_member } from '../../tools/projects/add_project_member.ts'
import { delete_project } from '../../tools/projects/delete_project.ts'
import { set_environment } from '../../tools/projects/set_environment.ts'
import { delete_server } from '../../tools/servers/delete_server.ts'
import { create_management_key } from '../../tools/system/create_management_key.ts'
import { create_token } from '../../tools/tokens/create_token.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { rotate_token } from '../../tools/tokens/rotate_token.ts'
import { set_token_enabled } from '../../tools/tokens/set_token_enabled.ts'
import { create_user } from '../../tools/users/create_user.ts'
import { generate_user_key } from '../../tools/users/generate_user_key.ts'
import type { Database } from './databases.ts'
import { type Instance, openInstance } from './instance.ts'
import { makeToken, plantGroup, plantProject, plantServer } from './world.ts'

/** The value of a server's variable, to look for where it must not be. */
export const upstreamSecret = 'ghp_value_that_nobody_is_shown'

/** Puts at least one row into every table, in every state a token can have; answers what it made. */
export async function furnish(instance: Instance) {
  const { call } = instance
  const { project_id, config_id, server } = await plantProject(instance)
  const { user } = await call('admin', create_user, { email: 'dev@example.com', password: 'correct horse' })
  await call('admin', add_project_member, { project_id, user_id: user.id })
  await call('admin', set_environment, { project_id, name: 'production', variables: { URL: 'https://x' } })
  const program = await call('admin', add_config_server, {
    config_id,
    name: 'program',
    runs: { command: 'npx', args: ['-y', 'pkg'], env: { TOKEN: upstreamSecret } },
    guardrails: { input: { enabled: true, block: ['pii'] } },
  })
  const loose = await plantServer(instance)
  const gone = await plantServer(instance)
  await call('admin', delete_server, { server_id: gone.id })
  const group = await plantGroup(instance, [server.id, loose.id])
  const key = async () => {
    const made = await call('operator', generate_user_key, { user_id: user.id, project_id })
    return { id: made.token.id, secret: made.delivery.secret ?? '' }
  }
  const manager = await call('admin', create_management_key, { name: 'reader', role: 'reader' })
  const made = {
    plain: await makeToken(instance, { access: { servers: [loose.id], groups: [group] } }),
    limited: await makeToken(instance, {
      access: { all_servers: true, tool_rules: { deny: ['*/delete_*'] } },
      allowed_ips: ['10.0.0.0/8'],
      metadata: { text: 'ü 😀 "quoted"\n\\' },
    }),
    disabled: await makeToken(instance),
    revoked: await makeToken(instance),
    turned: await makeToken(instance, { name: 'rotated with grace' }),
    owned: await makeToken(instance, { owner_id: user.id, project_id }),
    user_key: await key(),
    disabled_user_key: await key(),
    manager: { id: manager.key.id, secret: manager.secret },
    counted: await makeToken(instance, {
      access: { limits: { requests: 9, per_seconds: 86_400, max_uses: 5 } },
    }),
  }
  await instance.core.verifier.verify(made.counted.secret, {}, { count: true })
  await call('operator', set_token_enabled, { token_id: made.disabled.id, enabled: false })
  await call('operator', set_token_enabled, { token_id: made.disabled_user_key.id, enabled: false })
  await call('operator', revoke_token, { token_id: made.revoked.id })
  const turned = await call('operator', rotate_token, { token_id: made.turned.id, grace_seconds: 3_600 })
  const linked = await call('operator', create_token, { name: 'by link', delivery: 'link' })
  await call('operator', create_token, { name: 'kept answer', idempotency_key: 'a-key-of-enough-length' })
  const other = await plantProject(instance)
  await call('admin', delete_project, { project_id: other.project_id })
  return {
    ...made,
    turned: { id: made.turned.id, secret: turned.delivery.secret ?? '' },
    predecessor: made.turned.secret,
    code: linked.delivery.code ?? '',
    project_id,
    config_id,
    user_id: user.id,
    program: program.server.id,
    loose,
  }
}

/** Each row a backup holds, by its table, its key and a digest that is alike on every store; rows of the ids in `but` are left out. */
export async function backedUp({ core }: Instance, but: readonly string[] = []): Promise<string[]> {
  await core.uses.flush()
  const found: string[] = []
  for (const table of backupTableNames) {
    const { rows } = await sql<Record<string, unknown>>`select * from ${sql.table(table)}`.execute(
      core.store.read,
    )
    for (const row of rows) {
      const key = row['id'] ?? Object.values(row).slice(0, 2).join(' ')
      if (but.includes(String(row['id'] ?? row['token_id']))) continue
      const digest = createHash('sha256').update(JSON.stringify(row)).digest('hex')
      found.push(`${table} ${key} ${digest.slice(0, 32)}`)
    }
  }
  return found.sort()
}

/** A fresh instance on any database that runs under the master key of another. */
export async function openSibling(database: Database, of: Instance): Promise<Instance> {
  const place = await database.fresh()
  copyFileSync(join(of.place.dataDir, 'secret.key'), join(place.dataDir, 'secret.key'))
  const instance = await openInstance(database, place)
  return {
    ...instance,
    async close() {
      await instance.close()
      await place.remove()
    },
  }
}
