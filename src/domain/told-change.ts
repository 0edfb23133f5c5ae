import { reasonOf, type Verdict } from './verdict.ts'

/** The changes that can be looked at before they are made. */
export const changes = [
  'revoke',
  'disable',
  'enable',
  'rotate',
  'update',
  'add_groups',
  'remove_groups',
  'delete',
] as const

export type Change = (typeof changes)[number]

/** What the sentences tell of a change; times are ISO 8601 UTC. */
export interface ToldChange {
  change: Change
  of: 'token' | 'group' | 'server'
  /** The sentence it is refused with by its own rules. */
  refused: string | null
  changed: boolean
  lost: number
  gained: number
  kept: number
  /** Tokens that lose or gain something. */
  hit: number
  used: { seconds: number; ip: string | null } | null
  /** Until when a replaced secret is open as well. */
  predecessor_until: string | null
  /** Of a change of one token: how it stands before and after. */
  before: Standing | undefined
  after: Standing | undefined
}

interface Standing {
  verdict: Verdict
  from_there: Verdict
  expires_at: string | null
  all_servers: boolean
  /** As it is stored; null = every tool. */
  tool_rules: string | null
  limits: string
}

const doing: Record<Change, string> = {
  revoke: 'Revoking',
  disable: 'Disabling',
  enable: 'Enabling',
  rotate: 'Rotating',
  update: 'Updating',
  add_groups: 'Adding the groups',
  remove_groups: 'Taking out of the groups',
  delete: 'Deleting',
}

/** How long ago, in the largest unit that fits. */
export function ago(seconds: number): string {
  const units: [string, number][] = [
    ['days', 86_400],
    ['h', 3_600],
    ['min', 60],
    ['s', 1],
  ]
  const [name, size] = units.find(([, size]) => seconds >= size) ?? ['s', 1]
  const n = Math.floor(seconds / size)
  return `${n} ${n === 1 && name === 'days' ? 'day' : name} ago`
}

/** The change in one sentence. */
export function summaryOf(told: ToldChange): string {
  const { change, of, refused, hit, lost, gained, kept, used } = told
  if (refused !== null) return `Refused: ${refused}`
  const last = used === null ? 'never used' : `last used ${ago(used.seconds)}`
  if (of !== 'token') {
    const effect =
      hit === 0 ? 'takes nothing from any token' : `takes ${many(hit, 'token')} off ${many(lost, 'server')}`
    return `${doing[change]} the ${of} ${effect}${hit === 0 ? '' : `; ${last}`}.`
  }
  const effects = [
    ...(lost > 0 ? [`hits ${many(lost, 'server')}`] : []),
    ...(gained > 0 ? [`opens ${many(gained, 'server')}`] : []),
    ...(change === 'rotate' ? [`ends its secret and keeps ${many(kept, 'server')}`] : []),
  ]
  return `${doing[change]} ${effects.join(' and ') || 'changes no reach'}; ${last}.`
}

/** What one would want to know before making it, a sentence each. */
export function warningsOf(told: ToldChange): string[] {
  if (told.refused !== null) return []
  const { change, changed, before, after } = told
  return [
    ...(changed ? [] : ['It would change nothing: it is so already.']),
    ...cutOff(told),
    ...(before?.from_there === before?.verdict && after?.from_there === 'ip_not_allowed'
      ? [`The address of the last use, ${told.used?.ip}, would be refused.`]
      : []),
    ...(before !== undefined && after !== undefined ? reachOf(told, before, after) : []),
    ...(before !== undefined && after !== undefined && before.expires_at !== after.expires_at
      ? [after.expires_at === null ? 'It never ends any more.' : `It ends at ${after.expires_at}.`]
      : []),
    ...(before?.tool_rules === after?.tool_rules ? [] : ['The rules about tools change.']),
    ...(before?.limits === after?.limits ? [] : ['The limits of its use change.']),
    ...(change === 'enable' && changed ? ['Its secret works again, whoever has it.'] : []),
    ...(change === 'revoke' || change === 'delete' ? ['Nothing brings it back.'] : []),
  ]
}

function cutOff({ change, of, used, lost, changed, predecessor_until }: ToldChange): string[] {
  const ends = change === 'rotate' || change === 'revoke' || change === 'disable'
  if (!changed || (lost === 0 && change !== 'rotate')) return []
  const who = of === 'token' ? 'it' : 'one of the tokens'
  const consequence =
    change === 'rotate'
      ? 'whoever uses its secret is cut off at once, unless grace_seconds keeps it open'
      : ends
        ? `whoever uses it is cut off at once`
        : `whoever uses ${who} loses ${many(lost, 'server')} at once`
  const from = used?.ip == null ? '' : ` from ${used.ip}`
  return [
    ...(used === null ? [] : [`Used ${ago(used.seconds)}${from}; ${consequence}.`]),
    ...(ends && predecessor_until !== null
      ? [`A replaced secret that is open until ${predecessor_until} ends as well.`]
      : []),
  ]
}

function reachOf({ kept, gained }: ToldChange, before: Standing, after: Standing): string[] {
  if (after.verdict !== 'valid' && before.verdict !== 'valid')
    return [`${reasonOf(after.verdict)} It reaches nothing before and after.`]
  if (kept + gained === 0) return ['Reaches nothing afterwards.']
  return after.all_servers && !before.all_servers ? ['Reaches servers that are added later as well.'] : []
}

function many(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`
}
