import { add_config_server } from '../../tools/configs/add_config_server.ts'
import { create_config } from '../../tools/configs/create_config.ts'
import { create_group } from '../../tools/groups/create_group.ts'
import { delete_group } from '../../tools/groups/delete_group.ts'
import { create_project } from '../../tools/projects/create_project.ts'
import { set_environment } from '../../tools/projects/set_environment.ts'
import { unassign_config } from '../../tools/projects/unassign_config.ts'
import { delete_server } from '../../tools/servers/delete_server.ts'
import { revoke_token } from '../../tools/tokens/revoke_token.ts'
import { generate_user_key } from '../../tools/users/generate_user_key.ts'
import type { Instance } from '../support/instance.ts'
import { makeToken, plantGroup, plantKey, plantProject, plantServer, plantUser } from '../support/world.ts'

/** What the refused calls are about. */
export async function plantStates(instance: Instance) {
  const { call } = instance
  const [plain, revoked] = [await makeToken(instance), await makeToken(instance)]
  await call('operator', revoke_token, { token_id: revoked.id })
  const expired = await plantKey(instance, 'access', { expires_at: '2020-01-01T00:00:00.000Z' })
  for (const name of ['twins', 'twins']) await makeToken(instance, { name })
  const server = await plantServer(instance)
  const group = await plantGroup(instance, [server.id])
  const gone = { server: (await plantServer(instance)).id, group: await plantGroup(instance, []) }
  await call('admin', delete_server, { server_id: gone.server })
  await call('admin', delete_group, { group_id: gone.group })
  for (const name of ['same', 'same']) {
    await plantServer(instance, { name })
    await call('operator', create_group, { name })
  }
  const project = await plantProject(instance)
  const other = await plantProject(instance)
  const empty = await plantProject(instance)
  await call('admin', unassign_config, { project_id: empty.project_id })
  const program = await call('admin', add_config_server, {
    config_id: project.config_id,
    name: 'program',
    runs: { command: 'npx' },
  })
  const address = await call('admin', add_config_server, {
    config_id: project.config_id,
    name: 'address',
    runs: { url: 'https://example.com/mcp', headers: { 'x-key': 'value' } },
  })
  await call('admin', set_environment, { project_id: other.project_id, name: 'only' })
  await call('admin', set_environment, { project_id: other.project_id, name: 'second' })
  await call('admin', create_project, { name: 'taken' })
  await call('admin', create_config, { name: 'taken' })
  const stranger = await plantUser(instance, { email: 'stranger@example.com' })
  const key = await call('operator', generate_user_key, {
    user_id: project.user_id,
    project_id: project.project_id,
  })
  return {
    plain: plain.id,
    revoked: revoked.id,
    expired: expired.id,
    server: server.id,
    group,
    gone,
    project,
    other,
    empty,
    program: program.server.id,
    address: address.server.id,
    stranger,
    key: { id: key.token.id, secret: key.delivery.secret ?? '' },
  }
}

export type States = Awaited<ReturnType<typeof plantStates>>
