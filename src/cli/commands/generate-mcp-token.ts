import { join } from 'node:path'
import type { Command } from 'commander'
import { AppError } from '../../core/errors.ts'
import { draftPrivately, type PrivateDraft } from '../../core/private-file.ts'
import { isLoopback } from '../../http/guard.ts'
import { firstLineFrom } from '../ask.ts'
import { operationNamed } from '../catalog.ts'
import { CommandFailed } from '../failed.ts'
import { configurationText, fileNameOf, type Generated, generated, lines } from '../mcp-configuration.ts'
import { addProcessFlags, processFlagsOf } from '../process-flags.ts'
import type { Session, World } from '../world.ts'

const help = `
The password is an argument, or the first line of standard input where it is -, or that of the
environment variable TOKENWRIGHT_PASSWORD where it is left out. Other users of this machine can
read arguments: prefer one of the other two.`

interface Asked {
  email: string
  password: string
  project_id: string
}

/** `generate-mcp-token`: signs in, makes a token for a project, tests it and writes its configuration (contract gassapi, section 8). */
export function generateMcpTokenCommand(root: Command, world: World): void {
  const command = root
    .command('generate-mcp-token')
    .summary('Makes an MCP token for a project, with e-mail and password')
    .description(
      'Signs in as a member of a project, makes a permanent token for it, tests it and writes gassapi_<project_id>.json.',
    )
    .usage('[options] <email> [password|-] <project_id>')
    .argument('[arguments...]')
    // A password may begin with a dash, and must not be repeated as an option nobody knows.
    .allowUnknownOption()
    .helpOption('--help', 'display help for command')
    .addHelpText('after', help)
  addProcessFlags(command, world, 'command')
  command.action(async (texts: string[]) => {
    const flags = processFlagsOf(world, command.optsWithGlobals())
    const asked = (await askedWith(world, texts, flags)) ?? command.help({ error: true })
    const session = await world.connect(flags)
    try {
      await generate(world, session, asked)
    } catch (error) {
      throw error instanceof AppError ? new CommandFailed(error) : error
    } finally {
      await session.close()
    }
  })
}

/** What is asked for; undefined if it is not said in one of the ways there are. */
async function askedWith(world: World, texts: string[], flags: object): Promise<Asked | undefined> {
  const [email, second, third] = texts
  if (texts.length === 2 && email && second) {
    const password = world.password({ ...flags })
    return password === undefined ? undefined : { email, password, project_id: second }
  }
  if (texts.length !== 3 || !email || !second || !third) return undefined
  const password = second === '-' ? await firstLineFrom(world.terminal, 'password') : second
  return { email, password, project_id: third }
}

async function generate(world: World, session: Session, asked: Asked): Promise<void> {
  const { stdout } = world.terminal
  // Made before the token, so that hardly anything can go wrong after it.
  const draft = await draftPrivately(join(process.cwd(), 'gassapi')).catch(unwritable)
  const interrupt = watchInterrupt()
  try {
    stdout.write(lines.start(asked.email))
    const made = await generatedBy(session, asked)
    stdout.write(lines.made(made))
    const base = baseOf(session, made)
    await finish(session, draft, made, base, interrupt).catch((error: unknown) =>
      takeBack(session, asked, made, error),
    )
    stdout.write(lines.done(made, base))
  } finally {
    interrupt.end()
    await draft.drop()
  }
}

/** Ctrl-C is a failure like any other: what was made is taken back, and no file is left behind. */
function watchInterrupt() {
  let interrupted = false
  const note = () => {
    interrupted = true
  }
  process.on('SIGINT', note).on('SIGTERM', note)
  return {
    refuse() {
      if (interrupted) throw new AppError('conflict', 'Interrupted.')
    },
    end: () => void process.off('SIGINT', note).off('SIGTERM', note),
  }
}

type Interrupt = ReturnType<typeof watchInterrupt>

/** The configured address; one that only its own machine reaches is of no use to who came by another. */
function baseOf({ address }: Session, { public_url }: Generated): string {
  const ours = public_url !== null && isLoopback(new URL(public_url).hostname)
  const base = (ours ? address : null) ?? public_url ?? address ?? 'http://127.0.0.1:8787'
  return `${base.replace(/\/+$/, '')}/`
}

async function generatedBy(session: Session, asked: Asked): Promise<Generated> {
  const answer = generated.safeParse(await session.call(operationNamed('generate_mcp_token'), asked))
  if (answer.success) return answer.data
  throw new AppError('unavailable', 'The answer is not one of a Tokenwright server. Check --url.')
}

/** Tests the token, then puts the file in its place. */
async function finish(
  session: Session,
  draft: PrivateDraft,
  made: Generated,
  base: string,
  interrupt: Interrupt,
): Promise<void> {
  const told = await session.call(operationNamed('describe_credential'), {}, made.secret)
  if ((told as { project: { id: string } | null }).project?.id !== made.project.id) {
    throw new AppError('conflict', 'The new token is not one of that project.')
  }
  interrupt.refuse()
  const path = join(process.cwd(), fileNameOf(made))
  await draft.keep(path, configurationText(made, base)).catch(unwritable)
}

/** Nobody has the token of a run that failed, so nobody may be able to use it. */
async function takeBack(
  session: Session,
  { email, password }: Asked,
  { token }: Generated,
  cause: unknown,
): Promise<never> {
  const why = cause instanceof AppError ? cause.message : 'Something nobody expected went wrong.'
  const revoking = session.call(operationNamed('revoke_mcp_token'), { email, password, token_id: token.id })
  const end = await revoking.then(
    () => `The new token ${token.id} was revoked.`,
    () => `The new token ${token.id} could not be revoked: end it with revoke-token.`,
  )
  throw new AppError('conflict', `${why} ${end}`, { cause })
}

function unwritable(cause: NodeJS.ErrnoException): never {
  throw new AppError('conflict', `The current folder cannot take the file (${cause.code ?? 'unknown'}).`, {
    cause,
  })
}
