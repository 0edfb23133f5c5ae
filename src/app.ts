import { prepareLookups } from '../db/lookup.ts'
import { openStore } from '../db/open.ts'
import { operations } from '../tools/index.ts'
import { bootstrapAdmin } from './core/bootstrap.ts'
import { makeChanges } from './core/changes.ts'
import { makeCounting } from './core/counting.ts'
import { disableDormant } from './core/dormant.ts'
import { makeEntries } from './core/entries.ts'
import { makeTrialGate } from './core/gate.ts'
import type { Core } from './core/invoke.ts'
import { loadMaster } from './core/master-key.ts'
import { refuseConfusion } from './core/prefixes.ts'
import { makeSignInLimits } from './core/sign-in-limits.ts'
import { makeStillGood } from './core/still-good.ts'
import { sweep } from './core/sweep.ts'
import { makeTallies } from './core/tallies.ts'
import { makeUses } from './core/uses.ts'
import { makeVerifier } from './core/verify.ts'
import { deriveKeys } from './domain/keys.ts'
import type { Logger } from './log.ts'

/** What it takes to open an instance; `src/config.ts` reads it from flags and environment. */
export interface Instance {
  dataDir: string
  /** `postgres://…` or the SQLite file. */
  location: string
  /** TOKENWRIGHT_SECRET and TOKENWRIGHT_ADMIN_KEY. */
  secret?: string | undefined
  adminKey?: string | undefined
  /** An event loop serves others on it: locks are waited for outside of it (security R45). */
  serving: boolean
  log: Logger
  /** Where a one-time link can be opened; null if nowhere. */
  revealBase?: () => Promise<string | null>
  clock?: () => number
  /** ms between two times that uses and tallies are stored: what a crash may lose of them. */
  flushEvery?: number
}

export interface App {
  core: Core
  /** The file a first start wrote the admin key to. */
  adminKeyFile: string | undefined
  /** Stores what is pending and lets go of the database. */
  close(): Promise<void>
}

const minute = 60_000

/** Opens the store and puts the parts together; every face starts from here. */
export async function openApp(instance: Instance): Promise<App> {
  const { dataDir, log, clock = Date.now } = instance
  const store = await openStore({ location: instance.location, busyTimeout: instance.serving ? 20 : 5_000 })
  try {
    const keys = deriveKeys(await loadMaster(store, dataDir, instance.secret))
    if (instance.serving) await refuseConfusion(store)
    const adminKeyFile = await bootstrapAdmin({ store, keys, dataDir, clock, given: instance.adminKey })
    const lookups = prepareLookups(store)
    const onError = (error: unknown) => log.error({ error }, 'deferred write failed')
    const tallies = makeTallies({ store, auditKey: keys.audit, clock }, onError)
    const uses = makeUses(store, lookups, tallies, onError)
    const core: Core = {
      store,
      operations: new Map(operations.map((operation) => [operation.name, operation])),
      keys,
      uses,
      tallies,
      signIns: makeSignInLimits({ clock }),
      trials: makeTrialGate(),
      clock,
      entries: makeEntries(store, lookups, keys),
      lookups,
      stillGood: makeStillGood(store, clock),
      changes: makeChanges(store, (error) => log.warn({ error }, 'changes could not be read')),
      verifier: makeVerifier(lookups, keys.pepper, uses, makeCounting(store, lookups), clock),
      host: {
        dataDir,
        revealBase: instance.revealBase ?? (async () => null),
        warn: (message, facts) => log.warn(facts, message),
      },
      report: (error, caller) =>
        log.error({ error, request_id: caller.request_id, via: caller.via }, 'operation failed'),
    }
    const maintenance = setInterval(() => void maintain(core, onError), instance.flushEvery ?? minute)
    maintenance.unref()
    return {
      core,
      adminKeyFile,
      async close() {
        clearInterval(maintenance)
        await core.changes.close()
        await uses.flush()
        await tallies.flush()
        await store.close()
      },
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

async function maintain(core: Core, onError: (error: unknown) => void): Promise<void> {
  await core.uses.flush()
  await core.tallies.flush()
  await sweep(core).catch(onError)
  await disableDormant(core).catch(onError)
}
