import { z } from 'zod'
import { tools } from '../../../tools/index.ts'
import type { Dialect } from '../dialect.ts'
import { to } from '../route.ts'
import { generateRoutes } from './described.ts'
import { refusal, word } from './words.ts'

const time = z.string().describe('YYYY-MM-DD HH:MM:SS, UTC.')
const times = { created_at: time, updated_at: time }

const project = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  owner_id: z.null(),
  is_public: z.literal(0),
  last_sync_at: z.null(),
  ...times,
})

const environment = z.object({
  id: z.string(),
  project_id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  variables: z.record(z.string(), z.string()),
  is_default: z.boolean(),
  ...times,
})

const user = z.object({
  id: z.string().nullable(),
  email: z.string().nullable(),
  project_id: z.string().nullable(),
  token_type: z.literal('mcp'),
  mcp_token_id: z.string(),
})

const data = z.object({ project: project.nullable(), environments: z.array(environment), user })

const validated = z.object({
  success: z.literal(true),
  status_code: z.literal(200),
  message: z.literal('Token valid'),
  data,
})

/** `2026-11-22 21:53:03` of `2026-11-22T21:53:03.123Z`. */
function plain(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ')
}

function timesOf({ created_at, updated_at }: { created_at: string; updated_at: string }) {
  return { created_at: plain(created_at), updated_at: plain(updated_at) }
}

/** GASSAPI's check of a token by the token itself; making one is `generate.ts` (docs/contracts/gassapi.md). */
export const gassapi: Dialect = {
  via: 'gassapi',
  title: 'GASSAPI',
  owns: (path) => path === '/mcp/validate' || path.startsWith('/mcp/validate/'),
  tokensOnly: true,
  routes: [
    to('GET /mcp/validate', tools.describe_credential, {
      answer: validated,
      output: ({ token, project, environments, user }) => ({
        success: true as const,
        status_code: 200 as const,
        message: 'Token valid' as const,
        data: {
          project: project && {
            id: project.id,
            name: project.name,
            description: project.description,
            owner_id: null,
            is_public: 0 as const,
            last_sync_at: null,
            ...timesOf(project),
          },
          environments: environments.map((one) => ({ ...one, ...timesOf(one) })),
          user: {
            id: user?.id ?? null,
            email: user?.email ?? null,
            project_id: project?.id ?? null,
            token_type: 'mcp' as const,
            mcp_token_id: token.id,
          },
        },
      }),
    }),
  ],
  word,
  refusal,
  described: generateRoutes,
  finished: z.object({ timestamp: time, request_id: z.string() }),
  finish: ({ data, ...rest }, { now, requestId }) => ({
    ...rest,
    timestamp: plain(now),
    request_id: requestId,
    data,
  }),
}
