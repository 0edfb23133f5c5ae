import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databases } from '../../support/databases.ts'
import { verifies } from '../../support/verifies.ts'
import { openWorld, type World } from './world.ts'

interface Ran {
  code: number
  out: string
}

const asWritten = (name: string) => readFileSync(new URL(`seed/${name}.sh`, import.meta.url), 'utf8')

describe.each(databases)('pipelines written for mctx on $name', (database) => {
  let world: World
  let folder: string
  beforeAll(async () => {
    world = await openWorld(database)
    folder = mkdtempSync(join(tmpdir(), 'tokenwright-pipeline-'))
    // The one program that is not there: it writes down what it is called with.
    writeFileSync(join(folder, 'gh'), '#!/bin/bash\nprintf \'%s\\n\' "$@" > "$GH_CALLED_WITH"\n')
    chmodSync(join(folder, 'gh'), 0o755)
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true })
    await world.close()
  })

  /** Runs a script of the seed; only the host is another. */
  function bash(script: string, variables: Record<string, string> = {}): Promise<Ran> {
    const here = script
      .replaceAll('https://api.mctx.ai', world.url)
      .replaceAll('https://my-app.mctx.ai/v1', `${world.url}/mcp`)
    const env = {
      PATH: `${folder}:${process.env['PATH']}`,
      GH_CALLED_WITH: join(folder, 'called'),
      ...variables,
    }
    return new Promise((resolve) => {
      execFile('bash', ['-c', here], { env }, (error, out) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, out }),
      )
    })
  }
  const variablesOf = ({ id, token }: { id: string; token: string }) => ({
    MCTX_TOKEN_ID: id,
    MCTX_API_TOKEN: token,
  })
  const verdict = async (token: string) => (await world.op('validate_token', { token })).verdict
  const toolsList = `curl -X POST https://my-app.mctx.ai/v1 \\
  -H "Authorization: Bearer $MCTX_API_TOKEN" \\
  -H 'Content-Type: application/json' \\
  -d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'`

  it(`${verifies('mctx:client:curl:bare')} the seed's curl call is answered as it stands`, async () => {
    const { token } = await world.make()
    const { code, out } = await bash(toolsList, { MCTX_API_TOKEN: token })
    expect([code, JSON.parse(out).result.tools.length]).toEqual([0, 2])
    const refused = await bash(toolsList, { MCTX_API_TOKEN: `${token}x` })
    expect(JSON.parse(refused.out)).toEqual({
      jsonrpc: '2.0',
      error: { code: -32001, message: 'Unauthorized' },
      id: null,
    })
  })

  it(`${verifies('mctx:client:curl:rotate-pipeline')} curl and jq print the new token, and a refusal stops the pipeline`, async () => {
    const made = await world.make()
    const line =
      'set -o pipefail; curl --silent --fail -X POST https://api.mctx.ai/api/tokens/$MCTX_TOKEN_ID/rotate -H "Authorization: Bearer $MCTX_API_TOKEN" | jq -r .token'
    const first = await bash(line, variablesOf(made))
    expect([first.code, await verdict(first.out.trim())]).toEqual([0, 'valid'])
    expect(first.out).toMatch(/^mcpt_[0-9A-Za-z]{43}\n$/)
    const refused = await bash(line, variablesOf(made))
    expect([refused.code, refused.out]).toEqual([22, ''])
    for (const id of ['mgtk_0000000000000000000000', made.id]) {
      await world.ask(`DELETE /api/tokens/${made.id}`)
      expect((await bash(line, { MCTX_TOKEN_ID: id, MCTX_API_TOKEN: world.keys.operator })).code).toBe(22)
    }
  })

  it(`${verifies('mctx:client:pipeline:continue')} the seed's rotation script runs, and the same job goes on with the new secret`, async () => {
    const made = await world.make()
    const script = `${asWritten('rotate')}\nMCTX_API_TOKEN="$NEW_TOKEN"\n${toolsList}`
    const { code, out } = await bash(script, variablesOf(made))
    const [sentence, secret = '', answer = ''] = out.split('\n')
    expect([code, sentence]).toEqual([0, 'Rotation complete. Update MCTX_API_TOKEN with the new value.'])
    expect(JSON.parse(answer).result.tools).toHaveLength(2)
    expect([await verdict(secret), await verdict(made.token)]).toEqual(['valid', 'unknown'])
    const again = await bash(asWritten('rotate'), variablesOf(made))
    expect([again.code, again.out]).toEqual([22, ''])
    const next = await bash(asWritten('rotate'), { MCTX_TOKEN_ID: made.id, MCTX_API_TOKEN: secret })
    expect(next.code).toBe(0)
  })

  it(`${verifies('mctx:client:github-actions:rotate')} the seed's GitHub Actions step hands exactly the new secret to gh`, async () => {
    const made = await world.make()
    // As GitHub runs a step of this shell.
    const { code } = await bash(`set -eo pipefail\n${asWritten('github-actions')}`, variablesOf(made))
    const called = readFileSync(join(folder, 'called'), 'utf8').split('\n')
    expect([code, called.slice(0, 4), called.slice(5)]).toEqual([
      0,
      ['secret', 'set', 'MCTX_API_TOKEN', '--body'],
      [''],
    ])
    const secret = called[4] ?? ''
    expect(secret).toMatch(/^mcpt_[0-9A-Za-z]{43}$/)
    expect([await verdict(secret), await verdict(made.token)]).toEqual(['valid', 'unknown'])
    rmSync(join(folder, 'called'))
    const refused = await bash(`set -eo pipefail\n${asWritten('github-actions')}`, variablesOf(made))
    expect(refused.code).toBe(22)
    expect(() => readFileSync(join(folder, 'called'))).toThrow('ENOENT')
  })

  it(`${verifies('mctx:client:pipeline:replace')} a new token is made, used and checked, and then the old one is revoked alone`, async () => {
    const old = await world.make({ server_ids: 'all' })
    const replaced = await world.make({ server_ids: [world.project.server.id], expires_in_days: 90 })
    for (const { token } of [replaced, old]) {
      const { code, out } = await bash(toolsList, { MCTX_API_TOKEN: token })
      expect([code, JSON.parse(out).result.tools.length]).toEqual([0, 2])
      expect(await verdict(token)).toBe('valid')
    }
    const revoke =
      'curl --silent --fail -X DELETE https://api.mctx.ai/api/tokens/$ID -H "Authorization: Bearer $KEY" | jq -r .status'
    const { out } = await bash(revoke, { ID: old.id, KEY: world.keys.operator })
    expect(out).toBe('revoked\n')
    expect([await verdict(old.token), await verdict(replaced.token)]).toEqual(['revoked', 'valid'])
    const { token: _, ...kept } = replaced
    const { last_used_at, ...seen } = (await world.ask(`GET /api/tokens/${replaced.id}`)).json
    expect({ ...seen, last_used_at: null }).toEqual(kept)
    expect(last_used_at).not.toBeNull()
  })
})
