import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { kafkaOf } from './kafka-environment.ts';

it('where nothing is said the logs are files', () => {
  expect(kafkaOf({})).toBeUndefined();
});

it('the address, the account and the authorities come from variables, the last from a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-log-environment-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const ca = '-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n';
  writeFileSync(join(folder, 'ca.pem'), ca);
  const account = { UNDERSTUDY_LOG_USERNAME: 'me', UNDERSTUDY_LOG_PASSWORD: 'p@:/', UNDERSTUDY_LOG_MECHANISM: 'PLAIN' };
  expect(kafkaOf({ UNDERSTUDY_LOG: 'kafkas://a:9092?partitions=4', ...account, UNDERSTUDY_LOG_CA: join(folder, 'ca.pem') })).toEqual({
    brokers: ['a:9092'],
    tls: { ca },
    sasl: { mechanism: 'PLAIN', username: 'me', password: 'p@:/' },
    partitions: 4,
    replicas: 3,
  });
});

it.each([
  ['an account without a Kafka', { UNDERSTUDY_LOG_PASSWORD: 'secret-1' }, 'UNDERSTUDY_LOG_PASSWORD'],
  ['a file that is not there', { UNDERSTUDY_LOG: 'kafkas://a:1', UNDERSTUDY_LOG_CA: '/nowhere/ca.pem' }, '/nowhere/ca.pem'],
  ['an account without a name', { UNDERSTUDY_LOG: 'kafka://a:1', UNDERSTUDY_LOG_PASSWORD: 'secret-1' }, 'username'],
  ['a password in the URL', { UNDERSTUDY_LOG: 'kafka://me:secret-1@a:1' }, 'password'],
])('%s is refused, and no secret is said', (_what, env, named) => {
  expect(() => kafkaOf(env)).toThrow(expect.objectContaining({ code: 'UND-ENVIRONMENT', message: expect.stringContaining(named) }));
  expect(() => kafkaOf(env)).not.toThrow(/secret-1/);
});
