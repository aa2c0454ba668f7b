import { randomUUID } from 'node:crypto';
import { Admin } from '@platformatic/kafka';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { beginLife } from '../../life.ts';
import { everythingSealed } from '../../testing-log-suite.ts';
import { type Kafka, openKafka } from '../kafka-client.ts';
import { openKafkaLogReader } from '../kafka-log-reader.ts';
import { openKafkaLogWriter } from '../kafka-log-writer.ts';
import { endMessage, markMessage, recordMessage } from '../log-message.ts';
import { ensureTopics, indexTopicOf } from '../log-topic.ts';
import { openSegmentIndex, putEntry, segmentName } from '../segment-index.ts';
import { settingsFor } from '../testing-broker.ts';

let kafka: Kafka;
beforeAll(() => {
  kafka = openKafka(settingsFor(inject('kafkaAddress')));
});
afterAll(() => kafka.close());
const newTopic = () => `understudy.s-${randomUUID()}.events`;
const textOf = (record: unknown) => JSON.stringify(record);

describe('the topics of a stream', () => {
  it('are made so that nothing in them is lost or expires', async () => {
    const topic = newTopic();
    expect(await ensureTopics(kafka, topic)).toBe(3);
    const configs = await kafka.configs(topic);
    const names = ['cleanup.policy', 'retention.ms', 'retention.bytes', 'flush.messages', 'unclean.leader.election.enable'];
    expect(names.map((name) => configs.get(name))).toEqual(['delete', '-1', '-1', '1', 'false']);
    expect((await kafka.configs(indexTopicOf(topic))).get('cleanup.policy')).toBe('compact');
  });

  it('are refused where records would expire before they are taken in, or be lost, and each setting is named', async () => {
    const topic = newTopic();
    await kafka.createTopic({ name: topic, partitions: 1, replicas: 1, configs: { 'retention.ms': '604800000', 'cleanup.policy': 'compact,delete' } });
    const opening = openKafkaLogWriter({ kafka, topic, writer: 'r1' });
    await expect(opening).rejects.toMatchObject({
      code: 'UND-LOG-TOPIC',
      message: expect.stringContaining('retention.ms is 604800000 and must be -1'),
      mistakes: [
        expect.objectContaining({ path: '/cleanup.policy' }),
        expect.objectContaining({ path: '/retention.ms' }),
        expect.objectContaining({ path: '/flush.messages' }),
      ],
    });
  });
});

describe('what a partition holds beside the records', () => {
  it('is told from them: repetitions, gaps, what comes behind the end or beyond it, what others have put there', async () => {
    const topic = newTopic();
    await ensureTopics(kafka, topic);
    const life = beginLife();
    const name = segmentName('r1', 1, life.id);
    const other = segmentName('r2', 1, life.id);
    const sender = kafka.openSender();
    const put = (...messages: Parameters<typeof sender.send>[1]) => sender.send({ topic, partition: 0 }, messages);
    await putEntry(sender, topic, { name, partition: 0, from: 0 });
    const records = [0, 1, 2].map((id) => recordMessage(name, id, textOf({ id })));
    await put({ value: Buffer.from('{"by":"another program"}') });
    await put(...records.slice(0, 2));
    await put(...records.slice(0, 2));
    await put(recordMessage(other, 0, textOf({ of: 'r2' })), ...records);
    await put(recordMessage(name, 3, textOf({ refused: true })));
    await put(endMessage(name, 3));
    await put(endMessage(name, null), recordMessage(name, 3, textOf({ late: true })), recordMessage(name, 4, textOf({ late: true })));
    await sender.close();
    life.end();
    const reader = openKafkaLogReader({ kafka, topic });
    expect((await reader.tail({})).records).toEqual([{ id: 0 }, { id: 1 }, { of: 'r2' }, { id: 2 }]);
    // Its writer died between the end and the entry.
    await (await openKafkaLogWriter({ kafka, topic, writer: 'r1' })).close();
    expect(await everythingSealed(reader)).toEqual([{ id: 0 }, { id: 1 }, { id: 2 }]);
  });

  it('decides what a segment holds that was taken over: whose it was seals the same as who took it', async () => {
    const topic = newTopic();
    const log = await openKafkaLogWriter({ kafka, topic, writer: 'r1' });
    await log.append([{ id: 0 }]);
    const [name = ''] = (await openSegmentIndex(kafka, topic).entries()).keys();
    const sender = kafka.openSender();
    // What it was told had failed has arrived, and another has ended the segment behind it.
    await sender.send({ topic, partition: 0 }, [recordMessage(name, 1, textOf({ id: 1 }))]);
    await sender.send({ topic, partition: 0 }, [endMessage(name, null)]);
    await sender.close();
    expect(await log.seal()).toMatchObject({ name, records: 2 });
    await log.append([{ id: 2 }]);
    await log.close();
    expect(await everythingSealed(openKafkaLogReader({ kafka, topic }))).toEqual([{ id: 0 }, { id: 1 }, { id: 2 }]);
  });

  it('gives no follower what its writer was refused and has arrived all the same: it will be sent again', async () => {
    const topic = newTopic();
    await ensureTopics(kafka, topic);
    const [theirs, mine] = [beginLife(), beginLife()];
    const [name, next] = [segmentName('r1', 1, theirs.id), segmentName('r1', 2, theirs.id)];
    const sender = kafka.openSender();
    const put = (...messages: Parameters<typeof sender.send>[1]) => sender.send({ topic, partition: 0 }, messages);
    await putEntry(sender, topic, { name, partition: 0, from: 0 });
    await put(recordMessage(name, 0, textOf({ id: 0 }), 0), recordMessage(name, 1, textOf({ id: 1 })));
    const reader = openKafkaLogReader({ kafka, topic });
    const scan = async () => {
      const taken: unknown[] = [];
      const cursor = await reader.scan({ take: (record) => taken.push(record), onDamaged: () => undefined });
      return { taken, cursor };
    };
    const unsure = await scan();
    expect(unsure.taken).toEqual([]);
    await put(recordMessage(name, 2, textOf({ id: 'refused' }), 2));
    expect((await scan()).taken).toEqual([{ id: 0 }, { id: 1 }]);
    const seen: unknown[] = [];
    const follower = reader.follow({ cursor: unsure.cursor, life: mine });
    const look = () => follower.look((text) => seen.push(JSON.parse(text)));
    await look();
    expect(seen).toEqual([{ id: 0 }, { id: 1 }]);
    await put(endMessage(name, 2), recordMessage(next, 0, textOf({ id: 'again' }), 0), markMessage(next, 1));
    await look();
    await look();
    expect(seen).toEqual([{ id: 0 }, { id: 1 }, { id: 'again' }]);
    await sender.close();
    for (const life of [theirs, mine]) life.end();
  });

  it('a segment that is not what its seal says costs a scan no more than itself', async () => {
    const topic = newTopic();
    const log = await openKafkaLogWriter({ kafka, topic, writer: 'r1' });
    for (const id of [1, 2, 3]) {
      await log.append([{ id }]);
      await log.seal();
    }
    await log.close();
    const places = [...(await openSegmentIndex(kafka, topic).entries()).values()].map(({ place }) => place);
    const altered = newTopic();
    await ensureTopics(kafka, altered);
    const sender = kafka.openSender();
    for await (const { value, headers } of kafka.read({ topic, partition: 0, from: 0, until: 6 }))
      await sender.send({ topic: altered, partition: 0 }, [{ ...(value === null ? {} : { value: Buffer.from(String(value).replace('2', '9')) }), headers }]);
    for (const place of places) await putEntry(sender, altered, place);
    await sender.close();
    const [taken, damaged]: [unknown[], string[]] = [[], []];
    await openKafkaLogReader({ kafka, topic: altered }).scan({ take: (record) => taken.push(record), onDamaged: ({ segment }) => damaged.push(segment) });
    expect(taken).toEqual([{ id: 1 }, { id: 9 }, { id: 3 }]);
    expect(damaged).toEqual([places[1]?.name]);
  });

  it('a segment whose records were deleted is refused, not read as empty, and the log goes on', async () => {
    const topic = newTopic();
    const log = await openKafkaLogWriter({ kafka, topic, writer: 'r1' });
    await log.append([{ id: 1 }]);
    await log.seal();
    await log.append([{ id: 2 }]);
    // As an operator would, or a topic that expires. Behind the record and the end of the first segment.
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [inject('kafkaAddress')] });
    await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 2n }] }] });
    await admin.close();
    const reader = openKafkaLogReader({ kafka, topic });
    await expect(everythingSealed(reader)).rejects.toMatchObject({ code: 'UND-DIGEST' });
    expect((await reader.tail({ '0': 0, '1': 0, '2': 0 })).records).toEqual([{ id: 2 }]);
    await log.close();
  });

  it('a record that is larger than the topic takes is refused by itself', async () => {
    const topic = newTopic();
    const log = await openKafkaLogWriter({ kafka, topic, writer: 'r1' });
    await expect(log.append([{ text: 'x'.repeat(1_100_000) }])).rejects.toMatchObject({ code: 'UND-TOO-LARGE' });
    // An append that is larger than a batch goes in several.
    const records = Array.from({ length: 5 }, (_, id) => ({ id, text: 'y'.repeat(600_000) }));
    await log.append(records);
    expect(await log.seal()).toMatchObject({ records: 5 });
    expect(await everythingSealed(openKafkaLogReader({ kafka, topic }))).toEqual(records);
    await log.close();
  });
});
