/** A scenario of the suites that presupposes nothing a server calls by name, so that it applies to the real tool table. */
export interface RealScenario {
  name: string
  why: string
}

const everyEra: RealScenario[] = [
  { name: 'tools-list', why: 'names, schemas and the order of the tools' },
  { name: 'server-sse-multiple-streams', why: 'several requests at once' },
  { name: 'dns-rebinding-protection', why: 'Host and Origin of others' },
  { name: 'resources-list', why: 'the shape of resources' },
  { name: 'prompts-list', why: 'the shape of prompts' },
]

const handshake: RealScenario[] = [
  { name: 'server-initialize', why: 'the handshake and the id of the session' },
  { name: 'ping', why: 'the answer to a ping' },
  ...everyEra,
]

/** What runs against the real tool table, by revision; the other scenarios call tools, prompts or resources of the fixture. */
export const realScenarios = {
  '0.1': handshake,
  '2025-11-25': [
    ...handshake,
    { name: 'server-session-lifecycle', why: 'a session that was ended stays ended' },
  ],
  '2026-07-28': [
    ...everyEra,
    { name: 'server-stateless', why: 'discovery, versions, unknown methods, subscriptions' },
    { name: 'http-header-validation', why: 'headers that contradict the body' },
    { name: 'input-required-result-unsupported-methods', why: 'lists never ask back' },
    { name: 'caching', why: 'how long answers may be kept' },
    { name: 'sep-2164-resource-not-found', why: 'the error for an unknown resource' },
  ],
} satisfies Record<string, RealScenario[]>
