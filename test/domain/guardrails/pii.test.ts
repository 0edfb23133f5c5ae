import { describe, expect, it } from 'vitest'
import { foundIn, redactedIn } from './found.ts'

describe('personal data', () => {
  it.each([
    ['email', 'jane.doe@example.com'],
    ['email', 'Jane <jane+tag@mail.example.co.uk>, please'],
    ['email', 'mailto:jane@example.org'],
    ['email', 'josé@exämple.de'],
    ['email', "o'neil@example.ie"],
    ['email', 'x@xn--bcher-kva.example'],
    ['email', 'jane＠example．com'],
    ['phone', '+34 612 345 678'],
    ['phone', '+14155552671'],
    ['phone', 'Call +49 (0)30 901820 today'],
    ['phone', '0044 20 7946 0958'],
    ['phone', '(415) 555-2671'],
    ['phone', '415-555-2671'],
    ['phone', '1-800-555-0199'],
    ['phone', '415.555.2671'],
    ['phone', '06 12 34 56 78'],
    ['phone', '020 7946 0958'],
    ['phone', '07700 900123'],
    ['phone', '030/9018200'],
    ['phone', '090-1234-5678'],
    ['phone', 'tel: 612345678'],
    ['phone', 'Phone number is 612 345 678'],
    ['payment_card', '4111111111111111'],
    ['payment_card', '4111 1111 1111 1111'],
    ['payment_card', '5500-0000-0000-0004'],
    ['payment_card', '2223003122003222'],
    ['payment_card', '3400 000000 00009'],
    ['payment_card', '30000000000004'],
    ['payment_card', '6011000000000004'],
    ['payment_card', '3530111333300000'],
    ['payment_card', '6304000000000000'],
    ['payment_card', '4222222222222'],
    ['payment_card', '4000000000000000006'],
    ['payment_card', '４１１１１１１１１１１１１１１１'],
    ['iban', 'DE89370400440532013000'],
    ['iban', 'DE89 3704 0044 0532 0130 00'],
    ['iban', 'gb82west12345698765432'],
    ['iban', 'Pay to FR14 2004 1010 0505 0001 3M02 606 please'],
    ['iban', 'NO93-8601-1117-947'],
    ['iban', 'MT84MALT011000012345MTLCAST001S'],
    ['spanish_dni', '12345678Z'],
    ['spanish_dni', '12.345.678-Z'],
    ['spanish_dni', 'NIE X1234567L'],
    ['spanish_dni', 'y-7654321-g'],
    ['french_nir', '255081416802538'],
    ['french_nir', '2 55 08 14 168 025 38'],
    ['french_nir', '2 69 05 2A 588 157 77'.replace('77', nirKey('2690519588157'))],
    ['italian_codice_fiscale', 'RSSMRA85T10A562S'],
    ['italian_codice_fiscale', 'mrtmtt91d08f205j'],
    ['dutch_bsn', 'BSN 111222333'],
    ['dutch_bsn', '1112.22.333'],
    ['polish_pesel', '44051401359'],
    ['polish_pesel', 'PESEL: 02070803628'],
    ['brazilian_cpf', '529.982.247-25'],
    ['brazilian_cpf', '52998224725'],
    ['finnish_hetu', '131052-308T'],
    ['finnish_hetu', '131052Y308T'],
    ['swedish_personnummer', '811218-9876'],
    ['swedish_personnummer', '19811218-9876'],
    ['swedish_personnummer', 'personnummer 8112189876'],
    ['swedish_personnummer', '701063-2391'],
    ['us_ssn', '123-45-6789'],
    ['us_ssn', 'SSN: 123 45 6789'],
    ['us_ssn', 'social security number 123456789'],
  ])('finds %s in %s', (name, text) => {
    expect(foundIn('pii', text)).toContain(name)
    expect(foundIn('pii', { a: [`See: ${text}, and more.`] })).toContain(name)
    expect(foundIn('pii', { [text]: true })).toContain(name)
    expect(redactedIn(text)).toMatch(/<(EMAIL|PHONE|CARD|IBAN|NATIONAL_ID)_1>/)
  })

  it.each([
    ['us_ssn', { ssn: 123456789 }],
    ['us_ssn', { patient: { SSN: '123456789' } }],
    ['dutch_bsn', { bsn: 111222333 }],
    ['polish_pesel', { pesel: 44051401359 }],
    ['brazilian_cpf', { cpf: 52998224725 }],
    ['phone', { phoneNumber: '612345678' }],
    ['phone', { mobile_numbers: ['5551234567'] }],
    ['phone', { mobile: 612345678 }],
    ['payment_card', { card: 4111111111111111 }],
  ])('finds %s by the name of its member in %j', (name, value) => {
    expect(foundIn('pii', value)).toContain(name)
    expect(JSON.stringify(redactedIn(value))).toMatch(/"<(PHONE|CARD|NATIONAL_ID)_1>"/)
  })

  it.each([
    ['an at sign', 'meet @jane or me @ the office, a@b, @types/node'],
    ['a version of a package', 'react@18.2.0 and left-pad@1.3.0'],
    ['a picture for another density', 'icon@2x.png logo@3x.webp icon@1.5x.png'],
    ['an address of git', 'git@github.com:owner/repo.git'],
    ['the user of a URL', 'ssh://deploy@host.example.com/srv'],
    ['dots in the wrong place', 'a.@example.com and b@.example.com'],
    ['addresses of networks', '192.168.100.200 10.0.0.1:8080 2001:db8::8a2e:370:7334'],
    ['times', '1700000000 1700000000000 20240131T101112 2024-01-31 10:11:12 01-02-2024'],
    ['a date and a time in digits', '20240101123456 2024-0101-1234'],
    ['sums', '1,234,567.89 + 12345678 = 13580245.89; -122.4194155, 37.7749295'],
    ['numbers in a row', '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20'],
    ['a card that fails Luhn', '4111111111111112 and 4111 1111 1111 1112'],
    ['a card of no issuer', '1111111111111117 9999999999999995'],
    ['digits within a longer run', '94111111111111111111111 x4111111111111111x'],
    ['an IBAN with a typing error', 'DE89370400440532013001 GB82WEST12345698765431'],
    ['an IBAN of no country or another length', 'XX89370400440532013000 DE8937040044053201300'],
    ['ids whose check digit fails', '12345678A X1234567A 255081416802539 RSSMRA85T10A562T'],
    ['more ids whose check digit fails', '44051401358 529.982.247-24 131052-308U 811218-9875'],
    ['a day that is none', '44053101350 311052-308T 811318-9873'],
    ['a BSN nobody calls one', 'order 111222333'],
    ['one digit eleven times', '111.111.111-11 00000000000'],
    [
      'social security numbers that are never given',
      '000-12-3456 666-12-3456 900-12-3456 123-00-4567 123-45-0000',
    ],
    ['the printed ones', '078-05-1120 219-09-9999'],
    ['nine digits nobody calls a number of something', 'part 123456789, id 123 45 6789'],
    ['a UUID and hashes', '550e8400-e29b-41d4-a716-446655440000 d41d8cd98f00b204e9800998ecf8427e'],
    ['an ISBN and an EAN', 'ISBN 978-3-16-148410-0, EAN 5901234123457'],
    ['a hotel and telemetry', 'hotel 1234567 telemetry 7654321 phones 3'],
    ['a date by phone', 'phone call on 2024-01-31, fax of 31.01.2024'],
    ['placeholders', '<EMAIL_1> <PHONE_2> <NATIONAL_ID_3>'],
  ])('finds nothing in %s', (_, text) => {
    expect(foundIn('pii', { text, list: [text] })).toEqual([])
    expect(redactedIn(text)).toBe(text)
  })

  it('takes a number of other members for what it is', () => {
    const value = { size: 123456789, at: 1700000000000, id: 44051401359, n: 52998224725, x: 1.5 }
    expect(foundIn('pii', value)).toEqual([])
    expect(redactedIn(value)).toBe(value)
  })

  it.each([
    ['Mail jane@example.com.', 'Mail <EMAIL_1>.'],
    ['(jane@example.com)', '(<EMAIL_1>)'],
    ["'jane@example.com'", "'<EMAIL_1>'"],
    ['to=jane@example.com&x=1', 'to=<EMAIL_1>&x=1'],
    ['Call +34 612 345 678.', 'Call <PHONE_1>.'],
    ['tel: (030) 901820, room 5', 'tel: <PHONE_1>, room 5'],
    ['IBAN DE89 3704 0044 0532 0130 00 of Jane', 'IBAN <IBAN_1> of Jane'],
    ['Visa 4111 1111 1111 1111 exp 12/29', 'Visa <CARD_1> exp 12/29'],
    ['a@b.co,c@d.co;a@b.co', '<EMAIL_1>,<EMAIL_2>;<EMAIL_1>'],
  ])('redacts %s and not what is around it', (text, clean) => {
    expect(redactedIn(text)).toBe(clean)
  })
})

/** The key of a NIR by its definition, in other words than the detector's. */
function nirKey(number: string): string {
  return String(97n - (BigInt(number) % 97n)).padStart(2, '0')
}
