import type { ClientAbilities } from './surface.ts'

interface Declared {
  elicitation?: { form?: object | undefined; url?: object | undefined } | undefined
  sampling?: object | undefined
  roots?: object | undefined
}

/** What a client declared, in one spelling: `elicitation: {}` means forms, as it did before there were modes. */
export function abilitiesOf({ elicitation, sampling, roots }: Declared = {}): ClientAbilities {
  const { form, url } = elicitation ?? {}
  return {
    ...(elicitation && { elicitation: { ...((form || !url) && { form: form ?? {} }), ...(url && { url }) } }),
    ...(sampling && { sampling }),
    ...(roots && { roots }),
  }
}
