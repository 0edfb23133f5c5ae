import { unknownId } from './support.ts'

/** What stands for `{c}`, `{s}`, `{p}`, `{u}` and `{k}` in a row. */
export type Ids = Record<'c' | 's' | 'p' | 'u' | 'k', string>

/** A route of the contract, sections 3 to 7. */
export interface Row {
  line: string
  /** Admin, operator, reader, user key. */
  who: 'A' | 'AO' | 'AOR' | 'AORU'
  /** A good body; absent = the route takes none. */
  body?: Record<string, unknown>
  /** What a success says; 200 unless a number stands in front. */
  says: string | [201, string]
  /** What `data` is. */
  data?: 'list' | 'object'
}

/** Nothing has these ids. */
export const none: Ids = {
  c: unknownId.config,
  s: unknownId.server,
  p: unknownId.project,
  u: unknownId.user,
  k: unknownId.key,
}

/** The text with ids in the place of what stands for them. */
export function filled(text: string, ids: Ids): string {
  return text.replace(/\{([cspuk])\}/g, (_, name: keyof Ids) => ids[name])
}

/** The body of a row with these ids in it. */
export function bodyOf({ body }: Row, ids: Ids): object | undefined {
  return body === undefined ? undefined : JSON.parse(filled(JSON.stringify(body), ids))
}

/**
 * Every route, in an order in which all of them succeed: `{c}` is the configuration of project `{p}` and holds server
 * `{s}`; `{u}` is the only member of the project and owns key `{k}`.
 */
export const table: Row[] = [
  { line: 'GET /configs', who: 'AORU', says: 'Configurations retrieved successfully', data: 'list' },
  {
    line: 'POST /configs',
    who: 'A',
    body: { config_name: 'Made by the table' },
    says: [201, 'Configuration created successfully'],
    data: 'object',
  },
  { line: 'GET /configs/{c}', who: 'AORU', says: 'Configuration retrieved successfully', data: 'object' },
  {
    line: 'PUT /configs/{c}/rename',
    who: 'A',
    body: { new_name: 'Renamed by the table' },
    says: 'Configuration renamed successfully',
    data: 'object',
  },
  {
    line: 'POST /configs/copy',
    who: 'A',
    body: { source_config: '{c}', target_config: 'Copied by the table' },
    says: [201, 'Configuration copied successfully'],
    data: 'object',
  },
  { line: 'GET /configs/{c}/servers', who: 'AORU', says: 'Servers retrieved successfully', data: 'list' },
  {
    line: 'POST /configs/{c}/servers',
    who: 'A',
    body: { server_name: 'added by the table', server_command: 'npx' },
    says: [201, 'Server added successfully'],
    data: 'object',
  },
  {
    line: 'PUT /configs/{c}/servers/{s}',
    who: 'A',
    body: { description: 'changed by the table' },
    says: 'Server updated successfully',
    data: 'object',
  },
  {
    line: 'POST /configs/{c}/validate',
    who: 'AOR',
    says: 'Configuration is valid',
    data: 'object',
  },
  {
    line: 'POST /configs/{c}/export',
    who: 'A',
    body: { output_file: 'table-config.json' },
    says: 'Configuration exported successfully',
    data: 'object',
  },
  {
    line: 'POST /configs/import',
    who: 'A',
    body: { config_name: 'Imported by the table', input_file: 'table-config.json' },
    says: [201, 'Configuration imported successfully'],
    data: 'object',
  },
  {
    line: 'POST /configs/search',
    who: 'AOR',
    body: { search_term: 'table' },
    says: 'Search completed successfully',
    data: 'list',
  },
  {
    line: 'PUT /configs/{c}/servers/{s}/input-guardrails',
    who: 'A',
    body: { policy: { enabled: true } },
    says: 'Input guardrails updated successfully',
    data: 'object',
  },
  {
    line: 'PUT /configs/{c}/servers/{s}/output-guardrails',
    who: 'A',
    body: { policy: { enabled: true } },
    says: 'Output guardrails updated successfully',
    data: 'object',
  },
  {
    line: 'PUT /configs/{c}/servers/{s}/guardrails',
    who: 'A',
    body: { input_policy: {}, output_policy: {} },
    says: 'Guardrails updated successfully',
    data: 'object',
  },
  {
    line: 'GET /configs/{c}/servers/{s}',
    who: 'AORU',
    says: 'Server details retrieved successfully',
    data: 'object',
  },
  { line: 'GET /configs/{c}/projects', who: 'AOR', says: 'Projects retrieved successfully', data: 'list' },
  { line: 'DELETE /configs/{c}/servers/{s}', who: 'A', says: 'Server removed successfully' },
  {
    line: 'DELETE /configs/{c}/servers',
    who: 'A',
    says: 'All servers removed successfully',
    data: 'object',
  },

  { line: 'GET /projects', who: 'AORU', says: 'Projects retrieved successfully', data: 'list' },
  {
    line: 'POST /projects',
    who: 'A',
    body: { project_name: 'Made by the table' },
    says: [201, 'Project created successfully'],
    data: 'object',
  },
  { line: 'GET /projects/{p}', who: 'AORU', says: 'Project retrieved successfully', data: 'object' },
  {
    line: 'POST /projects/{p}/assign-config',
    who: 'A',
    body: { config_name: '{c}' },
    says: 'Configuration assigned to project successfully',
  },
  {
    line: 'GET /projects/{p}/config',
    who: 'AORU',
    says: 'Project configuration retrieved successfully',
    data: 'object',
  },
  { line: 'GET /projects/{p}/users', who: 'AOR', says: 'Project users retrieved successfully', data: 'list' },
  {
    line: 'POST /projects/{p}/export',
    who: 'A',
    body: { output_file: 'table-project.json' },
    says: 'Project exported successfully',
    data: 'object',
  },
  {
    line: 'POST /projects/search',
    who: 'AOR',
    body: { search_term: 'table' },
    says: 'Search completed successfully',
    data: 'list',
  },

  { line: 'GET /users', who: 'AOR', says: 'Users retrieved successfully', data: 'list' },
  {
    line: 'POST /users',
    who: 'A',
    body: { email: 'table@example.com' },
    says: [201, 'User created successfully'],
    data: 'object',
  },
  { line: 'GET /users/{u}', who: 'AOR', says: 'User retrieved successfully', data: 'object' },
  {
    line: 'PUT /users/{u}',
    who: 'A',
    body: { new_email: 'renamed@example.com' },
    says: 'User updated successfully',
    data: 'object',
  },
  { line: 'GET /users/{u}/projects', who: 'AOR', says: 'User projects retrieved successfully', data: 'list' },
  {
    line: 'POST /users/{u}/api-keys',
    who: 'AO',
    body: { project_name: '{p}' },
    says: [201, 'API key generated successfully'],
    data: 'object',
  },
  {
    line: 'GET /users/{u}/api-keys',
    who: 'AOR',
    says: 'User API keys retrieved successfully',
    data: 'list',
  },
  { line: 'GET /api-keys', who: 'AOR', says: 'All API keys retrieved successfully', data: 'list' },
  {
    line: 'POST /api-keys/rotate',
    who: 'AO',
    body: { api_key: '{k}' },
    says: 'API key rotated successfully',
    data: 'object',
  },
  { line: 'POST /api-keys/{k}/disable', who: 'AO', says: 'API key disabled successfully' },
  { line: 'POST /api-keys/{k}/enable', who: 'AO', says: 'API key enabled successfully' },
  { line: 'GET /api-keys/{k}', who: 'AOR', says: 'API key details retrieved successfully', data: 'object' },
  { line: 'DELETE /api-keys/{k}', who: 'AO', says: 'API key deleted successfully' },
  {
    line: 'DELETE /users/{u}/api-keys',
    who: 'AO',
    says: 'All user API keys deleted successfully',
    data: 'object',
  },
  {
    line: 'POST /users/search',
    who: 'AOR',
    body: { search_term: 'table' },
    says: 'Search completed successfully',
    data: 'list',
  },
  {
    line: 'POST /users/{u}/reset-password',
    who: 'A',
    body: { new_password: 'correct horse battery' },
    says: 'Password reset successfully',
    data: 'object',
  },

  {
    line: 'DELETE /projects/{p}/users/{u}',
    who: 'A',
    says: 'User removed from project successfully',
    data: 'object',
  },
  {
    line: 'POST /projects/{p}/users',
    who: 'A',
    body: { user_id: '{u}' },
    says: [201, 'User added to project successfully'],
    data: 'object',
  },
  {
    line: 'DELETE /projects/{p}/users',
    who: 'A',
    says: 'All users removed from project successfully',
    data: 'object',
  },
  {
    line: 'POST /projects/{p}/unassign-config',
    who: 'A',
    says: 'Configuration unassigned from project successfully',
  },
  { line: 'DELETE /projects/{p}', who: 'A', says: 'Project deleted successfully', data: 'object' },
  { line: 'DELETE /configs/{c}', who: 'A', says: 'Configuration deleted successfully' },
  { line: 'DELETE /users/{u}', who: 'A', body: {}, says: 'User deleted successfully', data: 'object' },

  { line: 'GET /system/health', who: 'AOR', says: 'System health check completed', data: 'object' },
  {
    line: 'POST /system/backup',
    who: 'A',
    body: { output_file: 'table-backup.json' },
    says: 'System backup completed successfully',
    data: 'object',
  },
  {
    line: 'POST /system/restore',
    who: 'A',
    body: { input_file: 'table-backup.json' },
    says: 'System restore completed successfully',
    data: 'object',
  },
  {
    line: 'POST /system/reset',
    who: 'A',
    body: { confirm: true },
    says: 'System reset completed successfully',
    data: 'object',
  },
]
