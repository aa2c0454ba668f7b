import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureKafka } from '../../../../bootstrap/kafka.mjs';
import { cacheDirectory } from '../../../../bootstrap/paths.mjs';
import { openKafka } from '../../kafka-client.ts';
import { openKafkaLogReader } from '../../kafka-log-reader.ts';
import { openKafkaLogWriter } from '../../kafka-log-writer.ts';
import { kafkaSettings } from '../../kafka-settings.ts';
import { startOwnBroker } from '../../testing-broker.ts';

const directory = mkdtempSync(join(tmpdir(), 'understudy-kafka-keys-'));
const account = { username: 'understudy', password: 'a-secret:with@signs' };
let broker: Awaited<ReturnType<typeof startOwnBroker>>;
let ca: string;

beforeAll(async () => {
  const { java } = await ensureKafka({ cache: cacheDirectory(process.env), env: process.env });
  const keytool = (...args: string[]) =>
    execFileSync(join(dirname(realpathSync(java)), 'keytool'), [...args, '-keystore', store, '-storepass', 'changeit', '-alias', 'broker'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  const store = join(directory, 'broker.p12');
  keytool('-genkeypair', '-keyalg', 'EC', '-dname', 'CN=broker', '-ext', 'SAN=IP:127.0.0.1', '-validity', '2', '-storetype', 'PKCS12');
  ca = keytool('-exportcert', '-rfc').toString();
  broker = await startOwnBroker({
    properties: {
      'listener.security.protocol.map': 'CLIENT:SASL_SSL,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'ssl.keystore.location': store,
      'ssl.keystore.password': 'changeit',
      'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
      'listener.name.client.scram-sha-512.sasl.jaas.config': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    },
    format: ['--add-scram', `SCRAM-SHA-512=[name=${account.username},password=${account.password}]`],
  });
});
afterAll(async () => {
  await broker?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const open = (more: Partial<Parameters<typeof kafkaSettings>[0]>) =>
  openKafka(kafkaSettings({ url: `kafkas://${broker.address}?replicas=1&partitions=1`, ...account, ca, ...more }));
const topic = 'understudy.home.events';

it('writes and reads over TLS with a name and a password', async () => {
  const kafka = open({});
  const log = await openKafkaLogWriter({ kafka, topic, writer: 'r1' });
  await log.append([{ id: 1 }]);
  expect((await openKafkaLogReader({ kafka, topic }).tail({})).records).toEqual([{ id: 1 }]);
  await log.close();
  await kafka.close();
});

it.each([
  ['another password', { password: 'another' }],
  ['no name', { username: undefined, password: undefined }],
  ['a broker whose certificate is signed by nobody that is known', { ca: undefined }],
  ['no encryption', { url: 'kafka://', ca: undefined }],
])('refuses with %s, and says so', async (_what, change) => {
  const kafka = open('url' in change ? { ...change, url: `kafka://${broker.address}?replicas=1` } : change);
  const failure = await openKafkaLogWriter({ kafka, topic, writer: 'r1' }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'UND-LOG-UNAVAILABLE' });
  expect(String(failure)).not.toContain(account.password);
  await kafka.close();
});
