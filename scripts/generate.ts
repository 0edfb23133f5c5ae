import { readFileSync, writeFileSync } from 'node:fs'
import { cliPage, configurationPage } from './generate/commands.ts'
import { toolPage, toolTable } from './generate/tools.ts'

/** Writes the parts of the documentation that are computed from the operations and the settings. */
function generate(): void {
  const readme = readFileSync('README.md', 'utf8')
  const marked = /(<!-- tools:start -->)[\s\S]*(<!-- tools:end -->)/
  writeFileSync(
    'README.md',
    readme.replace(marked, (_, start, end) => `${start}\n${toolTable()}\n${end}`),
  )
  writeFileSync('docs/tools.md', toolPage())
  writeFileSync('docs/cli.md', cliPage())
  writeFileSync('docs/configuration.md', configurationPage())
}

generate()
