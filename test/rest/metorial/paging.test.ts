import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeCursor, encodeCursor } from '../../../src/rest/metorial/cursor.ts'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { openWorld, type Thing, unknownId, type World } from './world.ts'

interface Row {
  id: string
  groups: string[]
  deleted: boolean
}

interface Asked {
  limit: number
  order: 'asc' | 'desc'
  status: ('active' | 'deleted')[]
  groups: string[]
  side: 'after' | 'before' | 'cursor after' | 'cursor before' | undefined
  mark: string
}

/** Section 6 of the contract, as slowly and plainly as it can be written. */
function reference(rows: Row[], { limit, order, status, groups, side, mark }: Asked) {
  const inOrder = [...rows].sort((x, y) => Buffer.compare(Buffer.from(x.id), Buffer.from(y.id)))
  if (order === 'desc') inOrder.reverse()
  const passes = (row: Row) =>
    (status.length === 0 || status.includes(row.deleted ? 'deleted' : 'active')) &&
    (groups.length === 0 || row.groups.some((id) => groups.includes(id)))
  const ids = (some: Row[]) => some.map(({ id }) => id)
  if (side === undefined) {
    const all = inOrder.filter(passes)
    return { ids: ids(all.slice(0, limit)), after: all.length > limit, before: false }
  }
  const at = inOrder.findIndex(({ id }) => id === mark)
  const marked = inOrder[at]
  if (marked === undefined) return { ids: [], after: false, before: false }
  if (side.endsWith('after')) {
    const rest = inOrder.slice(at + 1).filter(passes)
    return { ids: ids(rest.slice(0, limit)), after: rest.length > limit, before: passes(marked) }
  }
  const front = inOrder.slice(0, at).filter(passes)
  return { ids: ids(front.slice(-limit)), after: passes(marked), before: front.length > limit }
}

/** The cursor of the contract, section 6, by long division. */
function cursorOf(side: string, id: string): string {
  const digits = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
  let bytes = [...Buffer.from(`["${side}","${id}"]`)]
  let text = ''
  while (bytes.length > 0) {
    let rest = 0
    const quotient: number[] = []
    for (const byte of bytes) {
      const whole = rest * 256 + byte
      if (quotient.length > 0 || whole >= 62) quotient.push(Math.floor(whole / 62))
      rest = whole % 62
    }
    text = `${digits[rest]}${text}`
    bytes = quotient
  }
  return `cur_${text}`
}

function queryOf({ limit, order, status, groups, side, mark }: Asked): string {
  const place =
    side === undefined
      ? []
      : side.startsWith('cursor')
        ? [['cursor', cursorOf(side.slice(7), mark)]]
        : [[side, mark]]
  return String(
    new URLSearchParams([
      ['limit', String(limit)],
      ['order', order],
      ...status.map((one) => ['status', one]),
      ...groups.map((id) => ['magic_mcp_group_id', id]),
      ...place,
    ] as [string, string][]),
  )
}

describe.each(databases)('paging of tokens on $name', (database) => {
  let world: World
  let groups: string[]
  const rows: Row[] = []
  beforeAll(async () => {
    world = await openWorld(database)
    groups = [(await world.group()).id, (await world.group()).id]
    for (let n = 0; n < 24; n += 1) {
      if (n % 5 === 0) world.running.clock.pass(1)
      const own = groups.filter((_, at) => (n >> at) % 2 === 1)
      const { id } = await world.token({ group_ids: own })
      const deleted = n % 3 === 1
      if (deleted) await world.admin(`DELETE /magic-mcp-tokens/${id}`)
      rows.push({ id, groups: own, deleted })
    }
  })
  afterAll(() => world.close())

  const page = async (query: string) => (await world.reader(`GET /magic-mcp-tokens?${query}`)).json
  const idsOf = (list: { items: Thing[] }) => list.items.map(({ id }) => id)

  it(`${verifies('metorial:tokens:list:after', 'metorial:tokens:list:before', 'metorial:tokens:list:cursor', 'metorial:tokens:list:flags', 'metorial:tokens:list:cursor-row-filtered', 'metorial:tokens:list:cursor-unknown')} every window of every filter is what the reference says`, async () => {
    const asked = fc.record({
      limit: fc.integer({ min: 1, max: 26 }),
      order: fc.constantFrom('asc' as const, 'desc' as const),
      status: fc.constantFrom<('active' | 'deleted')[]>([], ['active'], ['deleted'], ['active', 'deleted']),
      groups: fc.subarray([...groups, unknownId.group]),
      side: fc.constantFrom(undefined, 'after', 'before', 'cursor after', 'cursor before'),
      mark: fc.constantFrom(
        ...rows.map(({ id }) => id),
        unknownId.token,
        'mgtk_zzzzzzzzzzzzzzzzzzzzzz',
        groups[0] ?? '',
        'nonsense',
      ),
    }) as fc.Arbitrary<Asked>
    await fc.assert(
      fc.asyncProperty(asked, async (one) => {
        const { object, items, pagination } = await page(queryOf(one))
        const expected = reference(rows, one)
        expect(object).toBe('list')
        expect([idsOf({ items }), pagination]).toEqual([
          expected.ids,
          { has_more_after: expected.after, has_more_before: expected.before },
        ])
      }),
      { numRuns: 250 },
    )
  })

  it(`${verifies('metorial:tokens:list:before')} before gives the rows directly in front, in list order`, async () => {
    const ids = rows.map(({ id }) => id)
    expect(idsOf(await page(`before=${ids[10]}&limit=3`))).toEqual(ids.slice(7, 10))
    expect(idsOf(await page(`before=${ids[10]}&limit=3&order=desc`))).toEqual(ids.slice(11, 14).reverse())
  })

  it(`${verifies('metorial:tokens:list:cursor-unknown')} next to what does not exist there is nothing`, async () => {
    const key = (await world.running.call('list_management_keys', {})).json.keys[0].id
    for (const id of [unknownId.token, key, groups[0], 'a%00b', '', '%F0%9F', 'x'.repeat(3_000)]) {
      for (const side of ['after', 'before']) {
        expect([id, await page(`${side}=${id}`)]).toEqual([
          id,
          { object: 'list', items: [], pagination: { has_more_after: false, has_more_before: false } },
        ])
      }
    }
  })

  it(`${verifies('metorial:tokens:list:cursor')} anything that is no cursor is 400`, async () => {
    const id = rows[3]?.id ?? ''
    const good = cursorOf('after', id)
    expect(idsOf(await page(`cursor=${good}&limit=2`))).toEqual(rows.slice(4, 6).map((row) => row.id))
    const encoded = (text: string) => {
      const digits = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
      let number = BigInt(`0x${Buffer.from(text).toString('hex')}`)
      let body = ''
      for (; number > 0n; number /= 62n) body = `${digits[Number(number % 62n)]}${body}`
      return `cur_${body}`
    }
    for (const wrong of [
      '',
      'cur_',
      'cur_!',
      id,
      good.slice(4),
      `CUR_${good.slice(4)}`,
      `${good}-`,
      `cur_0${good.slice(4)}`,
      `${good}%20`,
      'cur_0',
      `cur_${'z'.repeat(401)}`,
      `cur_${'Z'.repeat(7_000)}`,
      encoded('["after"]'),
      encoded(`["after","${id}","x"]`),
      encoded(`["behind","${id}"]`),
      encoded(`["after", "${id}"]`),
      encoded(`{"after":"${id}"}`),
      encoded('["after",5]'),
      encoded('["after",null]'),
      encoded('not json'),
    ]) {
      const json = await page(`cursor=${wrong}`)
      expect([wrong, json]).toMatchObject([
        wrong,
        { status: 400, code: 'bad_request', message: 'Invalid cursor format' },
      ])
    }
  })

  it(`${verifies('metorial:tokens:list:precedence')} after beats before beats cursor, and the loser is not even read`, async () => {
    const [a, b, c] = [rows[4]?.id ?? '', rows[9]?.id ?? '', rows[15]?.id ?? '']
    const behind = rows.slice(5, 7).map(({ id }) => id)
    const front = rows.slice(7, 9).map(({ id }) => id)
    for (const cursor of [cursorOf('after', c), 'nonsense', '']) {
      expect(idsOf(await page(`limit=2&cursor=${cursor}&before=${b}&after=${a}`))).toEqual(behind)
      expect(idsOf(await page(`limit=2&cursor=${cursor}&after=${a}`))).toEqual(behind)
      expect(idsOf(await page(`limit=2&cursor=${cursor}&before=${b}`))).toEqual(front)
    }
    expect(idsOf(await page(`limit=2&before=nonsense&after=${a}`))).toEqual(behind)
    expect(idsOf(await page(`limit=2&before=${b}&after=${unknownId.token}`))).toEqual([])
  })

  it(`${verifies('metorial:tokens:list:walk')} a walk visits each row once while rows come and go`, async () => {
    const before = (await page('limit=100')).items.map(({ id }: Thing) => id)
    const visited: string[] = []
    const added: string[] = []
    for (let after = ''; ; ) {
      const { items, pagination } = await page(`limit=4${after}`)
      visited.push(...idsOf({ items }))
      if (!pagination.has_more_after) break
      after = `&after=${items.at(-1).id}`
      if (added.length < 6) added.push((await world.token()).id)
      // The row the walk stands on, and one that lies ahead.
      await world.admin(`DELETE /magic-mcp-tokens/${items.at(-1).id}`)
      const ahead = before[visited.length + 2]
      if (ahead !== undefined) await world.admin(`DELETE /magic-mcp-tokens/${ahead}`)
    }
    expect(visited).toEqual([...before, ...added])
    const living: string[] = []
    for (let after = ''; ; ) {
      const { items } = await page(`limit=2&status=active${after}`)
      if (items.length === 0) break
      living.push(...idsOf({ items }))
      after = `&after=${items.at(-1).id}`
      await world.admin(`DELETE /magic-mcp-tokens/${items.at(-1).id}`)
    }
    expect(new Set(living).size).toBe(living.length)
    expect(living).toEqual([...living].sort())
  })
})

describe('cursors', () => {
  it(`${verifies('metorial:tokens:list:cursor')} are base 62 of the bytes of the pair, and read back`, () => {
    const ids = fc.stringMatching(/^mg(tk|gr|sr)_[0-9A-Za-z]{1,40}$/)
    fc.assert(
      fc.property(fc.constantFrom('after' as const, 'before' as const), ids, (side, id) => {
        const cursor = encodeCursor({ side, id })
        expect(cursor).toBe(cursorOf(side, id))
        expect(decodeCursor(cursor)).toEqual({ side, id })
      }),
    )
    fc.assert(fc.property(fc.string(), (text) => decodeCursor(`cur_${text}`) === undefined))
  })
})
