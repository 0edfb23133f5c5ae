import { tools } from '../../tools/index.ts'
import type { AnyOperation } from '../core/operation.ts'
import type { IdKind } from '../domain/id.ts'
import type { Run } from './resources/kind.ts'

/** What a list operation is asked for. */
export interface Asked {
  text?: string
  cursor?: string
  order?: 'asc' | 'desc'
  limit: number
}

interface Listed {
  rows: { id: string; name: string | null }[]
  next_cursor: string | null
  total: number | null
}

/** Things that arguments name. */
export interface Source {
  kind: IdKind
  operation: AnyOperation
  list(run: Run, asked: Asked): Promise<Listed>
}

export type SourceName = 'token' | 'group' | 'server' | 'user'

/** Where completions come from; `name` is what people call the thing by and the read operations find it by. */
export const sources: Record<SourceName, Source> = {
  token: {
    kind: 'token',
    operation: tools.list_magic_tokens,
    async list(run, asked) {
      const { tokens, ...page } = await run(tools.list_magic_tokens, asked)
      return { rows: tokens.map(({ id, name }) => ({ id, name })), ...page }
    },
  },
  group: {
    kind: 'group',
    operation: tools.list_groups,
    async list(run, asked) {
      const { groups, ...page } = await run(tools.list_groups, asked)
      return { rows: groups.map(({ id, name }) => ({ id, name })), ...page }
    },
  },
  server: {
    kind: 'server',
    operation: tools.list_servers,
    async list(run, asked) {
      const { servers, ...page } = await run(tools.list_servers, asked)
      return { rows: servers.map(({ id, slug }) => ({ id, name: slug })), ...page }
    },
  },
  user: {
    kind: 'user',
    operation: tools.list_users,
    async list(run, asked) {
      const { users, ...page } = await run(tools.list_users, asked)
      return { rows: users.map(({ id, email }) => ({ id, name: email })), ...page }
    },
  },
}
