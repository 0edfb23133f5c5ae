import { homedir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { platformFolder, readConfig, WrongSetting } from '../../src/config.ts'
import { settingTable } from '../../src/setting-table.ts'

describe('the settings of a process', () => {
  it('come from flags, then the environment, then defaults', () => {
    const env = { TOKENWRIGHT_PORT: '9000', TOKENWRIGHT_HOST: '::1', TOKENWRIGHT_DATA_DIR: '/data' }
    const config = readConfig('serve', { port: '0' }, env)
    expect(config).toMatchObject({
      port: 0,
      host: '::1',
      data_dir: '/data',
      location: join('/data', 'tokenwright.db'),
    })
    expect(config.log_level).toBe('info')
  })

  it('R19: the default role is operator on stdio and admin for commands', () => {
    expect(readConfig('stdio', {}, {}).role).toBe('operator')
    expect(readConfig('command', {}, {}).role).toBe('admin')
    expect(readConfig('stdio', { role: 'reader' }, { TOKENWRIGHT_ROLE: 'admin' }).role).toBe('reader')
  })

  it('R22: lists are repeated flags or separated by commas', () => {
    const env = { TOKENWRIGHT_ALLOWED_HOSTS: 'a.example, b.example:8443' }
    expect(readConfig('serve', {}, env).allowed_hosts).toEqual(['a.example', 'b.example:8443'])
    expect(readConfig('serve', { allowed_hosts: ['c'] }, env).allowed_hosts).toEqual(['c'])
    expect(readConfig('serve', { trusted_proxies: ['10.0.0.0/8', '::1'] }, {}).trusted_proxies).toHaveLength(
      2,
    )
  })

  const wrong: [string, string][] = [
    ['TOKENWRIGHT_PORT', '65536'],
    ['TOKENWRIGHT_PORT', '80.5'],
    ['TOKENWRIGHT_HOST', 'a b'],
    ['TOKENWRIGHT_PUBLIC_URL', 'ftp://x'],
    ['TOKENWRIGHT_PUBLIC_URL', 'https://user:pass@x'],
    ['TOKENWRIGHT_ALLOWED_HOSTS', '*'],
    ['TOKENWRIGHT_ALLOWED_HOSTS', 'a,,b'],
    ['TOKENWRIGHT_ALLOWED_ORIGINS', 'null'],
    ['TOKENWRIGHT_ALLOWED_ORIGINS', 'https://x/path'],
    ['TOKENWRIGHT_TRUSTED_PROXIES', 'proxy.example'],
    ['TOKENWRIGHT_METRICS_PUBLIC', 'maybe'],
    ['TOKENWRIGHT_SESSIONS', 'yes'],
    ['TOKENWRIGHT_LOG_LEVEL', 'loud'],
    ['TOKENWRIGHT_DATABASE_URL', 'mysql://user:pa55word@x'],
    ['TOKENWRIGHT_SECRET', ''],
  ]
  it.each(wrong)('%s=%s refuses the start by its name and without the value', (name, value) => {
    const start = () => readConfig('serve', {}, { [name]: value })
    expect(start).toThrow(WrongSetting)
    expect(start).toThrow(new RegExp(`^${name} (must|is empty)`))
    if (value.includes('pa55')) expect(start).not.toThrow(/pa55/)
  })

  it('R14: no secret has a flag', () => {
    // The keys that sign reports are public ones.
    const named = settingTable.filter((one) => one.name !== 'leak_keys')
    const secret = named.filter((one) => /secret|key|database/.test(one.name))
    expect(secret.map((one) => one.flag)).toEqual(secret.map(() => null))
  })

  it('the data folder is where each platform keeps data', () => {
    expect(platformFolder('linux', { XDG_DATA_HOME: '/x' })).toBe(join('/x', 'tokenwright'))
    expect(platformFolder('linux', {})).toBe(join(homedir(), '.local', 'share', 'tokenwright'))
    expect(platformFolder('darwin', {})).toBe(
      join(homedir(), 'Library', 'Application Support', 'Tokenwright'),
    )
    expect(platformFolder('win32', { APPDATA: 'C' })).toBe(join('C', 'Tokenwright'))
  })
})
