import { z } from 'zod'
import { tools } from '../../../tools/index.ts'
import { type Route, to } from '../route.ts'
import { envelope, says } from './says.ts'

const document = z.unknown().meta({ type: 'object' })

/** Routes 47 to 50. */
export const systemRoutes: Route[] = [
  to('GET /api/v1/system/health', tools.check_health, {
    answer: envelope(
      z.object({
        status: z.enum(['healthy', 'degraded']),
        issues: z.array(z.string()),
        warnings: z.array(z.string()),
        statistics: z.object({
          total_projects: z.int(),
          total_users: z.int(),
          total_configs: z.int(),
          total_api_keys: z.int(),
          disabled_api_keys: z.int(),
        }),
        timestamp: z.string(),
      }),
    ),
    output: ({ status, issues, warnings, statistics, timestamp }) =>
      says('System health check completed', {
        status,
        issues,
        warnings,
        statistics: {
          total_projects: statistics.projects,
          total_users: statistics.users,
          total_configs: statistics.configs,
          total_api_keys: statistics.user_keys,
          disabled_api_keys: statistics.disabled_user_keys,
        },
        timestamp,
      }),
  }),
  to('POST /api/v1/system/backup', tools.create_backup, {
    body: z.strictObject({ output_file: z.string().optional() }),
    answer: envelope(document),
    output: ({ backup }) => says('System backup completed successfully', backup),
  }),
  to('POST /api/v1/system/restore', tools.restore_backup, {
    body: z.strictObject({ input_file: z.string().optional(), data: document.optional() }),
    answer: envelope(z.object({ users: z.int(), projects: z.int(), configs: z.int(), api_keys: z.int() })),
    output: ({ restored: { users, projects, configs, user_keys } }) =>
      says('System restore completed successfully', { users, projects, configs, api_keys: user_keys }),
  }),
  to('POST /api/v1/system/reset', tools.reset_system, {
    body: z.strictObject({ confirm: z.literal(true) }),
    answer: envelope(z.object({ snapshot_file: z.string() })),
    output: ({ snapshot_file }) => says('System reset completed successfully', { snapshot_file }),
  }),
]
