/** A request of a story; `:name` stands for what an earlier answer gave. */
export interface Told {
  line: string
  body?: unknown
  /** What later requests call the things in its answer. */
  // biome-ignore lint/suspicious/noExplicitAny: each answer has its own shape
  keep?: (json: any) => Record<string, string>
  /** The credential, if not the admin's. */
  as?: string
}

const v1 = (name: string, body: unknown = {}, keep?: Told['keep']): Told => ({
  line: `POST /v1/${name}`,
  body,
  ...(keep === undefined ? {} : { keep }),
})
const policy = { enabled: true, policy_name: 'p', additional_config: { pii_redaction: true }, block: ['pii'] }

/** Each family does everything it offers; a later story uses what an earlier one left. */
export const stories: Record<string, Told[]> = {
  'POST /v1/<name>': [
    v1('create_server', { name: 'weather', metadata: { a: [1] } }, (json) => ({ server: json.server.id })),
    v1('create_group', { name: 'all', description: 'x' }, (json) => ({ group: json.group.id })),
    v1('add_group_servers', { group_id: ':group', server_ids: [':server'] }),
    v1('create_project', { name: 'apollo' }, (json) => ({ project: json.project.id })),
    v1(
      'create_user',
      { email: 'ada@example.com', name: 'Ada', password: 'correct horse battery' },
      (json) => ({
        user: json.user.id,
      }),
    ),
    v1('add_project_member', { project_id: ':project', user_id: ':user' }),
    v1('set_environment', { project_id: ':project', name: 'production', variables: { A: 'b' } }),
    v1('create_config', { name: 'tools' }, (json) => ({ config: json.config.id })),
    v1(
      'add_config_server',
      { config_id: ':config', name: 'git', runs: { command: 'npx', args: ['x'], env: { K: 'v' } } },
      (json) => ({ config_server: json.server.id }),
    ),
    v1('set_server_guardrails', { config_id: ':config', server_id: ':config_server', input: policy }),
    v1('assign_config', { project_id: ':project', config_id: ':config' }),
    v1('generate_user_key', { user_id: ':user', project_id: ':project' }, (json) => ({ key: json.token.id })),
    v1(
      'create_token',
      {
        name: 'CI',
        metadata: { team: { name: 'x' } },
        access: { servers: [':server'], groups: [':group'], tool_rules: { allow: ['*/read*'] } },
        allowed_ips: ['127.0.0.0/8'],
        delivery: 'inline',
      },
      (json) => ({ token: json.token.id, secret: json.delivery.secret }),
    ),
    v1('rotate_token', { token_id: ':token', grace_seconds: 60 }),
    v1('create_token', { name: 'by link', delivery: 'link' }, (json) => ({
      code: json.delivery.url.split('#')[1],
    })),
    { ...v1('redeem_link', { code: ':code' }), as: '' },
    v1('validate_token', { token_id: ':token', server: 'weather', tool: 'read_all' }),
    v1('validate_token', { token: 'mcpt_unknown' }),
    v1('get_token', { token_id: ':token' }),
    v1('get_group', { group_id: ':group' }),
    v1('get_server', { server_id: ':server' }),
    v1('get_project', { project_id: ':project' }),
    v1('get_user', { user_id: ':user' }),
    v1('get_config', { config_id: ':config' }),
    v1('get_project_config', { project_id: ':project' }),
    v1('get_config_server', { config_id: ':config', server_id: ':config_server' }),
    v1('validate_config', { config_id: ':config' }),
    v1('export_config', { config_id: ':config', include_secrets: true }),
    v1('export_project', { project_id: ':project' }),
    ...['list_magic_tokens', 'list_groups', 'list_servers', 'list_projects', 'list_users'].map((name) =>
      v1(name),
    ),
    ...['list_configs', 'list_management_keys', 'list_audit_events', 'verify_audit'].map((name) => v1(name)),
    ...['get_settings', 'check_health', 'create_backup'].map((name) => v1(name)),
    v1('update_settings', { default_lifetime_days: 20 }),
    v1('update_token', { token_id: ':token', name: 'CI 2', access: { groups: [':group'] } }),
    v1('set_token_enabled', { token_id: ':token', enabled: false }),
    v1('copy_config', { config_id: ':config', name: 'copy' }),
    v1('create_management_key', { name: 'robot', role: 'operator' }, (json) => ({ robot: json.key.id })),
    v1('revoke_management_key', { key_id: ':robot' }),
  ],
  'Metorial magic MCP': [
    {
      line: 'POST /magic-mcp-servers',
      body: { name: 's', metadata: { a: { b: 1 } } },
      keep: ({ id }) => ({ server_id: id }),
    },
    { line: 'POST /magic-mcp-groups', body: { name: 'g' }, keep: ({ id }) => ({ group_id: id }) },
    {
      line: 'POST /magic-mcp-groups/:group_id/add-servers',
      body: { magic_mcp_server_ids: [':server_id'] },
    },
    {
      line: 'POST /magic-mcp-tokens',
      body: { name: 't', magic_mcp_server_id: ':server_id' },
      keep: ({ id }) => ({ token_id: id }),
    },
    { line: 'GET /magic-mcp-tokens/:token_id' },
    { line: 'POST /magic-mcp-tokens/:token_id/add-groups', body: { magic_mcp_group_ids: [':group_id'] } },
    { line: 'GET /magic-mcp-tokens?limit=2&order=desc&status=active' },
    { line: 'PATCH /magic-mcp-tokens/:token_id', body: { description: 'x', metadata: { a: 1 } } },
    { line: 'POST /magic-mcp-tokens/:token_id/rotate', body: { grace_seconds: 5 } },
    { line: 'POST /magic-mcp-tokens/:token_id/remove-groups', body: { magic_mcp_group_ids: [':group_id'] } },
    { line: 'GET /magic-mcp-groups?search=g' },
    { line: 'GET /magic-mcp-groups/:group_id' },
    { line: 'PATCH /magic-mcp-groups/:group_id', body: { name: 'h' } },
    { line: 'GET /magic-mcp-servers' },
    { line: 'GET /magic-mcp-servers/:server_id' },
    { line: 'PATCH /magic-mcp-servers/:server_id', body: { description: 'x' } },
    {
      line: 'POST /magic-mcp-groups/:group_id/remove-servers',
      body: { magic_mcp_server_ids: [':server_id'] },
    },
    { line: 'DELETE /magic-mcp-tokens/:token_id' },
    { line: 'DELETE /magic-mcp-groups/:group_id' },
    { line: 'DELETE /magic-mcp-servers/:server_id' },
  ],
  'mctx API tokens': [
    {
      line: 'POST /api/tokens',
      body: { name: 'pipeline', server_ids: [':server'], allowed_ips: ['10.0.0.0/8'], expires_in_days: 9 },
      keep: ({ id }) => ({ token_id: id }),
    },
    { line: 'GET /api/tokens?status=all&limit=3' },
    { line: 'GET /api/tokens/:token_id' },
    { line: 'PATCH /api/tokens/:token_id', body: { name: 'other' } },
    { line: 'POST /api/tokens/:token_id/rotate', body: {} },
    { line: 'DELETE /api/tokens/:token_id' },
  ],
  GASSAPI: [
    ...['/public/generate-mcp-token', '/public/generate-mcp-token.php'].flatMap((path) => [
      { line: `OPTIONS ${path}`, as: '' },
      {
        line: `POST ${path}`,
        body: { email: 'ada@example.com', password: 'correct horse battery', project_id: ':project' },
        as: '',
        keep: (json: { mcpClient: { token: string } }) => ({ generated: json.mcpClient.token }),
      },
    ]),
    { line: 'GET /mcp/validate', as: ':generated' },
  ],
  'Enkrypt secure MCP gateway': [
    { line: 'POST /api/v1/configs', body: { config_name: 'c' } },
    {
      line: 'POST /api/v1/configs/c/servers',
      body: {
        server_name: 's',
        server_command: 'npx',
        args: ['-y'],
        env: { TOKEN: 'v' },
        tools: { a: {} },
        input_guardrails_policy: policy,
      },
    },
    { line: 'GET /api/v1/configs' },
    { line: 'GET /api/v1/configs/c' },
    { line: 'GET /api/v1/configs/c/servers' },
    { line: 'GET /api/v1/configs/c/servers/s' },
    { line: 'PUT /api/v1/configs/c/servers/s', body: { description: 'x' } },
    { line: 'PUT /api/v1/configs/c/servers/s/input-guardrails', body: { policy } },
    { line: 'PUT /api/v1/configs/c/servers/s/output-guardrails', body: { policy } },
    {
      line: 'PUT /api/v1/configs/c/servers/s/guardrails',
      body: { input_policy: policy, output_policy: policy },
    },
    { line: 'GET /api/v1/configs/tools/projects' },
    { line: 'POST /api/v1/configs/search', body: { search_term: 's' } },
    { line: 'POST /api/v1/configs/c/validate' },
    { line: 'POST /api/v1/configs/c/export', body: { output_file: 'c.json' } },
    { line: 'POST /api/v1/configs/import', body: { config_name: 'i', input_file: 'c.json' } },
    { line: 'POST /api/v1/configs/copy', body: { source_config: 'c', target_config: 'd' } },
    { line: 'PUT /api/v1/configs/d/rename', body: { new_name: 'e' } },
    { line: 'DELETE /api/v1/configs/c/servers/s' },
    { line: 'DELETE /api/v1/configs/i/servers' },
    { line: 'DELETE /api/v1/configs/e' },
    { line: 'POST /api/v1/users', body: { email: 'eve@example.com', name: 'Eve' } },
    { line: 'GET /api/v1/users' },
    { line: 'GET /api/v1/users/ada@example.com' },
    { line: 'GET /api/v1/users/ada@example.com/projects' },
    { line: 'POST /api/v1/users/search', body: { search_term: 'a' } },
    {
      line: 'POST /api/v1/users/ada@example.com/api-keys',
      body: { project_name: 'apollo' },
      keep: ({ data }) => ({ api_key: data.api_key_id }),
    },
    { line: 'GET /api/v1/users/ada@example.com/api-keys?project_identifier=apollo' },
    { line: 'GET /api/v1/api-keys' },
    { line: 'GET /api/v1/api-keys/:api_key' },
    { line: 'POST /api/v1/api-keys/rotate', body: { api_key: ':api_key', grace_seconds: 1 } },
    { line: 'POST /api/v1/api-keys/:api_key/disable' },
    { line: 'POST /api/v1/api-keys/:api_key/enable' },
    { line: 'DELETE /api/v1/api-keys/:api_key' },
    { line: 'DELETE /api/v1/users/ada@example.com/api-keys' },
    { line: 'POST /api/v1/users/ada@example.com/reset-password', body: { new_password: 'another battery' } },
    { line: 'PUT /api/v1/users/eve@example.com', body: { new_email: 'eva@example.com' } },
    { line: 'DELETE /api/v1/users/eva@example.com', body: { force: true } },
  ],
}
