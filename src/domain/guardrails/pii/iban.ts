import { mod97 } from './check-digits.ts'
import { overlapping, type PiiFinder, type Span } from './finder.ts'

/** The length of an IBAN by country (SWIFT, IBAN Registry). */
const lengths = new Map(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ' +
    'ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 ' +
    'LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 ' +
    'PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
)
const head = /(?<![0-9a-z])[a-z]{2}\d\d/gi

/** International bank account numbers (ISO 13616), in groups or not: the length of the country, and check digits by 97. */
export const iban: PiiFinder = {
  name: 'iban',
  kind: 'IBAN',
  find(text) {
    const spans: Span[] = []
    for (const { 0: start, index } of overlapping(text, head)) {
      const length = lengths.get(start.slice(0, 2).toUpperCase())
      const end = length === undefined ? undefined : endOf(text, index, length)
      if (end !== undefined && isSound(text.slice(index, end))) spans.push({ start: index, end })
    }
    return spans
  },
}

/** Where so many letters and digits end that stand together or one blank or hyphen apart. */
function endOf(text: string, start: number, length: number): number | undefined {
  let at = start
  for (let seen = 0; seen < length; at++) {
    if (/[0-9a-z]/i.test(text.charAt(at))) seen++
    else if (!/[ -]/.test(text.charAt(at)) || !/[0-9a-z]/i.test(text.charAt(at - 1))) return undefined
  }
  return /[0-9a-z]/i.test(text.charAt(at)) ? undefined : at
}

function isSound(written: string): boolean {
  const number = written.replace(/[ -]/g, '').toUpperCase()
  return mod97(number.slice(4) + number.slice(0, 4)) === 1
}
