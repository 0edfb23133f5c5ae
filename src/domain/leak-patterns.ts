/** The expression by which other scanners find secrets of ours, in the syntax of RE2; its first group is the secret. */
export function leakExpression(prefixes: readonly string[]): string {
  return `((?:${prefixes.join('|')})_[0-9A-Za-z]{43})(?:[^0-9A-Za-z]|$)`
}

/** A rule for gitleaks, as its configuration file. */
export function gitleaksConfig(prefixes: readonly string[]): string {
  const keywords = prefixes.map((prefix) => `"${prefix}_"`).join(', ')
  return `# Secrets of Tokenwright for gitleaks: gitleaks git --config gitleaks.toml
title = "Tokenwright"

[extend]
useDefault = true

[[rules]]
id = "tokenwright-secret"
description = "Tokenwright token or management key"
regex = '''${leakExpression(prefixes)}'''
secretGroup = 1
entropy = 3
keywords = [${keywords}]
`
}

/** A detector for trufflehog, as its configuration file. */
export function trufflehogConfig(prefixes: readonly string[]): string {
  return `# Secrets of Tokenwright for trufflehog: trufflehog git file://. --config trufflehog.yaml
detectors:
  - name: Tokenwright
    keywords:
${prefixes.map((prefix) => `      - ${prefix}_`).join('\n')}
    regex:
      secret: '${leakExpression(prefixes)}'
`
}
