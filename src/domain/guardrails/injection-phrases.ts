/** What people write who want to command a model through a text; each is read in folded text. */
export interface Phrase {
  readonly name: string
  readonly pattern: RegExp
}

const word = "(?:[\\p{L}\\p{N}'-]{1,24}[,:;]? )"
const start = '(?<![\\p{L}\\p{N}])'
const end = '(?![\\p{L}\\p{N}])'
const instructions =
  '(?:instructions?|prompts?|directives?|guidelines|programming|training|rules|constraints|context)'
const earlier =
  '(?:previous|prior|above|earlier|preceding|foregoing|existing|original|initial|your|system|developer)'

/** A phrase between two ends of words; a blank stands for one, `~n` for up to n words in between. */
function phrase(name: string, source: string): Phrase {
  const gaps = source.replace(/~(\d)/g, (_, most: string) => `${word}{0,${most}}`)
  return { name, pattern: new RegExp(`${start}(?:${gaps})${end}`, 'u') }
}

/**
 * English first, and the commonest phrase of it in five more languages. Each asks for its verb, its object and what binds
 * them to the model, as texts about prompts and rules hold each of these alone.
 */
export const phrases: readonly Phrase[] = [
  phrase(
    'override_instructions',
    `(?:ignore|disregard|forget|override|bypass|discard) ~4${earlier} ~3${instructions}|` +
      `(?:ignore|disregard|forget) (?:everything|all|anything) (?:~3(?:said|told|written) |that came |you know |you were ~2)?(?:above|before|so far|until now)`,
  ),
  phrase(
    'override_instructions',
    'ignoriere? ~3(?:vorherigen|bisherigen|vorigen|obigen) ~1(?:anweisungen|instruktionen|befehle)|' +
      'ignore[rz]? ~3(?:instructions|consignes) (?:précédentes|antérieures|ci-dessus)|' +
      'ignora(?:r|d)? ~3(?:instrucciones|órdenes) (?:anteriores|previas)|' +
      'ignora(?:re)? ~3istruzioni (?:precedenti|sopra)|' +
      'ignor[ae] ~3instruções (?:anteriores|prévias|acima)',
  ),
  phrase(
    'reveal_prompt',
    '(?:reveal|print|show|output|repeat|display|leak|dump|disclose|expose|recite|tell me|give me|what (?:is|are|was|were)) ~2' +
      `your (?:(?:full|entire|complete|exact) )?(?:system|initial|hidden|original|secret|developer|internal) (?:prompt|instructions|message)|` +
      'repeat ~2(?:everything|words|text|content|instructions) (?:above|before this)|' +
      '(?:system prompt|your instructions) (?:verbatim|word for word)',
  ),
  phrase(
    'role_override',
    'you are (?:now|no longer) ~3(?:dan|jailbroken|unrestricted|unfiltered|uncensored|developer mode|bound by)|' +
      'do anything now|(?:enable|enter|activate) (?:dan|developer|jailbreak|god) mode|' +
      'from now on,? (?:you are|act as|you (?:must|will|shall) (?:act|respond|answer|obey|ignore))|' +
      '(?:act|behave|respond|pretend) ~4(?:no|without(?: any)?) (?:restrictions|rules|limits|guidelines|filters)',
  ),
  phrase(
    'false_authority',
    '(?:system override|new system prompt|end of (?:the )?system prompt|admin override)',
  ),
  phrase(
    'concealment',
    "(?<!(?:we|i|they|you|which|that|it) )(?:do not|don't|never) (?:tell|inform|let|mention|reveal|disclose) ~6(?:the |your )(?:user|human|operator)s?|" +
      'without (?:telling|informing|the knowledge of|asking) the (?:user|human)|' +
      '(?:keep|hide) (?:this|that|it) ~2from the (?:user|human)',
  ),
  phrase(
    'tool_poisoning',
    '(?:before|after|when|whenever) (?:using|calling|invoking|you (?:use|call|invoke)) ~2tools?,? ~6(?:you must |must |always |first )~2(?:read|call|send|run|fetch|pass|include|execute)|' +
      '(?:instead|first),? (?:you must )?call (?:this|the) ~2tool|' +
      '(?:pass|send|include|put|append) .{0,80}(?:id_rsa|\\.ssh|\\.env|mcp\\.json|credentials|private key|api keys?|conversation|chat history).{0,40} (?:as|in|into|to|through) ~3(?:sidenote|parameter|argument|field|https?:)',
  ),
]

/** Tokens with which model templates part roles; no other text holds them. */
export const roleMarker =
  /<\|(?:im_start|im_end|im_sep|system|user|assistant|endoftext|endofprompt|eot_id|start_header_id|end_header_id|begin_of_text)\|>|\[\/?inst\]|<<\/?sys>>/

/** The markup of known attacks through the descriptions of tools. */
export const poisonedTag =
  /<(?:important|secret|hidden|system)>[^<]{0,200}\b(?:before using|tool|you must|do not|don't|read)\b/

/** Words in a comment of HTML that address a model. */
export const addressed =
  /\b(?:ai|llm|chatgpt|gpt|claude|copilot|gemini|assistants?|agents?|language models?)[,:]|\b(?:if you are|as) an? (?:ai|llm|agent|assistant|language model)\b|\binstructions? (?:for|to) (?:the |any |all )?(?:ai|llm|agent|assistant|language model)s?\b/
