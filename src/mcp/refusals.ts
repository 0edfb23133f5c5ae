import type { AppError } from '../core/errors.ts'

/** The member of a tool result's `_meta` that holds the code of a refusal, for programs. */
export const codeMember = 'tokenwright/code'

type Fault = Error & { code: number; data?: object }

/** An error of the protocol; a plain one, because the SDK's own class writes its code into the text a second time. */
export function protocolError(code: number, message: string, data?: object): Fault {
  return Object.assign(new Error(message), { code, ...(data && { data }) })
}

/** A refusal as the model reads it: the code and one sentence; nothing else of the error leaves the process (security R32). */
export function refusalResult({ code, message }: AppError) {
  const text = message.startsWith(code) ? message : `${code}: ${message}`
  return { isError: true, content: [{ type: 'text', text }], _meta: { [codeMember]: code } }
}
