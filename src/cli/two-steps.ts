import { AppError } from '../core/errors.ts'
import type { AnyOperation } from '../core/operation.ts'
import type { PreviewView, Steps } from '../core/two-steps.ts'
import { confirmed } from './ask.ts'
import { visible } from './text.ts'
import type { Session, Terminal } from './world.ts'

/** Calls an operation in its two steps: whoever gave neither is shown what would happen and asked, if there is a terminal. */
export async function callInSteps(
  terminal: Terminal,
  session: Session,
  operation: AnyOperation,
  input: Steps,
): Promise<unknown> {
  if (input.dry_run === true || input.confirm !== undefined) return session.call(operation, input)
  if (!terminal.stdin.isTTY || !terminal.stderr.isTTY) {
    throw new AppError(
      'conflict',
      'Nothing was changed. Add --dry-run to see what would happen, then --confirm with the confirm that it answers instead.',
      { reason: 'unconfirmed' },
    )
  }
  const { summary, confirm } = previewOf(await session.call(operation, { ...input, dry_run: true }))
  terminal.stderr.write(`${visible(summary)}\n`)
  if (await confirmed(terminal, 'This cannot be undone. Go on?'))
    return session.call(operation, { ...input, confirm })
  throw new AppError('invalid_input', 'Nothing was changed.')
}

/** What to type after a dry run, for people. */
export function nextStep(output: unknown): string {
  return `To do exactly this: the same command with --confirm ${previewOf(output).confirm} instead of --dry-run.\n`
}

function previewOf(output: unknown): PreviewView {
  return (output as { preview: PreviewView }).preview
}
