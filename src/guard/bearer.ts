/** What was sent as credential; `sent` is true if any Authorization header came, also where its form is refused. */
export interface Credential {
  token: string | undefined
  sent: boolean
}

const tokenPattern = /^[\x21-\x7e]{1,512}$/
const headerPattern = /^bearer +([\x21-\x7e]{1,512})$/i

/** A token by itself; what cannot be one is refused without a question. */
export function credentialOf(token: string): Credential {
  return { token: tokenPattern.test(token) ? token : undefined, sent: true }
}

/** The credential of these Authorization headers: exactly one, of the form `Bearer <visible ASCII>`. */
export function credentialIn(values: readonly string[]): Credential {
  const [value] = values
  if (value === undefined || values.length > 1) return { token: undefined, sent: values.length > 0 }
  return { token: headerPattern.exec(value)?.[1], sent: true }
}

/** Every Authorization header of Node's raw list; its own view keeps only the first. */
export function authorizations(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === 'authorization')
}
