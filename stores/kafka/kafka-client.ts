import { Admin, type BaseOptions, ConfigResourceTypes, Consumer, findErrorBy, ListOffsetTimestamps, Producer } from '@platformatic/kafka';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { KafkaSettings } from './kafka-settings.ts';

/** A message as it lies in a partition. `value` is null where a key was deleted. */
export type Message = { offset: number; timestampMs: number; key: string | null; value: Buffer | null; headers: ReadonlyMap<string, string> };
export type Outgoing = { key?: string; value?: Buffer; headers?: ReadonlyMap<string, string> };

/** Writes into one partition at a time, each call as one batch that is there as a whole or not at all. */
export type BatchSender = {
  /** Resolves when all replicas that are in sync have the batch. @returns the offset of its first message. After a failure it may be there or not. */
  send(to: { topic: string; partition: number }, messages: readonly Outgoing[]): Promise<number>;
  close(): Promise<void>;
};

/** What the log needs of a cluster, over connections that are shared until `close`. */
export type Kafka = {
  settings: KafkaSettings;
  openSender(): BatchSender;
  /** Undefined where there is no such topic. */
  topic(name: string): Promise<{ partitions: number; replicas: number } | undefined>;
  /** False where it was there already. */
  createTopic(topic: { name: string; partitions: number; replicas: number; configs: Readonly<Record<string, string>> }): Promise<boolean>;
  configs(topic: string): Promise<ReadonlyMap<string, string>>;
  /** For each partition the first offset that is kept, the first behind the end, or the first written at a time or later. Empty where there is no topic. */
  offsets(topic: string, at: 'first' | 'end' | { sinceMs: number }): Promise<number[]>;
  /** The messages of these offsets that are still there. `maxBytes`: how much may come at once, and be held in memory. */
  read(range: { topic: string; partition: number; from: number; until: number; maxBytes?: number }): AsyncGenerator<Message>;
  close(): Promise<void>;
};

/** What one answer may take: three of them, with pauses, and a call has failed. */
const answerMs = 4_000;
const fetchBytes = 4 * 2 ** 20;
/** So many answers in a row without a message, where there must be one. */
const emptyAnswersAtMost = 50;

/** Connects when it is first used. */
export function openKafka(settings: KafkaSettings): Kafka {
  const base: BaseOptions = {
    clientId: 'understudy',
    bootstrapBrokers: [...settings.brokers],
    retries: 2,
    retryDelay: 250,
    connectTimeout: 2_000,
    timeout: answerMs,
    requestTimeout: answerMs,
    ...(settings.tls === undefined ? {} : { tls: settings.tls }),
    ...(settings.sasl === undefined ? {} : { sasl: settings.sasl }),
  };
  const admin = new Admin(base);
  // It joins no group: only its fetches are used, one after the other.
  const consumer = new Consumer({ ...base, groupId: 'understudy' });
  let turn: Promise<unknown> = Promise.resolve();

  async function leaderOf(topic: string, partition: number) {
    const found = (await consumer.metadata({ topics: [topic] })).topics.get(topic);
    const leader = found?.partitions[partition]?.leader;
    if (found === undefined || leader === undefined) throw new Error(`${topic} has no partition ${partition}`);
    return { topicId: found.id, node: leader };
  }

  async function fetchFrom({ topic, partition, from, maxBytes = fetchBytes }: { topic: string; partition: number; from: number; maxBytes?: number }) {
    const { topicId, node } = await leaderOf(topic, partition);
    if (!consumer.topics.has(topic)) consumer.topics.track(topic);
    const wanted = { partition, currentLeaderEpoch: -1, fetchOffset: BigInt(from), lastFetchedEpoch: -1, partitionMaxBytes: maxBytes };
    const options = { node, topics: [{ topicId, partitions: [wanted] }], minBytes: 1, maxBytes, maxWaitTime: 100, isolationLevel: 0 };
    const answer = turn.then(() => consumer.fetch(options));
    turn = answer.catch(() => undefined);
    return (await answer).responses[0]?.partitions[0]?.records ?? [];
  }

  async function* read({ topic, partition, from, until, maxBytes }: Parameters<Kafka['read']>[0]): AsyncGenerator<Message> {
    for (let next = from, empty = 0; next < until; ) {
      const batches = await fetchFrom({ topic, partition, from: next, ...(maxBytes === undefined ? {} : { maxBytes }) }).catch(async (error: unknown) => {
        const first = isKafkaError(error, 'OFFSET_OUT_OF_RANGE') ? ((await offsets(topic, 'first'))[partition] ?? 0) : 0;
        if (first <= next) throw error;
        next = first;
        return undefined;
      });
      // What came before is no longer kept.
      if (batches === undefined) continue;
      empty = batches.length === 0 ? empty + 1 : 0;
      if (empty > emptyAnswersAtMost) throw new Error(`${topic} gives nothing from ${next} on, and should up to ${until}`);
      for (const batch of batches) {
        for (const record of batch.records) {
          const offset = Number(batch.firstOffset) + record.offsetDelta;
          // A batch comes whole, also where it is asked for from its middle on.
          if (offset < next || offset >= until) continue;
          const headers = new Map(record.headers.map(([key, value]) => [String(key), String(value)]));
          yield {
            offset,
            timestampMs: Number(batch.firstTimestamp + record.timestampDelta),
            key: record.key?.toString() ?? null,
            value: record.value,
            headers,
          };
        }
        next = Math.max(next, Number(batch.firstOffset) + batch.lastOffsetDelta + 1);
      }
    }
  }

  async function partitionsOf(topic: string): Promise<number> {
    try {
      return (await admin.metadata({ topics: [topic] })).topics.get(topic)?.partitionsCount ?? 0;
    } catch (error) {
      // The client does not tell this from other errors.
      if ((await admin.listTopics()).includes(topic)) throw error;
      return 0;
    }
  }

  async function offsets(topic: string, at: Parameters<Kafka['offsets']>[1]): Promise<number[]> {
    const partitions = await partitionsOf(topic);
    if (partitions === 0) return [];
    const timestamp = at === 'first' ? ListOffsetTimestamps.EARLIEST : at === 'end' ? ListOffsetTimestamps.LATEST : BigInt(at.sinceMs);
    const asked = Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp }));
    const [found] = await admin.listOffsets({ topics: [{ name: topic, partitions: asked }] });
    const result = new Array<number>(partitions).fill(-1);
    for (const { partitionIndex, offset } of found?.partitions ?? []) result[partitionIndex] = Number(offset);
    return result;
  }

  return {
    settings,
    openSender: () => openSender(base),

    async topic(name) {
      if (!(await admin.listTopics()).includes(name)) return undefined;
      const found = (await admin.metadata({ topics: [name], forceUpdate: true })).topics.get(name);
      return found === undefined ? undefined : { partitions: found.partitionsCount, replicas: Math.min(...found.partitions.map((one) => one.replicas.length)) };
    },

    async createTopic({ name, partitions, replicas, configs }) {
      const made = await admin
        .createTopics({ topics: [name], partitions, replicas, configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })) })
        .catch((error: unknown) => {
          if (!isKafkaError(error, 'TOPIC_ALREADY_EXISTS')) throw error;
          return [];
        });
      return made.length > 0;
    },

    async configs(topic) {
      const [found] = await admin.describeConfigs({ resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic }] });
      return new Map(found?.configs.map(({ name, value }) => [name, value ?? '']));
    },

    offsets,
    read,

    async close() {
      await Promise.all([admin.close(), consumer.close()]);
    },
  };
}

function openSender(base: BaseOptions): BatchSender {
  const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({ ...base, idempotent: true });
  return {
    async send({ topic, partition }, messages) {
      const { offsets } = await producer.send({
        messages: messages.map(({ key, value, headers }) => ({
          topic,
          partition,
          ...(key === undefined ? {} : { key: Buffer.from(key) }),
          ...(value === undefined ? {} : { value }),
          ...(headers === undefined ? {} : { headers: new Map([...headers].map(([name, text]) => [Buffer.from(name), Buffer.from(text)])) }),
        })),
      });
      const [first] = offsets ?? [];
      if (first === undefined || first.offset < 0n) throw new Error(`${topic} does not say where it has put a batch`);
      return Number(first.offset);
    },
    close: () => producer.close(),
  };
}

/** The client wraps the brokers' errors in its own, several deep. */
export const isKafkaError = (error: unknown, apiId: string): boolean => findErrorBy(error as Error, 'apiId', apiId) !== null;

export function kafkaUnavailable(what: string, cause: unknown): UnderstudyError {
  if (cause instanceof UnderstudyError) return cause;
  return new UnderstudyError('UND-LOG-UNAVAILABLE', `The log ${what} cannot be used: ${innermost(cause)}`, { cause });
}

/** What the client says first is that it has tried several times; what it met stands inside. */
export function innermost(error: unknown): string {
  const inside = error instanceof AggregateError ? error.errors.at(-1) : undefined;
  if (inside !== undefined) return innermost(inside);
  return error instanceof Error ? error.message : String(error);
}
