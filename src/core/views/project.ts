import { z } from 'zod'
import * as projects from '../../../db/projects.ts'
import type { ProjectRow } from '../../../db/schema.ts'
import type { Context } from '../context.ts'
import { isoTime } from './named.ts'

/** A set of variables of a project, made for its clients and shown to them. */
const environment = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  variables: z.record(z.string(), z.string()),
  is_default: z.boolean(),
  created_at: isoTime,
  updated_at: isoTime,
})

const member = z.object({
  id: z.string(),
  email: z.string(),
  name: z.string().nullable(),
  created_at: isoTime.describe('Member since; ISO 8601, UTC.'),
})

/** A project in full. */
export const projectView = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  config_id: z.string().nullable(),
  members: z.array(member),
  environments: z.array(environment),
  created_at: isoTime,
  updated_at: isoTime,
})

/** The little of a project that changes tell a model; its members and variables may be many. */
export const shortProjectView = projectView.pick({
  id: true,
  name: true,
  description: true,
  updated_at: true,
})

/** A project as lists show it. */
export const listedProjectView = projectView
  .omit({ members: true, environments: true })
  .extend({ member_count: z.int(), environments: z.array(z.string()).describe('Their names.') })

/** Shows one row with its members and environments. */
export async function showProject(ctx: Pick<Context, 'db' | 'scope'>, row: ProjectRow) {
  const members = await projects.membersOf(ctx.db, ctx.scope, [row.id])
  const environments = await projects.environmentsOf(ctx.db, [row.id])
  return {
    ...row,
    members,
    environments: environments.map((one) => ({
      ...one,
      variables: JSON.parse(one.variables) as Record<string, string>,
      is_default: one.is_default === 1,
    })),
  }
}

/** Shows rows as lists do; two queries for any number of projects. */
export async function listProjects(ctx: Pick<Context, 'db' | 'scope'>, rows: readonly ProjectRow[]) {
  const ids = rows.map((row) => row.id)
  const members = await projects.memberCounts(ctx.db, ctx.scope, ids)
  const environments = await projects.environmentsOf(ctx.db, ids)
  return rows.map((row) => ({
    ...row,
    member_count: members.get(row.id) ?? 0,
    environments: environments.filter((one) => one.project_id === row.id).map((one) => one.name),
  }))
}
