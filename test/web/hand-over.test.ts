import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServing, type Running } from '../http/serving.ts'
import { databases } from '../support/databases.ts'
import { makeHanding, secretOn } from './handed.ts'

interface Row {
  action: string
  outcome: string
  via: string
  ip: string | null
  actor: { kind: string }
  details: Record<string, unknown>
}

describe.each(databases)('the page of a secret behind a sign-in on $name', (one) => {
  let running: Running
  let hands: ReturnType<typeof makeHanding>
  let operator: { id: string; secret: string }
  beforeAll(async () => {
    running = await openServing(one)
    hands = makeHanding(running)
    operator = await key('operator')
  })
  afterAll(async () => {
    await hands.close()
    await running.close()
  })

  let made = 0
  async function key(role: string, more: object = {}): Promise<{ id: string; secret: string }> {
    const { json } = await running.call('create_management_key', { name: `${role} ${made++}`, role, ...more })
    return { id: json.key.id, secret: json.secret }
  }

  async function person(): Promise<{ id: string; email: string; password: string }> {
    const [email, password] = [`ada${made++}@example.test`, 'correct horse battery']
    const { json } = await running.call('create_user', { email, password })
    return { id: json.user.id, email, password }
  }

  /** What collecting left in the trail of a token. */
  async function trail(token_id: string): Promise<Row[]> {
    const { json } = await running.call('list_audit_events', { target_id: token_id, limit: 100 })
    return json.events.filter(({ action }: Row) => action === 'redeem_link')
  }

  it('R7: it says whose secret it is and who asked, and hands it over once, to the key that asked', async () => {
    const { id, token_id, before, message } = await hands.handed(operator.secret)
    expect(message).toContain('“CI nightly”')
    expect([before.status, before.text]).toEqual([
      404,
      expect.stringContaining('Nothing is waiting here yet'),
    ])
    for (let i = 0; i < 10; i++) {
      const { status, text } = await running.send(`/hand-over/${id}`)
      expect(status).toBe(200)
      expect(text).toContain('“CI nightly”')
      expect(text).toContain(`management key “operator 0” (${operator.id})`)
    }
    const opened = await hands.post(id, { key: operator.secret })
    const secret = secretOn(opened) ?? ''
    expect(opened.status).toBe(200)
    expect((await running.call('validate_token', { token: secret })).json).toMatchObject({
      valid: true,
      token: { id: token_id },
    })
    const again = await hands.post(id, { key: operator.secret })
    expect([again.status, again.text]).toEqual([410, expect.stringMatching(/was opened at \d{4}-/)])
    expect((await running.send(`/hand-over/${id}`)).status).toBe(410)
    expect((await trail(token_id)).map(({ outcome, via, ip }) => [outcome, via, ip])).toEqual([
      ['denied', 'web', '127.0.0.1'],
      ['ok', 'web', '127.0.0.1'],
    ])
    expect(running.log.join('')).not.toContain(secret)
    expect(running.log.join('')).not.toContain(operator.secret)
  })

  it('R7: of 20 forms at once exactly one reveals, and each leaves one row', async () => {
    const { id, token_id } = await hands.handed(operator.secret)
    const all = await Promise.all(Array.from({ length: 20 }, () => hands.post(id, { key: operator.secret })))
    expect(all.filter((answer) => secretOn(answer) !== undefined)).toHaveLength(1)
    expect(all.filter(({ status }) => status === 410)).toHaveLength(19)
    const rows = await trail(token_id)
    expect(rows.filter(({ outcome }) => outcome === 'ok')).toHaveLength(1)
    expect(rows).toHaveLength(20)
  })

  it('R7: whoever did not ask is told what everybody is told of nothing, and the secret goes on waiting', async () => {
    const { id: project_id } = (await running.call('create_project', { name: `other ${made++}` })).json
      .project
    const revoked = await key('operator')
    await running.call('revoke_management_key', { key_id: revoked.id })
    const stranger = await person()
    const asked = await hands.handed(operator.secret, { owner_id: (await person()).id })
    const wrong = {
      'a wrong key': { key: `${operator.secret.slice(0, -1)}x` },
      'another key': { key: (await key('operator')).secret },
      'a key that only reads': { key: (await key('reader')).secret },
      'an admin key of another project': { key: (await key('admin', { project_id })).secret },
      'a key from elsewhere': { key: (await key('admin', { allowed_ips: ['10.0.0.0/8'] })).secret },
      'a revoked key': { key: revoked.secret },
      'another person': { email: stranger.email, password: stranger.password },
      'a wrong password': { email: stranger.email, password: 'wrong horse battery' },
    }
    const nothing = await hands.post('A'.repeat(32), { key: operator.secret })
    expect(nothing.status).toBe(403)
    for (const [who, fields] of Object.entries(wrong)) {
      const { status, text } = await hands.post(asked.id, fields)
      expect([status, text], who).toEqual([403, nothing.text])
    }
    const rows = await trail(asked.token_id)
    expect(rows.map(({ outcome }) => outcome)).toEqual(rows.map(() => 'denied'))
    expect(rows.map(({ actor }) => actor.kind).sort()).toEqual([
      'management',
      'management',
      'management',
      'user',
    ])
    expect(secretOn(await hands.post(asked.id, { key: operator.secret }))).toMatch(/^mcpt_/)
  })

  it('R7: the owner of a token does not get what a key asked for, an admin key does', async () => {
    const owner = await person()
    const { id } = await hands.handed(operator.secret, { owner_id: owner.id })
    expect((await hands.post(id, { email: owner.email, password: owner.password })).status).toBe(403)
    expect(secretOn(await hands.post(id, { key: running.adminKey }))).toMatch(/^mcpt_/)
  })

  it('R7: what a token asked for itself is for its owner, and neither for its old secret nor for its new one', async () => {
    const owner = await person()
    const token = (
      await running.call('create_token', { name: 'self', owner_id: owner.id, delivery: 'inline' })
    ).json
    const { secret } = token.delivery
    const asked = await hands.handed(secret, { token_id: token.token.id, grace_seconds: 600 }, 'rotate_token')
    expect((await running.send(`/hand-over/${asked.id}`)).text).toContain('the token “self”')
    expect((await hands.post(asked.id, { key: secret })).status).toBe(403)
    expect((await hands.post(asked.id, { email: owner.email, password: 'wrong' })).status).toBe(403)
    const opened = await hands.post(asked.id, { email: owner.email.toUpperCase(), password: owner.password })
    const next = secretOn(opened) ?? ''
    expect((await running.call('validate_token', { token: next })).json.valid).toBe(true)
    expect((await trail(token.token.id)).at(0)).toMatchObject({ outcome: 'ok', actor: { kind: 'user' } })
  })

  it('R7: what a token asked for is for a key that may manage it, too', async () => {
    const token = (await running.call('create_token', { name: 'self', delivery: 'inline' })).json
    const asked = await hands.handed(
      token.delivery.secret,
      { token_id: token.token.id },
      'rotate_token',
      'first',
    )
    expect((await hands.post(asked.id, { key: (await key('reader')).secret })).status).toBe(403)
    expect(secretOn(await hands.post(asked.id, { key: operator.secret }))).toMatch(/^mcpt_/)
  })

  it('R7: a person who is switched off collects nothing', async () => {
    const owner = await person()
    const token = (
      await running.call('create_token', { name: 'self', owner_id: owner.id, delivery: 'inline' })
    ).json
    const asked = await hands.handed(token.delivery.secret, { token_id: token.token.id }, 'rotate_token')
    await running.call('update_user', { user_id: owner.id, enabled: false })
    expect((await hands.post(asked.id, owner)).status).toBe(403)
  })

  it('R7: ten minutes later it reveals nothing, nor after the token got another secret', async () => {
    const late = await hands.handed(operator.secret)
    const rotated = await hands.handed(operator.secret)
    await running.call('rotate_token', { token_id: rotated.token_id })
    expect((await hands.post(rotated.id, { key: operator.secret })).status).toBe(410)
    running.clock.pass(10 * 60_000)
    expect((await hands.post(late.id, { key: operator.secret })).status).toBe(410)
    expect((await running.send(`/hand-over/${late.id}`)).status).toBe(410)
  })

  it('R7: the id in the address opens nothing by itself, wherever it is sent', async () => {
    const { id, token_id } = await hands.handed(operator.secret)
    const reveal = await running.send('/reveal', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code: id }),
    })
    expect(reveal.status).toBe(404)
    expect((await running.call('redeem_link', { code: id }, null)).status).toBe(404)
    expect((await running.call('redeem_link', { code: id }, (await key('operator')).secret)).status).toBe(404)
    expect((await trail(token_id)).map(({ outcome }) => outcome)).toEqual(['denied'])
    expect((await running.call('redeem_link', { code: id }, operator.secret)).json.secret).toMatch(/^mcpt_/)
  })

  it('R7: the code of a one-time link is not taken out of an address', async () => {
    const made = await running.call('create_token', { name: 'by link', delivery: 'link' })
    const code = new URL(made.json.delivery.url).hash.slice(1)
    expect((await hands.post(code, { key: running.adminKey })).status).toBe(403)
    expect((await running.call('redeem_link', { code }, null)).json.secret).toMatch(/^mcpt_/)
  })

  it('R47: a call that is repeated with its key is told of the same page, and nobody is asked again', async () => {
    const args = { name: 'repeated', idempotency_key: `the-very-same-call-${made++}` }
    let asked = 0
    const client = await hands.speaker(operator.secret, async () => {
      asked++
      return 'accept'
    })
    const first = await client.call('create_token', args)
    const second = await client.call('create_token', args)
    expect(first.structuredContent).toMatchObject({
      delivery: { url: expect.stringContaining('/hand-over/') },
    })
    expect(second.structuredContent).toEqual(first.structuredContent)
    expect(asked).toBe(1)
  })

  it('R29, R31: wrong passwords are limited as at every sign-in', async () => {
    const owner = await person()
    const { id } = await hands.handed(operator.secret)
    let status = 0
    const wrong = { email: owner.email, password: 'wrong horse battery' }
    for (let i = 0; i < 40 && status !== 429; i++) status = (await hands.post(id, wrong)).status
    expect(status).toBe(429)
    running.clock.pass(60_000)
    expect((await hands.post(id, wrong)).status).toBe(403)
  })

  it('R22: a form from another page, or from none, is refused and burns nothing', async () => {
    const { id } = await hands.handed(operator.secret)
    for (const headers of [{}, { origin: 'https://evil.example' }, { origin: 'null' }])
      expect((await hands.post(id, { key: operator.secret }, headers as never)).status).toBe(403)
    expect(secretOn(await hands.post(id, { key: operator.secret }))).toMatch(/^mcpt_/)
  })

  it('R29: wrong keys from one address are refused after a while before anything is looked up', async () => {
    const { id } = await hands.handed(operator.secret)
    let status = 0
    for (let i = 0; i < 150 && status !== 429; i++)
      status = (await hands.post(id, { key: 'mcpm_wrong' })).status
    expect(status).toBe(429)
    expect(secretOn(await hands.post(id, { key: operator.secret }))).toMatch(/^mcpt_/)
  })

  it('R7: the person who declines is not given a link instead, and nothing is made', async () => {
    const client = await hands.speaker(operator.secret, async () => 'decline')
    const { isError, content } = await client.call('create_token', { name: 'never wanted' })
    expect([isError, content[0]?.text]).toEqual([true, expect.stringContaining('declined')])
    const { json } = await running.call('list_magic_tokens', { text: 'never wanted' })
    expect(json.tokens).toEqual([])
  })

  it('who gives no answer gets the link of everybody else', async () => {
    const client = await hands.speaker(operator.secret, async () => 'cancel')
    const { structuredContent } = await client.call('create_token', { name: 'by link' })
    expect(structuredContent).toMatchObject({
      delivery: { kind: 'link', url: expect.stringContaining('/reveal#once_') },
    })
  })

  it('nobody is asked where another delivery was named, or a link is forbidden', async () => {
    let asked = 0
    const client = await hands.speaker(operator.secret, async () => {
      asked++
      return 'accept'
    })
    const inline = await client.call('create_token', { name: 'inline', delivery: 'inline' })
    expect(inline.structuredContent).toMatchObject({ delivery: { kind: 'inline' } })
    await running.call('update_settings', { delivery_kinds: ['inline'] })
    expect((await client.call('create_token', { name: 'forbidden' })).isError).toBe(true)
    await running.call('update_settings', { delivery_kinds: ['link', 'inline', 'file'] })
    expect(asked).toBe(0)
  })
})
