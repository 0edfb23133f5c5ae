import { Client, StreamableHTTPClientTransport, type Transport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bin, openBin } from '../cli/bin.ts'
import { type McpServer, startMcp, until } from './server.ts'

describe.each(['http', 'stdio'] as const)('subscriptions of the second era over %s', (road) => {
  let bin: Bin
  let product: McpServer
  let client: Client
  beforeAll(async () => {
    ;[bin, product] = await Promise.all([openBin(), startMcp()])
    client = new Client({ name: 'listener', version: '1' }, { versionNegotiation: { mode: 'auto' } })
    await client.connect(await transport())
  })
  afterAll(async () => {
    await client.close()
    await product.close()
    bin.remove()
  })

  async function transport(): Promise<Transport> {
    const env = { TOKENWRIGHT_DATA_DIR: bin.dataDir, PATH: process.env['PATH'] ?? '' }
    if (road === 'stdio')
      return new StdioClientTransport({ command: process.execPath, args: [bin.main, 'stdio'], env })
    const headers = { authorization: `Bearer ${await product.key('operator')}` }
    return new StreamableHTTPClientTransport(new URL(product.url), { requestInit: { headers } })
  }
  async function make(name: string): Promise<string> {
    const { structuredContent } = await client.callTool({ name: 'create_token', arguments: { name } })
    return (structuredContent as { token: { id: string } }).token.id
  }

  it('acknowledge what can be read and nothing else, and tell of that alone', async () => {
    const [followed, other] = [await make('followed'), await make('other')]
    const heard: string[] = []
    client.setNotificationHandler(
      'notifications/resources/updated',
      ({ params }) => void heard.push(params.uri),
    )
    const nothing = [`token://mgtk_${'0'.repeat(22)}`, 'file:///etc/passwd', 'token://x']
    const uri = `token://${followed}`
    const subscription = await client.listen({ resourceSubscriptions: [...nothing, uri] })
    expect(subscription.honoredFilter).toMatchObject({ resourceSubscriptions: [uri] })
    await client.callTool({ name: 'update_token', arguments: { token_id: other, name: 'unheard' } })
    await client.callTool({ name: 'update_token', arguments: { token_id: followed, name: 'heard' } })
    await until(() => heard.length > 0)
    expect(heard).toEqual([uri])
    await subscription.close()
  })

  it('of nothing that can be read are acknowledged empty', async () => {
    const subscription = await client.listen({ resourceSubscriptions: ['token://x'] })
    expect(subscription.honoredFilter.resourceSubscriptions ?? []).toEqual([])
    await subscription.close()
  })
})
