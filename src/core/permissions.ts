/** Who may do what, as data: a role or a kind of token holds exactly the permissions in its row, and nothing else. */
export const roles = ['admin', 'operator', 'reader', 'validator'] as const
export type Role = (typeof roles)[number]

const areas = [
  'tokens',
  'user_keys',
  'groups',
  'servers',
  'projects',
  'users',
  'configs',
  'audit',
  'system',
] as const
type Area = (typeof areas)[number]

export type Permission =
  | `${Area}:read`
  | `${Area}:write`
  | 'tokens:validate'
  | 'tokens:permanent'
  | 'tokens:generate'
  | 'tokens:self'
  | 'public'

const reads = areas.map((area): Permission => `${area}:read`)
const writes = areas.map((area): Permission => `${area}:write`)
const reader: Permission[] = [...reads, 'tokens:validate']
const operator: Permission[] = [
  ...reader,
  'tokens:write',
  'user_keys:write',
  'groups:write',
  'tokens:permanent',
]

const held: Record<Role | 'user_key' | 'access' | 'user' | 'reporter' | 'nobody', ReadonlySet<Permission>> = {
  admin: new Set([...operator, ...writes]),
  operator: new Set(operator),
  reader: new Set(reader),
  validator: new Set<Permission>(['tokens:validate']),
  user_key: new Set<Permission>([
    'tokens:read',
    'tokens:write',
    'servers:read',
    'projects:read',
    'configs:read',
  ]),
  access: new Set<Permission>(),
  /** Signed in with a password: makes tokens for itself in its own projects. */
  user: new Set<Permission>(['tokens:generate']),
  /** `report_leak` lets it in by itself. */
  reporter: new Set<Permission>(),
  nobody: new Set<Permission>(),
}

/** True if that role or kind of token holds the permission; `public` is held by everybody. */
export function holds(role: keyof typeof held, permission: Permission): boolean {
  return permission === 'public' || held[role].has(permission)
}
