import { z } from 'zod'
import { canonicalIp } from '../domain/ip-range.ts'
import { AppError } from './errors.ts'
import type { Request } from './verify.ts'

/** What may be asked about a secret beside whether it is good; members of an input. */
export const questionMembers = {
  server: z.string().max(200).optional().describe('Ask for this server (id or slug).'),
  tool: z.string().max(200).optional().describe('Ask for this tool of the server.'),
  ip: z.string().max(64).optional().describe('Ask for a use from this address.'),
}

type Asked = { [member in keyof typeof questionMembers]?: string | undefined }

/** The question of an input; refuses an address that is none. */
export function requestOf({ server, tool, ip }: Asked): Request {
  if (ip !== undefined && canonicalIp(ip) === undefined) {
    throw new AppError('invalid_input', 'ip: must be an IPv4 or IPv6 address.', { field: 'ip' })
  }
  const request: Request = {}
  if (server !== undefined) request.server = server
  if (tool !== undefined) request.tool = tool
  if (ip !== undefined) request.ip = ip
  return request
}
