import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const installed = [
  process.env['CHROMIUM_PATH'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path))

/** True where there is no browser and none is demanded; then its suites are skipped. */
export const noBrowser = installed === undefined && process.env['CI'] !== 'true'

/** For the name of a suite that needs one. */
export const whyNoBrowser = installed === undefined ? ' (skipped: no Chromium here; set CHROMIUM_PATH)' : ''

/** The Chromium of this machine, without a window. */
export function openBrowser(): Promise<Browser> {
  if (installed === undefined) throw new Error('CI needs a Chromium: install one or set CHROMIUM_PATH')
  const flags =
    '--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync --no-first-run --disable-quic'
  return chromium.launch({ executablePath: installed, headless: true, args: flags.split(' ') })
}
