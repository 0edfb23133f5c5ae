import { randomBytes } from 'node:crypto'
import { defaultKeyHasher } from '@better-auth/api-key'
import type { Database } from 'better-sqlite3'
import { shuffled } from './bare.ts'

/** Copies the row of a key that better-auth made, with keys of its own form under its own hash, in random order. */
export async function multiplyRow(db: Database, id: string, count: number): Promise<string[]> {
  const row = db.prepare('select * from apikey where id = ?').get(id) as Record<string, unknown>
  const columns = Object.keys(row)
  const insert = db.prepare(
    `insert into apikey (${columns.map((name) => `"${name}"`)}) values (${columns.map((name) => `@${name}`)})`,
  )
  const made = await makeKeys(count)
  db.transaction(() => {
    for (const [i, { key, hash }] of made.entries()) {
      insert.run({ ...row, id: `key${i}`, start: key.slice(0, 6), key: hash })
    }
  })()
  db.pragma('wal_checkpoint(truncate)')
  return shuffled(made.map(({ key }) => key))
}

/** The same in its secondary storage; every key has an owner of its own, as its list of one owner's keys grows slow. */
export async function multiplyEntry(
  entries: Map<string, string>,
  id: string,
  count: number,
): Promise<string[]> {
  const entry = JSON.parse(entries.get(`api-key:by-id:${id}`) ?? '') as Record<string, unknown>
  const made = await makeKeys(count)
  for (const [i, { key, hash }] of made.entries()) {
    const text = JSON.stringify({
      ...entry,
      id: `key${i}`,
      start: key.slice(0, 6),
      key: hash,
      referenceId: `u${i + 2}`,
    })
    entries.set(`api-key:${hash}`, text)
    entries.set(`api-key:by-id:key${i}`, text)
    entries.set(`api-key:by-ref:u${i + 2}`, JSON.stringify([`key${i}`]))
  }
  return shuffled(made.map(({ key }) => key))
}

async function makeKeys(count: number): Promise<{ key: string; hash: string }[]> {
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
  const made = []
  for (let i = 0; i < count; i++) {
    const key = Array.from(randomBytes(64), (byte) => letters.charAt(byte % 52)).join('')
    made.push({ key, hash: await defaultKeyHasher(key) })
  }
  return made
}

/** A Map as its secondary storage; verification counts nothing and takes nothing out. */
export function storageOf(entries: Map<string, string>) {
  const unused = () => {
    throw new Error('not part of a verification')
  }
  return {
    get: (key: string) => entries.get(key) ?? null,
    set: (key: string, value: string) => void entries.set(key, value),
    delete: (key: string) => void entries.delete(key),
    increment: unused,
    getAndDelete: unused,
  }
}
