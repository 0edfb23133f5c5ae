import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const nonceLength = 12
const tagLength = 16

/**
 * AES-256-GCM under a 32-byte key: nonce (12 bytes), ciphertext, tag (16 bytes). `aad` is the id of the row
 * it is kept in, so that a ciphertext moved to another row does not open (security.md R7, R37, R47).
 */
export function seal(key: Buffer, plaintext: string, aad: string): Buffer {
  const nonce = randomBytes(nonceLength)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength })
  cipher.setAAD(Buffer.from(aad))
  const ciphertext = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()])
  return Buffer.concat([nonce, ciphertext, cipher.getAuthTag()])
}

/** What was sealed, or undefined when key, `aad` or a single bit of it is not the same. */
export function unseal(key: Buffer, sealed: Buffer, aad: string): string | undefined {
  if (sealed.length < nonceLength + tagLength) return undefined
  const nonce = sealed.subarray(0, nonceLength)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength })
  decipher.setAAD(Buffer.from(aad))
  decipher.setAuthTag(sealed.subarray(-tagLength))
  const plaintext = decipher.update(sealed.subarray(nonceLength, -tagLength))
  try {
    return Buffer.concat([plaintext, decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}
