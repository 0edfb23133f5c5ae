import { describe, expect, it } from 'vitest'
import { toolOf } from '../../src/guard/index.ts'

const call = (name?: unknown) => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } })

describe('the tool a message calls', () => {
  it.each([
    ['a call', call('read'), 'read'],
    ['a call without an id', { method: 'tools/call', params: { name: 'read' } }, 'read'],
    ['another method', { method: 'tools/list', params: { name: 'read' } }, undefined],
    ['an answer', { result: { method: 'tools/call' } }, undefined],
    ['a batch with one call', [{ method: 'ping' }, call('read')], 'read'],
    ['a batch that calls one tool twice', [call('read'), call('read')], 'read'],
    ['a batch that calls two', [call('read'), call('write')], null],
    ['a batch that calls one and one without a name', [call('read'), call()], null],
    ['a call without a name', call(), null],
    ['a call without parameters', { method: 'tools/call' }, null],
    ['a call with parameters that are none', { method: 'tools/call', params: null }, null],
    ['a name that is no text', call(['read']), null],
    ['nothing', undefined, undefined],
    ['null', null, undefined],
    ['a text', 'tools/call', undefined],
    ['an empty batch', [], undefined],
    ['a batch of nothing', [null, 7], undefined],
  ])('%s', (_, message, tool) => {
    expect(toolOf(message)).toBe(tool)
  })
})
