import { hkdfSync } from 'node:crypto'

/** The keys derived from the master key, 32 bytes each (security.md R3). */
export interface Keys {
  pepper: Buffer
  audit: Buffer
  link: Buffer
  env: Buffer
  /** For fingerprints of the values of servers. */
  values: Buffer
  idempotency: Buffer
  /** For the checksum of backups. */
  backup: Buffer
  /** For what a conversation carries and brings back: digests to confirm, the state of calls given back. */
  conversation: Buffer
}

/** HKDF-SHA-256 of the master key, one label for each key; the labels are part of the stored format. */
export function deriveKeys(master: Buffer): Keys {
  return {
    pepper: derive(master, 'pepper', 32),
    audit: derive(master, 'audit', 32),
    link: derive(master, 'link', 32),
    env: derive(master, 'env', 32),
    values: derive(master, 'values', 32),
    idempotency: derive(master, 'idempotency', 32),
    backup: derive(master, 'backup', 32),
    conversation: derive(master, 'conversation', 32),
  }
}

/** 32 hex characters that tell master keys apart and reveal nothing of them; the database keeps them (R3). */
export function fingerprint(master: Buffer): string {
  return derive(master, 'fingerprint', 16).toString('hex')
}

/** The master key in `secret.key` or TOKENWRIGHT_SECRET: base64url of exactly 32 bytes, else undefined. */
export function parseMaster(text: string): Buffer | undefined {
  const line = text.replace(/\r?\n$/, '')
  const master = Buffer.from(line, 'base64url')
  // Buffer skips what it cannot decode, so only the way back proves that nothing was lost.
  return master.length === 32 && formatMaster(master) === line ? master : undefined
}

/** The text of a master key, 43 characters, as `parseMaster` reads it. */
export function formatMaster(master: Buffer): string {
  return master.toString('base64url')
}

function derive(master: Buffer, label: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', master, '', `tokenwright ${label} v1`, bytes))
}
