import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import type { LogWriter } from '../../../event-log.ts';
import { everythingSealed } from '../../../testing-log-suite.ts';
import { type Kafka, openKafka } from '../../kafka-client.ts';
import { openKafkaLogReader } from '../../kafka-log-reader.ts';
import { openKafkaLogWriter } from '../../kafka-log-writer.ts';
import { settingsFor, startOwnBroker } from '../../testing-broker.ts';

type Broker = Awaited<ReturnType<typeof startOwnBroker>>;
let broker: Broker;
let kafka: Kafka;
beforeEach(async () => {
  broker = await startOwnBroker();
  kafka = openKafka(settingsFor(broker.address));
});
afterEach(async () => {
  await kafka.close();
  await broker.stop();
});

async function killBroker(): Promise<void> {
  const ended = once(broker.child, 'exit');
  broker.child.kill('SIGKILL');
  await ended;
}
const newTopic = () => `understudy.s-${randomUUID()}.events`;
const outcomeOf = (append: Promise<void>) =>
  append.then(
    () => 'acknowledged',
    (error: { code: string }) => error.code,
  );
const idsIn = (records: unknown[]) => (records as { id: number }[]).map(({ id }) => id);

/** One record after the other, until one is acknowledged that was asked for behind `until`. @returns the outcome of each */
async function appendThrough(log: LogWriter, first: number, until: () => boolean): Promise<Map<number, string>> {
  const outcomes = new Map<number, string>();
  for (let id = first; ; id += 1) {
    const after = until();
    const outcome = await outcomeOf(log.append([{ id }]));
    outcomes.set(id, outcome);
    if (after && outcome === 'acknowledged') return outcomes;
  }
}

it('a broker that is killed and comes back: what is acknowledged is there, what was refused is in no sealed segment, and it goes on', async () => {
  const topic = newTopic();
  const log = await openKafkaLogWriter({ kafka, topic, writer: 'r1' });
  await log.append([{ id: 0 }]);
  let isBack = false;
  const appending = appendThrough(log, 1, () => isBack);
  await killBroker();
  await expect(openKafkaLogWriter({ kafka, topic, writer: 'r2' })).rejects.toMatchObject({ code: 'UND-LOG-UNAVAILABLE' });
  await expect(openKafkaLogReader({ kafka, topic }).tail({})).rejects.toMatchObject({ code: 'UND-LOG-UNAVAILABLE' });
  broker = await startOwnBroker({ again: broker });
  isBack = true;
  const outcomes = await appending;
  await log.close();
  expect(new Set(outcomes.values())).toEqual(new Set(['acknowledged', 'UND-LOG-UNAVAILABLE']));
  const acknowledged = [0, ...[...outcomes].filter(([, outcome]) => outcome === 'acknowledged').map(([id]) => id)];
  expect(idsIn(await everythingSealed(openKafkaLogReader({ kafka, topic })))).toEqual(acknowledged);
});

it('a broker that does not answer: appends wait, no more of them than may, then all are refused; what arrives late is of no sealed segment', async () => {
  const topic = newTopic();
  const log = await openKafkaLogWriter({ kafka, topic, writer: 'r1', maxWaitingBytes: 4_000 });
  await log.append([{ id: 0 }]);
  expect(log.waitingMs()).toBe(0);
  onTestFinished(() => void broker.child.kill('SIGCONT'));
  broker.child.kill('SIGSTOP');
  const waiting = [1, 2, 3].map((id) => outcomeOf(log.append([{ id }])));
  const tooMany = Array.from({ length: 10 }, (_, place) => outcomeOf(log.append([{ id: 100 + place }])));
  expect(await tooMany.at(-1)).toBe('UND-OVERLOADED');
  expect(log.waitingMs()).toBeGreaterThan(0);
  expect(await Promise.all(waiting)).toEqual(['UND-LOG-UNAVAILABLE', 'UND-LOG-UNAVAILABLE', 'UND-LOG-UNAVAILABLE']);
  broker.child.kill('SIGCONT');
  const outcomes = await appendThrough(log, 200, () => true);
  await log.close();
  const acknowledged = [...outcomes].filter(([, outcome]) => outcome === 'acknowledged').map(([id]) => id);
  expect(idsIn(await everythingSealed(openKafkaLogReader({ kafka, topic })))).toEqual([0, ...acknowledged]);
});

it('a writer whose broker is away when it seals keeps the segment, and seals it once the broker is back', async () => {
  const topic = newTopic();
  const log = await openKafkaLogWriter({ kafka, topic, writer: 'r1' });
  await log.append([{ id: 0 }]);
  await killBroker();
  await expect(log.seal()).rejects.toMatchObject({ code: 'UND-LOG-UNAVAILABLE' });
  broker = await startOwnBroker({ again: broker });
  expect(await log.seal()).toMatchObject({ records: 1 });
  await log.append([{ id: 1 }]);
  await log.close();
  expect(idsIn(await everythingSealed(openKafkaLogReader({ kafka, topic })))).toEqual([0, 1]);
});
