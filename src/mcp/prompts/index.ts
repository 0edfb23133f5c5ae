import { audit_exposure } from './audit_exposure.ts'
import { offboard_user } from './offboard_user.ts'
import { onboard_server } from './onboard_server.ts'
import type { Prompt } from './prompt.ts'
import { rotate_due } from './rotate_due.ts'

/** Every prompt by its name, in the order clients are shown them. */
export const prompts: ReadonlyMap<string, Prompt> = new Map(
  [onboard_server, rotate_due, audit_exposure, offboard_user].map((prompt) => [prompt.name, prompt]),
)
