import { openApp } from '../app.ts'
import type { Config } from '../config.ts'
import type { Logger } from '../log.ts'
import type { McpOptions } from '../mcp/listed.ts'
import { makeProduct } from '../mcp/product.ts'
import type { Surface } from '../mcp/surface.ts'
import { instanceOf } from './process.ts'
import { revealer } from './revealer.ts'

export interface OpenProduct {
  surface: Surface
  close(): Promise<void>
}

/** Opens the store of a stdio process and what runs on it. Throws `StartRefused` naming what is wrong. */
export async function openProduct(config: Config, options: McpOptions, log: Logger): Promise<OpenProduct> {
  const links = revealer(log)
  const app = await openApp({ ...instanceOf(config), serving: true, log, revealBase: links.base })
  links.use(app.core)
  if (app.adminKeyFile !== undefined)
    log.info({ file: app.adminKeyFile }, 'first start: the admin key is in this file')
  return {
    surface: makeProduct(app.core, options),
    async close() {
      await links.close()
      await app.close()
    },
  }
}
