import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { z } from 'zod'

/** The list of public keys as GitHub publishes it (docs.github.com, secret scanning partner program). */
const keyList = z.object({
  public_keys: z
    .array(
      z.object({
        key_identifier: z.string().min(1).max(200),
        key: z.string().max(4_000),
        is_current: z.boolean().optional(),
      }),
    )
    .min(1)
    .max(100),
})

/** Keys that sign reports, by identifier. */
export type SigningKeys = ReadonlyMap<string, KeyObject>

/** The keys of a list that are in use; undefined if it is no such list, or if none of them is an ECDSA key on P-256. */
export function readSigningKeys(text: string): SigningKeys | undefined {
  const parsed = keyList.safeParse(jsonOf(text))
  if (!parsed.success) return undefined
  const keys = new Map<string, KeyObject>()
  for (const { key_identifier, key, is_current } of parsed.data.public_keys) {
    const made = is_current === false ? undefined : p256(key)
    if (made !== undefined) keys.set(key_identifier, made)
  }
  return keys.size === 0 ? undefined : keys
}

/** Whether the signature, base64 of DER, is that of the key over exactly these bytes (ECDSA-NIST-P256V1-SHA256). */
export function isSigned(key: KeyObject, signature: string, body: Buffer): boolean {
  if (!/^[A-Za-z0-9+/]{1,200}={0,2}$/.test(signature)) return false
  try {
    return verify('sha256', body, key, Buffer.from(signature, 'base64'))
  } catch {
    return false
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function p256(pem: string): KeyObject | undefined {
  try {
    const key = createPublicKey(pem)
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
    return type === 'ec' && details?.namedCurve === 'prime256v1' ? key : undefined
  } catch {
    return undefined
  }
}
