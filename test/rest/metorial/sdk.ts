import * as dashboard from '@metorial/generated/src/mt_2025_01_01_dashboard'
import * as magnetar from '@metorial/generated/src/mt_2026_01_01_magnetar'
import {
  type MetorialEndpointManager,
  MetorialSDKBuilder,
  type MetorialSDKError,
} from '@metorial/util-endpoint'

interface Config {
  apiVersion: string
  apiKey: string
  apiHost: string
  fetch?: typeof fetch
}

/** The two generations of the API that the published Node SDK 2.1.0 speaks. */
export const generations = [
  { version: '2025-01-01-dashboard', endpoints: dashboard },
  { version: '2026-01-01-magnetar', endpoints: magnetar },
] as const

/** The SDK as its own `metorial` package builds it, pointed at a base URL. */
export function sdkOf(
  { version, endpoints }: (typeof generations)[number],
  options: Omit<Config, 'apiVersion'>,
) {
  return MetorialSDKBuilder.create<string, Config>('metorial', version)
    .setGetApiHost((config) => config.apiHost)
    .setGetHeaders((config) => ({
      Authorization: `Bearer ${config.apiKey}`,
      'Metorial-Version': config.apiVersion,
    }))
    .build((config: Omit<Config, 'apiVersion'>) => ({ ...config, apiVersion: version }))((manager) => ({
    // The type the endpoints ask for is that of another copy of the same package.
    manager: manager as MetorialEndpointManager<Config>,
    tokens: new endpoints.MetorialMagicMcpTokensEndpoint(manager),
    groups: new endpoints.MetorialMagicMcpGroupsEndpoint(manager),
    servers: new endpoints.MetorialMagicMcpServersEndpoint(manager),
  }))(options)
}

/** The error a call of the SDK rejects with; a call that succeeds fails the test. */
export async function sdkError(call: Promise<unknown>): Promise<MetorialSDKError> {
  const error = await call.then(
    () => undefined,
    (thrown: MetorialSDKError) => thrown,
  )
  if (error?.__isMetorialError !== true) throw new Error(`no error of the SDK: ${error}`)
  return error
}
