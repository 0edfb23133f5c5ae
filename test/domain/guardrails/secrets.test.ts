import { describe, expect, it } from 'vitest'
import { makeSecret } from '../../../src/domain/secret.ts'
import { foundIn } from './found.ts'

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const run = (length: number) => base62.repeat(3).slice(0, length)
const hex = (length: number) => '0123456789abcdef'.repeat(8).slice(0, length)
const own = makeSecret('mcpt')

describe('secrets', () => {
  it.each([
    ['own_token', own],
    ['own_token', makeSecret('zz')],
    ['own_token', makeSecret('acme2024')],
    ['own_token', `Authorization: Bearer ${own}`],
    ['own_token', `TOKEN${own}tail`],
    ['own_token', `https://example.com/?k%3D${own}&x=1`],
    ['own_token', `${own.slice(0, 9)}\u200b${own.slice(9)}`],
    ['aws_access_key_id', 'aws_access_key_id = AKIAIOSFODNN7EXAMPLE'],
    ['aws_access_key_id', '"ASIAIOSFODNN7EXAMPLE"'],
    ['github_token', `ghp_${run(36)}`],
    ['github_token', `git clone https://gho_${run(36)}@github.com/a/b`],
    ['github_token', `github_pat_${run(22)}_${run(59)}`],
    ['gitlab_token', `glpat-${run(20)}`],
    ['slack_token', `xoxb-${'1'.repeat(12)}-${run(24)}`],
    ['slack_webhook', `https://hooks.slack.com/services/T0000ABCD/B0000ABCD/${run(24)}`],
    ['google_api_key', `key=AIza${run(35)}`],
    ['google_client_secret', `GOCSPX-${run(28)}`],
    ['stripe_key', `sk_live_${run(24)}`],
    ['stripe_key', `rk_live_${run(24)}`],
    ['anthropic_key', `sk-ant-api03-${run(93)}AA`],
    ['openai_key', `sk-${run(48)}`],
    ['openai_key', `OPENAI_API_KEY=sk-proj-${run(40)}`],
    ['npm_token', `//registry.npmjs.org/:_authToken=npm_${run(36)}`],
    ['pypi_token', `pypi-AgEIcHlwaS5vcmc${run(60)}`],
    ['hugging_face_token', `hf_${'abcdefghijklmnopqrstuvwxyzABCDEFGH'}`],
    ['sendgrid_key', `SG.${run(22)}.${run(43)}`],
    ['digitalocean_token', `dop_v1_${hex(64)}`],
    ['telegram_bot_token', `123456789:AA${run(33)}`],
    ['azure_storage_key', `AccountName=a;AccountKey=${run(86)}==`],
    ['age_secret_key', `AGE-SECRET-KEY-1${'Q'.repeat(58)}`],
    ['private_key', `-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\n-----END PRIVATE KEY-----`],
    ['private_key', `-----BEGIN RSA PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA0Z3VS5JJcds3`],
    ['private_key', `-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5v`],
    [
      'private_key',
      `-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,3F17F5316E2BAC89\n\n${run(64)}`,
    ],
    ['json_web_token', `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.${run(43)}`],
    ['json_web_token', `Authorization=Bearer%20eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.${run(43)}`],
    ['password_in_url', 'postgres://app:hunter2!@db.example.com:5432/app'],
    ['password_in_url', 'redis://:p4ssw0rd9@10.0.0.7:6379'],
  ])('finds %s in %s', (name, text) => {
    expect(foundIn('secrets', text)).toContain(name)
    expect(foundIn('secrets', { nested: [{ deep: `before ${text} after` }] })).toContain(name)
    expect(foundIn('secrets', { [text]: 1 })).toContain(name)
  })

  it.each([
    `${own.slice(0, -1)}${own.endsWith('0') ? '1' : '0'}`,
    `mcpt_${run(43)}`,
    own.slice(0, -1),
    'mgtk_0mwrz4t4bIl4gYSrqYqiF3',
    `sha256_${hex(64)}`,
    'AKIA is how the ids of AWS begin',
    'AKIAIOSFODNN7EXAMPL',
    'ghp_ and gho_ are prefixes of GitHub',
    `ghp_${run(30)}`,
    'xoxb-short',
    'sk-learn and sk-lookup are packages',
    'sk_test_BQokikJOvBiI2HlWgH4olfQ2',
    'risk-assessment-of-the-whole-department-2024-edition',
    '-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----',
    '-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkq',
    'A file that starts with -----BEGIN PRIVATE KEY----- is a key.',
    'eyJhbGciOiJIUzI1NiJ9 is the header of a JWT',
    'https://user@example.com/path',
    'https://example.com:8080/a@b',
    'postgres://user:password@localhost/app',
    'postgres://user:${DB_PASSWORD}@localhost/app',
    'https://<user>:<token>@example.com',
    'ssh://git@github.com:22/a/b.git',
    '550e8400-e29b-41d4-a716-446655440000',
    hex(64),
    'npm_config_registry=https://registry.npmjs.org',
    'the quick brown fox jumps over the lazy dog',
    '',
  ])('finds nothing in %s', (text) => {
    expect(foundIn('secrets', { text, list: [text] })).toEqual([])
  })
})
