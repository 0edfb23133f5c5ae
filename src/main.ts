#!/usr/bin/env node

/** Starts the face that the command line asks for and answers the exit code; a client waits for stdio, so it loads nothing else. */
async function main(argv: readonly string[]): Promise<number> {
  try {
    if (argv[0] === 'stdio') {
      const { serveStandardIo, stdioFlags } = await import('./start/stdio.ts')
      const flags = stdioFlags(argv.slice(1))
      if (flags !== undefined) {
        await serveStandardIo(flags)
        return 0
      }
    }
    const { runCommand } = await import('./start/command.ts')
    return await runCommand(argv)
  } catch (error) {
    const { startFault } = await import('./start/fault.ts')
    const { sentence, exit, code } = startFault(error)
    const told = argv.includes('--json')
      ? JSON.stringify({ error: code, detail: sentence })
      : `tokenwright: ${sentence}`
    process.stderr.write(`${told}\n`)
    return exit
  }
}

process.exitCode = await main(process.argv.slice(2))
