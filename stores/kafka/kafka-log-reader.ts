import { createHash } from 'node:crypto';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { LogReader, SealedSegment } from '../event-log.ts';
import { recordOf } from '../log-lines.ts';
import { type Kafka, kafkaUnavailable } from './kafka-client.ts';
import { followTopic } from './follow-topic.ts';
import { readMessages, textsOf } from './log-message.ts';
import { over } from './records-of-segments.ts';
import { scanTopic } from './scan-topic.ts';
import { isSealed, openSegmentIndex, sealOf } from './segment-index.ts';

type Tailed = { segment: string; place: number; text: string };

/**
 * A cursor holds for each partition where to read on, and for each segment the place that its next record has.
 * @throws UND-LOG-UNAVAILABLE from every call, while no broker answers
 */
export function openKafkaLogReader({ kafka, topic }: { kafka: Kafka; topic: string }): LogReader {
  const index = openSegmentIndex(kafka, topic);
  const orUnavailable = (cause: unknown): never => {
    throw kafkaUnavailable(topic, cause);
  };

  async function* readSegment({ name, digest, records, bytes }: SealedSegment): AsyncGenerator<unknown> {
    const place = (await index.entries()).get(name)?.place;
    if (place === undefined || !isSealed(place)) throw new UnderstudyError('UND-DIGEST', `The log ${topic} has no sealed segment ${name}`);
    const hash = createHash('sha256');
    let found = 0;
    for await (const text of textsOf(kafka, topic, place, { to: place.to, records })) {
      hash.update(`${text}\n`);
      found += 1;
      yield recordOf(text, name);
    }
    if (`sha256:${hash.digest('hex')}` !== digest)
      throw new UnderstudyError(
        'UND-DIGEST',
        `The log segment ${name} holds other records than its seal says: ${found}, its seal says ${records} (${bytes} bytes)`,
      );
  }

  /** What a partition holds from the cursor on, acknowledged or not yet; `next` is moved behind it. */
  async function tailPartition(partition: number, { until, next }: { until: number; next: Record<string, number> }): Promise<Tailed[]> {
    const found: Tailed[] = [];
    const limits = new Map<string, number>();
    for await (const message of readMessages(kafka, { topic, partition, from: next[partition] ?? 0, until })) {
      const { segment } = message;
      const place = next[segment];
      if (message.kind === 'end') {
        if (place !== over && message.records !== null) limits.set(segment, message.records);
        next[segment] = over;
      } else if (message.kind === 'record' && (place === undefined || place === message.place)) {
        next[segment] = message.place + 1;
        found.push({ segment, place: message.place, text: message.text });
      }
    }
    next[partition] = until;
    // What was refused and has arrived all the same.
    return found.filter(({ segment, place }) => place < (limits.get(segment) ?? Number.POSITIVE_INFINITY));
  }

  return {
    async sealed() {
      const entries = await index.entries().catch(orUnavailable);
      return [...entries.values()].flatMap(({ place }) => (isSealed(place) && place.records > 0 ? [sealOf(place)] : []));
    },

    async *read(segments) {
      try {
        for (const segment of segments) yield* readSegment(segment);
      } catch (cause) {
        orUnavailable(cause);
      }
    },

    async tail(cursor, { writtenSinceMs = 0, containing = '' } = {}) {
      const next: Record<string, number> = { ...cursor };
      const records: unknown[] = [];
      try {
        const [first, ends] = await Promise.all([
          kafka.offsets(topic, writtenSinceMs > 0 ? { sinceMs: writtenSinceMs } : 'first'),
          kafka.offsets(topic, 'end'),
        ]);
        for (const [partition, until] of ends.entries()) {
          // No message is as young as that: the broker says -1.
          const from = (first[partition] ?? 0) < 0 ? until : (first[partition] ?? 0);
          next[partition] = Math.max(next[partition] ?? 0, from);
          for (const { segment, text } of await tailPartition(partition, { until, next })) if (text.includes(containing)) records.push(recordOf(text, segment));
        }
      } catch (cause) {
        orUnavailable(cause);
      }
      return { records, cursor: next };
    },

    scan: (scan) => scanTopic({ kafka, topic, index, ...scan }).catch(orUnavailable),

    follow(from) {
      const follower = followTopic({ kafka, topic, ...from });
      return { look: (take) => follower.look(take).catch(orUnavailable) };
    },
  };
}
