import { z } from 'zod'
import * as users from '../../db/users.ts'
import { email, idempotencyKey, name } from '../../src/core/fields.ts'
import { refuseBound } from '../../src/core/limits.ts'
import { operation } from '../../src/core/operation.ts'
import { hashPassword, password } from '../../src/core/password.ts'
import { refuseTakenEmail } from '../../src/core/user-state.ts'
import { showUser, userView } from '../../src/core/views/user.ts'

export const create_user = operation({
  name: 'create_user',
  title: 'Create a user',
  description:
    'Creates a person who can own tokens and be a member of projects. An e-mail names one user only, whatever its letter case. A password for signing in is set on the command line or over REST, never in a conversation. Then use add_project_member, or owner_id in create_token.',
  input: z.strictObject({
    email: email.describe('E-mail address; stored in lower case.'),
    name: name.optional().describe('Name of the person.'),
    password: password.optional(),
    idempotency_key: idempotencyKey.optional(),
  }),
  output: z.object({ user: userView }),
  permission: 'users:write',
  effect: 'create',
  retryable: true,
  target: (_, done) => done?.user.id,
  async prepare(ctx, { email, password, idempotency_key }) {
    // Before the expensive part, so that refused calls do not cost one; the e-mail may be taken by the call this one repeats.
    refuseBound(ctx)
    if (idempotency_key === undefined) await refuseTakenEmail(ctx, email)
    return password === undefined ? null : hashPassword(password)
  },
  async run(ctx, { email, name }, password_hash) {
    await refuseTakenEmail(ctx, email)
    const row = await users.insert(ctx.db, {
      id: ctx.newId('user'),
      email,
      name: name ?? null,
      password_hash,
      enabled: 1,
      created_at: ctx.now,
      updated_at: ctx.now,
      deleted_at: null,
    })
    ctx.note({ email, has_password: password_hash !== null })
    return { user: await showUser(ctx, row) }
  },
})
