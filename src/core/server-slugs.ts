import * as servers from '../../db/servers.ts'
import { slugOf } from '../domain/slug.ts'
import type { Context } from './context.ts'

/** The slug of the name, with `-2`, `-3`, … behind it if taken, deleted servers included (metorial:servers:object:slug). */
export async function freeSlug(ctx: Context, name: string | null): Promise<string> {
  const [slug] = await freeSlugs(ctx, [name])
  if (slug === undefined) throw new Error('one name in, one slug out')
  return slug
}

/** As `freeSlug`, for servers that are made together. */
export async function freeSlugs(ctx: Context, names: readonly (string | null)[]): Promise<string[]> {
  const wanted = names.map(slugOf)
  const taken = new Set<string>()
  for (const slug of new Set(wanted)) {
    for (const one of await servers.slugsLike(ctx.db, slug)) taken.add(one)
  }
  return wanted.map((slug) => {
    let free = slug
    for (let n = 2; taken.has(free); n += 1) free = `${slug}-${n}`
    taken.add(free)
    return free
  })
}
