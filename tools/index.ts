import type { AnyOperation } from '../src/core/operation.ts'
import { list_audit_events } from './audit/list_audit_events.ts'
import { verify_audit } from './audit/verify_audit.ts'
import { create_group } from './groups/create_group.ts'
import { list_groups } from './groups/list_groups.ts'
import { list_servers } from './servers/list_servers.ts'
import { create_management_key } from './system/create_management_key.ts'
import { get_settings } from './system/get_settings.ts'
import { list_management_keys } from './system/list_management_keys.ts'
import { redeem_link } from './system/redeem_link.ts'
import { revoke_management_key } from './system/revoke_management_key.ts'
import { update_settings } from './system/update_settings.ts'
import { add_groups } from './tokens/add_groups.ts'
import { create_token } from './tokens/create_token.ts'
import { get_token } from './tokens/get_token.ts'
import { list_magic_tokens } from './tokens/list_magic_tokens.ts'
import { remove_groups } from './tokens/remove_groups.ts'
import { revoke_token } from './tokens/revoke_token.ts'
import { rotate_token } from './tokens/rotate_token.ts'
import { set_token_enabled } from './tokens/set_token_enabled.ts'
import { update_token } from './tokens/update_token.ts'
import { validate_token } from './tokens/validate_token.ts'

interface Toolset {
  about: string
  /** Offered to MCP clients without being asked for. */
  default: boolean
  operations: readonly AnyOperation[]
}

/** Every operation of the product; a face offers all of them or the sets it was started with. */
export const toolsets: Record<string, Toolset> = {
  tokens: {
    about: 'Tokens, the groups they are in, the servers they open, and the trail of what was done.',
    default: true,
    operations: [
      create_token,
      get_token,
      list_magic_tokens,
      update_token,
      rotate_token,
      revoke_token,
      set_token_enabled,
      validate_token,
      add_groups,
      remove_groups,
      list_groups,
      create_group,
      list_servers,
      list_audit_events,
    ],
  },
  system: {
    about: 'What is kept from models: management keys, settings, one-time links and the proof of the trail.',
    default: false,
    operations: [
      redeem_link,
      get_settings,
      update_settings,
      create_management_key,
      list_management_keys,
      revoke_management_key,
      verify_audit,
    ],
  },
}

/** All operations, once each, in the order of the sets. */
export const operations: readonly AnyOperation[] = Object.values(toolsets).flatMap((set) => set.operations)
