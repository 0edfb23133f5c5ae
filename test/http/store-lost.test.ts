import { copyFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { database } from '../support/databases.ts'
import { openServing, type Running } from './serving.ts'

describe('a store that is gone', () => {
  let running: Running
  let secret: string
  beforeEach(async () => {
    running = await openServing(database('sqlite'))
    secret = (await running.call('create_token', { name: 'x' })).json.delivery.secret
  })
  afterEach(() => running.close())

  const ways: [string, (path: string) => void][] = [
    ['deleted', (path) => rmSync(path)],
    ['moved away', (path) => renameSync(path, `${path}.away`)],
    [
      'replaced by a copy',
      (path) => {
        copyFileSync(path, `${path}.copy`)
        renameSync(`${path}.copy`, path)
      },
    ],
    [
      'replaced by something else',
      (path) => {
        rmSync(path)
        writeFileSync(path, 'not a database')
      },
    ],
  ]

  it.each(ways)(
    'R18: %s while validating is 503 with Retry-After within 2 s, never 401 and never a pass',
    async (_, lose) => {
      expect((await running.call('validate_token', { token: secret })).json.valid).toBe(true)
      const seen: number[] = []
      let stop = false
      const asking = (async () => {
        while (!stop) seen.push((await running.call('validate_token', { token: secret })).status)
      })()
      lose(running.place.location)
      await new Promise((resolve) => setTimeout(resolve, 2_000))
      stop = true
      await asking
      expect(new Set(seen)).toEqual(new Set(seen.includes(200) ? [200, 503] : [503]))
      // Once it is noticed it stays noticed.
      expect(seen.slice(seen.indexOf(503))).not.toContain(200)
      const last = await running.call('validate_token', { token: secret })
      expect([last.status, last.headers.get('retry-after'), last.json.error]).toEqual([
        503,
        '5',
        'unavailable',
      ])
      const ready = await running.send('/ready')
      expect([ready.status, ready.text]).toEqual([503, '{"status":"unavailable"}'])
      expect((await running.send('/health')).status).toBe(200)
      expect((await running.call('create_token', { name: 'y' })).status).toBe(503)
      expect(last.text + ready.text).not.toMatch(/SQLITE|tokenwright\.db|\/tmp/)
    },
  )
})
