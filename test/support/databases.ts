import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { inject } from 'vitest'

/** A fresh, empty place for a store: a folder, and the location of the database in it or beside it. */
export interface Place {
  dataDir: string
  location: string
  remove(): Promise<void>
}

export interface Database {
  name: 'sqlite' | 'postgres'
  fresh(): Promise<Place>
}

function folder(): string {
  return mkdtempSync(join(tmpdir(), 'tokenwright-test-'))
}

async function admin(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: `${inject('postgresUrl')}/postgres` })
  await client.connect()
  await client.query(statement)
  await client.end()
}

/** Every database the product supports; suites run on each from one `describe.each(databases)`. */
export const databases: Database[] = [
  {
    name: 'sqlite',
    async fresh() {
      const dataDir = folder()
      return {
        dataDir,
        location: join(dataDir, 'tokenwright.db'),
        remove: async () => rmSync(dataDir, { recursive: true, force: true }),
      }
    },
  },
  {
    name: 'postgres',
    async fresh() {
      const dataDir = folder()
      const name = `t${randomBytes(8).toString('hex')}`
      await admin(`create database ${name}`)
      return {
        dataDir,
        location: `${inject('postgresUrl')}/${name}`,
        async remove() {
          await admin(`drop database ${name} with (force)`)
          rmSync(dataDir, { recursive: true, force: true })
        },
      }
    },
  },
]

/** Either database by name, for suites that need just one. */
export function database(name: Database['name']): Database {
  const found = databases.find((one) => one.name === name)
  if (found === undefined) throw new Error(`no database ${name}`)
  return found
}
