import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { ensureKafka } from '../../bootstrap/kafka.mjs';
import { bareMachine } from '../../bootstrap/testing.ts';

type Machine = ReturnType<typeof bareMachine>;
const java = (machine: Machine, version: string) => machine.program('java', `echo 'openjdk version "${version}"' >&2`);

/** A repository that has all that it is asked for, and all of it altered. */
async function alteredRepository(): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end('not a jar');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/repository/`, asked };
}

it.each([
  ['none', undefined],
  ['an old one', '11.0.2'],
])('without a Java that is new enough (%s) it says what can be done', async (_which, version) => {
  const machine = bareMachine();
  if (version !== undefined) java(machine, version);
  await expect(ensureKafka(machine.setup)).rejects.toMatchObject({
    code: 'UND-SETUP',
    message: expect.stringContaining('no Java 17 or later'),
    remedy: expect.stringContaining('UNDERSTUDY_TEST_KAFKA=host:port'),
  });
});

it('without Maven and a repository it names both ways', async () => {
  const machine = bareMachine();
  java(machine, '21.0.1');
  await expect(ensureKafka(machine.setup)).rejects.toMatchObject({
    code: 'UND-SETUP',
    message: expect.stringMatching(/UNDERSTUDY_MAVEN_URL.*mvn is not on PATH/),
  });
});

it('refuses a jar that is not the one that is known, and keeps nothing of it', async () => {
  const machine = bareMachine();
  java(machine, '17.0.15');
  machine.program('mvn', 'for last; do :; done; echo "not a jar" > "$(echo "$last" | /bin/sed s/^-DoutputDirectory=//)/kafka_2.13-4.4.0.jar"');
  const { url, asked } = await alteredRepository();
  const failure = await ensureKafka({ ...machine.setup, env: { ...machine.env, UNDERSTUDY_MAVEN_URL: url } }).catch((error: unknown) => error);
  expect(failure).toMatchObject({
    code: 'UND-SETUP',
    message: expect.stringMatching(/kafka_2.13-4.4.0.jar: its SHA-256 .*that mvn has fetched is not the one that is known/),
  });
  expect(asked).toEqual(['/repository/org/apache/kafka/kafka_2.13/4.4.0/kafka_2.13-4.4.0.jar']);
  expect(readdirSync(join(machine.cache, 'kafka'))).toEqual([]);
});
