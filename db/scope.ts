import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely'
import type { Schema } from './schema.ts'

/** Which rows a caller may touch; empty = all. `src/core/actor.ts` makes it from the credential. */
export interface Scope {
  token_id?: string
  owner_id?: string
  project_id?: string
}

/** Rows of `tokens` in scope. */
export function ownTokens(scope: Scope) {
  return (is: ExpressionBuilder<Schema, 'tokens'>): Expression<SqlBool> => {
    const terms = [is('tokens.kind', '!=', 'management')]
    if (scope.token_id !== undefined) terms.push(is('tokens.id', '=', scope.token_id))
    if (scope.owner_id !== undefined) terms.push(is('tokens.owner_id', '=', scope.owner_id))
    if (scope.project_id !== undefined) terms.push(is('tokens.project_id', '=', scope.project_id))
    return is.and(terms)
  }
}

/** Rows of `servers` in scope: those of the project's configuration. */
export function ownServers(scope: Scope) {
  return () => ofConfig(scope, 'servers.config_id')
}

/** Rows of `projects` in scope. */
export function ownProjects(scope: Scope) {
  return (is: ExpressionBuilder<Schema, 'projects'>): Expression<SqlBool> => {
    if (scope.token_id !== undefined) return is.lit(false)
    return scope.project_id === undefined ? is.and([]) : is('projects.id', '=', scope.project_id)
  }
}

/** Rows of `configs` in scope: that of the project. */
export function ownConfigs(scope: Scope) {
  return () => ofConfig(scope, 'configs.id')
}

/** The column names the configuration of the project in scope; a single token reaches none of them. */
function ofConfig({ token_id, project_id }: Scope, column: 'servers.config_id' | 'configs.id') {
  if (token_id !== undefined) return sql<SqlBool>`1 = 0`
  if (project_id === undefined) return sql<SqlBool>`1 = 1`
  return sql<SqlBool>`exists (select 1 from projects
    where projects.id = ${project_id} and projects.config_id = ${sql.ref(column)})`
}
