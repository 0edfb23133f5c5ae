import { z } from 'zod'
import { tools } from '../../../tools/index.ts'
import { whole } from '../../core/paging.ts'
import { type Route, to } from '../route.ts'
import { empty, exportFile, identifier, newName, oneOf, search, userIdentifier } from './bodies.ts'
import { config, configOf, named, namedOf, project, projectOf } from './objects.ts'
import { envelope, nothing, says } from './says.ts'

const member = z.object({ user_id: z.string(), email: z.string(), created_at: z.string() })
const memberOf = ({ id, email, created_at }: { id: string; email: string; created_at: string }) => ({
  user_id: id,
  email,
  created_at,
})
const of = ({ params }: { params: { project_identifier: string } }) => ({
  project_id: params.project_identifier,
})
const ofMember = ({ params }: { params: { project_identifier: string; user_identifier: string } }) => ({
  ...of({ params }),
  user_id: params.user_identifier,
})
const revoked = z.object({ revoked_api_keys: z.int() })

/** Routes 19 to 31. */
export const projectRoutes: Route[] = [
  to('GET /api/v1/projects', tools.list_projects, {
    all: true,
    answer: envelope(z.array(project)),
    output: ({ projects }) =>
      says(
        'Projects retrieved successfully',
        projects.map((one) => projectOf(one, one.member_count)),
      ),
  }),
  to('POST /api/v1/projects', tools.create_project, {
    body: z.strictObject({ project_name: newName }),
    input: ({ body }) => ({ name: body.project_name }),
    answer: envelope(named),
    output: ({ project }) => says('Project created successfully', namedOf(project)),
    status: 201,
  }),
  to('POST /api/v1/projects/search', tools.list_projects, {
    permission: 'system:read',
    body: search,
    all: true,
    input: ({ body }) => ({ search: body.search_term }),
    answer: envelope(
      z.array(named.extend({ match_type: z.enum(['project_name', 'user_email']), users: z.int() })),
    ),
    output: ({ projects, matches }) =>
      says(
        'Search completed successfully',
        projects.map((one, at) => ({
          ...namedOf(one),
          match_type: matches?.[at] ?? ('project_name' as const),
          users: one.member_count,
        })),
      ),
  }),
  to('GET /api/v1/projects/:project_identifier', tools.get_project, {
    input: of,
    answer: envelope(project.extend({ users: z.array(member) })),
    output: ({ project }) =>
      says('Project retrieved successfully', {
        ...projectOf(project, 0),
        users: project.members.map(memberOf),
      }),
  }),
  to('DELETE /api/v1/projects/:project_identifier', tools.delete_project, {
    input: of,
    answer: envelope(revoked),
    output: ({ revoked_user_keys }) =>
      says('Project deleted successfully', { revoked_api_keys: revoked_user_keys }),
  }),
  to('POST /api/v1/projects/:project_identifier/assign-config', tools.assign_config, {
    body: z.strictObject({ config_name: identifier.optional(), config_id: identifier.optional() }),
    input: ({ params, body: { config_name, config_id } }) => ({
      ...of({ params }),
      config_id: oneOf({ config_name, config_id }),
    }),
    answer: nothing,
    output: () => says('Configuration assigned to project successfully', null),
  }),
  to('POST /api/v1/projects/:project_identifier/unassign-config', tools.unassign_config, {
    body: empty,
    input: of,
    answer: nothing,
    output: () => says('Configuration unassigned from project successfully', null),
  }),
  to('GET /api/v1/projects/:project_identifier/config', tools.get_project_config, {
    input: of,
    answer: envelope(config),
    output: ({ config }) => says('Project configuration retrieved successfully', configOf(config)),
  }),
  to('GET /api/v1/projects/:project_identifier/users', tools.get_project, {
    permission: 'users:read',
    input: of,
    answer: envelope(z.array(member.extend({ api_keys: z.int() }))),
    output: ({ project }) =>
      says(
        'Project users retrieved successfully',
        whole(project.members).map((one) => ({ ...memberOf(one), api_keys: one.user_key_count })),
      ),
  }),
  to('POST /api/v1/projects/:project_identifier/users', tools.add_project_member, {
    body: z.strictObject({ email: userIdentifier.optional(), user_id: userIdentifier.optional() }),
    input: ({ params, body: { email, user_id } }) => ({
      ...of({ params }),
      user_id: oneOf({ email, user_id }),
    }),
    answer: envelope(z.object({ project_id: z.string(), user_id: z.string(), email: z.string() })),
    output: ({ project, user }) =>
      says('User added to project successfully', {
        project_id: project.id,
        user_id: user.id,
        email: user.email,
      }),
    status: ({ changed }) => (changed ? 201 : 200),
    statuses: [201, 200],
  }),
  to('DELETE /api/v1/projects/:project_identifier/users/:user_identifier', tools.remove_project_member, {
    input: ofMember,
    fixed: { must_be_member: true },
    answer: envelope(revoked),
    output: ({ revoked_user_keys }) =>
      says('User removed from project successfully', { revoked_api_keys: revoked_user_keys }),
  }),
  to('DELETE /api/v1/projects/:project_identifier/users', tools.remove_project_members, {
    input: of,
    answer: envelope(revoked.extend({ removed: z.int() })),
    output: ({ removed, revoked_user_keys }) =>
      says('All users removed from project successfully', { removed, revoked_api_keys: revoked_user_keys }),
  }),
  to('POST /api/v1/projects/:project_identifier/export', tools.export_project, {
    body: exportFile,
    input: ({ params, body }) => ({ ...of({ params }), ...body }),
    answer: envelope(z.unknown().meta({ type: 'object' })),
    output: ({ document }) => says('Project exported successfully', document),
  }),
]
