import { z } from 'zod'
import * as configs from '../../../db/configs.ts'
import * as projects from '../../../db/projects.ts'
import type { ProjectRow } from '../../../db/schema.ts'
import * as tokens from '../../../db/tokens.ts'
import { projectPolicySchema } from '../../domain/settings.ts'
import type { Context } from '../context.ts'
import { shared } from '../fields.ts'
import { grouped } from '../grouped.ts'
import { readPolicy } from '../token-policy.ts'
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
  user_key_count: z.int().describe('Keys of the user in this project that are not revoked.'),
  created_at: isoTime.describe('Member since; ISO 8601, UTC.'),
})

/** A project in full. */
export const projectView = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  config_id: z.string().nullable(),
  config: z.object({ id: z.string(), name: z.string() }).nullable(),
  user_key_count: z.int().describe('User keys of the project that are not revoked.'),
  policy: projectPolicySchema
    .nullable()
    .describe('What it asks of its tokens beyond the settings; null = nothing.'),
  members: z.array(member),
  environments: z.array(environment),
  created_at: isoTime,
  updated_at: isoTime,
})

shared.add(projectView, { id: 'Project' })

/** The little of a project that changes tell a model; its members and variables may be many. */
export const shortProjectView = projectView.pick({
  id: true,
  name: true,
  description: true,
  updated_at: true,
})

/** A project as lists show it. */
export const listedProjectView = projectView
  .omit({ members: true, environments: true, policy: true })
  .extend({ member_count: z.int(), environments: z.array(z.string()).describe('Their names.') })

shared.add(listedProjectView, { id: 'ListedProject' })

type Shown = Pick<Context, 'db' | 'scope'>

/** Shows one row with its members and environments. */
export async function showProject(ctx: Shown, row: ProjectRow) {
  const members = await projects.membersOf(ctx.db, ctx.scope, [row.id])
  const keys = await tokens.countUserKeysIn(ctx.db, ctx.scope, [row.id])
  const environments = await projects.environmentsOf(ctx.db, [row.id])
  return {
    ...row,
    policy: readPolicy(row.policy),
    config: named(row, await configsOf(ctx, [row])),
    user_key_count: sum(keys),
    members: members.map((one) => ({
      ...one,
      user_key_count: sum(keys.filter((count) => count.owner_id === one.id)),
    })),
    environments: environments.map((one) => ({
      ...one,
      variables: JSON.parse(one.variables) as Record<string, string>,
      is_default: one.is_default === 1,
    })),
  }
}

/** Shows rows as lists do; four queries for any number of projects. */
export async function listProjects(ctx: Shown, rows: readonly ProjectRow[]) {
  const ids = rows.map((row) => row.id)
  const members = await projects.memberCounts(ctx.db, ctx.scope, ids)
  const keys = grouped(await tokens.countUserKeysIn(ctx.db, ctx.scope, ids), (one) => one.project_id)
  const environments = grouped(await projects.environmentsOf(ctx.db, ids), (one) => one.project_id)
  const names = await configsOf(ctx, rows)
  return rows.map((row) => ({
    ...row,
    config: named(row, names),
    user_key_count: sum(keys.get(row.id) ?? []),
    member_count: members.get(row.id) ?? 0,
    environments: (environments.get(row.id) ?? []).map((one) => one.name),
  }))
}

function configsOf({ db }: Shown, rows: readonly ProjectRow[]): ReturnType<typeof configs.namesOf> {
  const ids = rows.map((row) => row.config_id).filter((id) => id !== null)
  return configs.namesOf(db, [...new Set(ids)])
}

function named({ config_id: id }: ProjectRow, names: ReadonlyMap<string | null, string>) {
  const name = names.get(id)
  return id === null || name === undefined ? null : { id, name }
}

function sum(counts: readonly { n: number }[]): number {
  return counts.reduce((total, { n }) => total + n, 0)
}
