import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { AppError } from '../../src/core/errors.ts'
import { secretString } from '../../src/core/fields.ts'
import { textInput, textMembers } from '../../src/core/text-input.ts'
import { operations } from '../../tools/index.ts'

const input = z.strictObject({
  text: z.string().describe('A text.'),
  count: z.int().min(1).default(20),
  ratio: z.number().optional(),
  flag: z.boolean().optional(),
  word: z.enum(['a', 'b']).optional(),
  words: z.array(z.enum(['a', 'b'])).optional(),
  numbers: z.array(z.int()).optional(),
  end: z.iso.datetime().nullable().optional(),
  names: z.array(z.string()).nullable().optional(),
  whole: z.strictObject({ x: z.int() }).optional(),
  either: z.union([z.string(), z.strictObject({})]).optional(),
  pin: secretString('A secret.').optional(),
})

describe('text as input', () => {
  const cases: [string, Record<string, string | string[]>, object][] = [
    ['a text stays as it is', { text: 'null' }, { text: 'null' }],
    ['a whole number', { count: '7' }, { count: 7 }],
    ['a negative number', { count: '-1' }, { count: -1 }],
    ['a fraction', { ratio: '0.5' }, { ratio: 0.5 }],
    ['true and false', { flag: 'false' }, { flag: false }],
    ['a word out of several', { word: 'c' }, { word: 'c' }],
    ['one text for a list', { words: 'a' }, { words: ['a'] }],
    ['several texts for a list', { numbers: ['1', '2'] }, { numbers: [1, 2] }],
    ['null where a member may be null', { end: 'null', names: ['null'] }, { end: null, names: null }],
    ['null among others is a text', { names: ['null', 'x'] }, { names: ['null', 'x'] }],
    ['JSON for an object', { whole: '{"x":1}' }, { whole: { x: 1 } }],
    ['JSON for a union', { either: '"x"' }, { either: 'x' }],
    [
      'a name nobody knows stays, for the schema to refuse',
      { nope: '1', __proto__x: '1' },
      { nope: '1', __proto__x: '1' },
    ],
  ]
  it.each(cases)('%s', (_, texts, expected) => {
    expect(textInput(input, texts)).toEqual(expected)
  })

  const bad: [Record<string, string | string[]>, string][] = [
    [{ count: '1.5' }, 'count: must be a whole number.'],
    [{ count: '9007199254740993' }, 'count: must be a whole number.'],
    [{ count: '1e3' }, 'count: must be a whole number.'],
    [{ count: '' }, 'count: must be a whole number.'],
    [{ ratio: 'NaN' }, 'ratio: must be a number.'],
    [{ ratio: '1e400' }, 'ratio: must be a number.'],
    [{ flag: 'yes' }, 'flag: must be true or false.'],
    [{ whole: '{x:1}' }, 'whole: must be JSON.'],
    [{ text: ['a', 'b'] }, 'text: must be given once.'],
    [{ text: [] }, 'text: must be given once.'],
  ]
  it.each(bad)('%j is refused by name', (texts, sentence) => {
    const field = Object.keys(texts)[0]!
    expect(() => textInput(input, texts)).toThrow(new AppError('invalid_input', sentence, { field }))
  })

  it('knows of each member what help and flags need', () => {
    const members = new Map(textMembers(input).map((member) => [member.name, member]))
    expect(members.get('text')).toMatchObject({ required: true, secret: false, description: 'A text.' })
    expect(members.get('count')).toMatchObject({ required: false, default: 20, kind: 'integer' })
    expect(members.get('words')).toMatchObject({ list: true, choices: ['a', 'b'] })
    expect(members.get('pin')).toMatchObject({ secret: true })
  })

  it('describes every member of every operation, so that its help says something', () => {
    const silent = operations.flatMap((operation) =>
      textMembers(operation.input).flatMap((one) =>
        one.description === '' ? [`${operation.name}.${one.name}`] : [],
      ),
    )
    expect(silent).toEqual([])
  })
})
