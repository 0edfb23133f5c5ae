/** Keys that tell themselves apart by their form: the prefix a vendor gave them and the length of what follows. */
export interface KeyFormat {
  readonly name: string
  readonly pattern: RegExp
  /** Whether a match is real; without it, all are. */
  readonly check?: (match: RegExpExecArray) => boolean
}

/** `user:<password>@` and the like stand for a password and are none. */
const standIn = /^(?:[<[{$%*].*|\**|x+|\.+|pass(?:word|wd)?|pwd|secret|token|your[-_ ].*|my[-_ ]?password)$/i

/**
 * From what the vendors document and secret scanners look for. Every quantifier is bounded, and lookbehind keeps a match from
 * beginning within a word, so each place of a text costs a constant.
 */
export const keyFormats: readonly KeyFormat[] = [
  { name: 'aws_access_key_id', pattern: /(?<![0-9A-Z])(?:AKIA|ASIA|ABIA|ACCA)[2-7A-Z]{16}(?![0-9A-Z])/ },
  { name: 'github_token', pattern: /gh[oprsu]_[0-9A-Za-z]{36}/ },
  { name: 'github_token', pattern: /github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}/ },
  { name: 'gitlab_token', pattern: /(?<![\w-])glpat-[\w-]{20}/ },
  { name: 'slack_token', pattern: /(?<![0-9A-Za-z])xox[abeoprs]-[0-9A-Za-z-]{10}/ },
  { name: 'slack_token', pattern: /(?<![0-9A-Za-z])xapp-\d-[0-9A-Z]{8,12}-\d{8,14}-[0-9a-f]{32}/ },
  {
    name: 'slack_webhook',
    pattern: /hooks\.slack\.com\/services\/T[0-9A-Z]{6,12}\/B[0-9A-Z]{6,12}\/[0-9A-Za-z]{16}/,
  },
  { name: 'google_api_key', pattern: /(?<![\w-])AIza[\w-]{35}(?![\w-])/ },
  { name: 'google_client_secret', pattern: /(?<![\w-])GOCSPX-[\w-]{28}/ },
  { name: 'stripe_key', pattern: /(?<![0-9A-Za-z])[rs]k_live_[0-9A-Za-z]{16}/ },
  { name: 'anthropic_key', pattern: /(?<![\w-])sk-ant-[\w-]{24}/ },
  { name: 'openai_key', pattern: /(?<![\w-])sk-(?:(?:proj|svcacct|admin)-[\w-]{20}|[0-9A-Za-z]{32})/ },
  { name: 'npm_token', pattern: /(?<![0-9A-Za-z])npm_[0-9A-Za-z]{36}(?![0-9A-Za-z])/ },
  { name: 'pypi_token', pattern: /(?<![\w-])pypi-AgE[\w-]{50}/ },
  { name: 'hugging_face_token', pattern: /(?<![0-9A-Za-z])hf_[A-Za-z]{34}(?![0-9A-Za-z])/ },
  { name: 'sendgrid_key', pattern: /(?<![\w-])SG\.[\w-]{22}\.[\w-]{43}/ },
  { name: 'digitalocean_token', pattern: /(?<![0-9A-Za-z])do[opr]_v1_[0-9a-f]{64}/ },
  { name: 'telegram_bot_token', pattern: /(?<!\d)\d{8,10}:AA[\w-]{33}(?![\w-])/ },
  { name: 'azure_storage_key', pattern: /AccountKey=[0-9A-Za-z+/]{86}==/ },
  { name: 'age_secret_key', pattern: /AGE-SECRET-KEY-1[0-9A-Z]{58}/ },
  {
    name: 'private_key',
    pattern:
      /-----BEGIN (?:[0-9A-Z]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!--)){0,200}?[0-9A-Za-z+/]{16}/,
  },
  // A segment ends at its dot, and one begins only where a word does: no part is read more than three times.
  {
    name: 'json_web_token',
    pattern: /(?<=^|[^\w-]|%[0-9A-Fa-f]{2})eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8}/,
  },
  {
    name: 'password_in_url',
    pattern: /:\/\/[^\s/?#:@]{0,64}:([^\s/?#@]{3,128})@[0-9A-Za-z[]/,
    check: ([, password = '']) => !standIn.test(password),
  },
]
