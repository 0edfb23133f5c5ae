import type { Described } from '../openapi/described.ts'
import { generateBody, generated, paths } from './generate.ts'

/** The public route and its old name, which stand beside the table because they take no bearer credential. */
export const generateRoutes: Described[] = paths.flatMap((path, at) => {
  const id = `gassapi_generate_mcp_token${at === 0 ? '' : '_php'}`
  return [
    {
      method: 'POST',
      path,
      id,
      summary: 'Generate a token for a project',
      about:
        'Signs in with e-mail and password and makes a token for one project; pages of any origin may call it.',
      public: true,
      retryable: true,
      body: generateBody,
      answers: { 201: { about: 'Made.', schema: generated } },
      refusals: [400, 401, 403, 409, 413, 429, 500, 503],
    },
    {
      method: 'OPTIONS',
      path,
      id: `${id}_preflight`,
      summary: 'What a page of another origin may send',
      about: 'The preflight of browsers.',
      public: true,
      answers: { 200: { about: 'POST with a Content-Type, from any origin.' } },
      refusals: [],
    },
  ]
})
