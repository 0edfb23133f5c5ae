import { z } from 'zod'
import { visible } from './text.ts'

const environment = z.object({
  id: z.string(),
  name: z.string(),
  is_default: z.boolean(),
  variables: z.record(z.string(), z.string()),
})

/** What generate_mcp_token answers, as far as its command tells it; a server may be of another version. */
export const generated = z.object({
  user: z.object({ email: z.string(), name: z.string().nullable() }),
  project: z.object({
    id: z.string().regex(/^[0-9A-Za-z_]{1,100}$/),
    name: z.string(),
    description: z.string().nullable(),
    environments: z.array(environment),
  }),
  token: z.object({ id: z.string() }),
  secret: z.string(),
  public_url: z.url().nullable(),
})

export type Generated = z.output<typeof generated>

const endpoint = '/mcp/validate'

/** The name of the file, in the current folder. */
export function fileNameOf({ project }: Generated): string {
  return `gassapi_${project.id}.json`
}

/** The content of the file: the keys of the original's script and those its client reads. */
export function configurationText({ project, secret }: Generated, base: string): string {
  const { id, name, description, environments } = project
  const content = {
    name,
    project_id: id,
    api_base_url: base,
    mcp_validate_endpoint: endpoint,
    token: secret,
    environments,
    project: { id, name, description },
    mcpClient: { token: secret },
  }
  return `${JSON.stringify(content, null, 2)}\n`
}

/** What the command prints, in its three parts (contract gassapi, section 8). */
export const lines = {
  start: (email: string) => `=== GASSAPI MCP Token Generator ===

[1/3] Logging in as: ${visible(email)}
`,
  made: ({ user, project }: Generated) => `✓ Login successful - Welcome, ${visible(user.name ?? user.email)}

[2/3] Verifying project access...
✓ Project found: ${visible(project.name)}
${project.description ? `  Description: ${visible(project.description)}\n` : ''}
[3/3] Generating MCP token...
✓ MCP token generated successfully
`,
  done: (made: Generated, base: string) => `
=== MCP Configuration ===

Project Name: ${visible(made.project.name)}
Project ID: ${made.project.id}

MCP Token (save this securely):
${visible(made.secret)}

API Base URL:
${visible(base)}

Environments:
${made.project.environments.map(({ name, is_default }) => `  - ${visible(name)}${is_default ? ' (default)' : ''}\n`).join('')}
✓ Configuration saved to: ${fileNameOf(made)}

[Bonus] Testing MCP token validation...
✓ MCP token is valid and working!
  Validated for project: ${visible(made.project.name)}

=== Done! ===
`,
}
