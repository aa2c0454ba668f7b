import { createHash, type Hash } from 'node:crypto';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { LogCursor, LogScan } from '../event-log.ts';
import { notARecord, tryRecord } from '../log-lines.ts';
import type { Kafka } from './kafka-client.ts';
import { type LogMessage, readMessages } from './log-message.ts';
import { createRecordFilter, over } from './records-of-segments.ts';
import { isSealed, type SealedEntry, type SegmentIndex } from './segment-index.ts';

type Scan = LogScan & { kafka: Kafka; topic: string; index: SegmentIndex };
/** A sealed segment on the way: the place of the record that comes next, and the digest of those that came. */
type Reading = { entry: SealedEntry; next: number; hash: Hash };

/** Of each partition: all of them are held at once. */
const pieceBytes = 1024 * 1024;

/** `LogReader.scan` of a topic. Segments that are not sealed are always read: their writers may be writing. */
export async function scanTopic(scan: Scan): Promise<LogCursor> {
  const { kafka, topic, containing = '', take, onDamaged } = scan;
  const { ends, froms, sealed, next } = await choose(scan);
  const filter = createRecordFilter(next);
  const unreadable = new Set<string>();

  function accept(segment: string, text: string): void {
    if (!text.includes(containing)) return;
    const record = tryRecord(text);
    if (record === undefined) unreadable.add(segment);
    else take(record);
  }

  function see(message: LogMessage): void {
    const reading = sealed.get(message.segment);
    if (reading === undefined) for (const { segment, text } of filter.see(message)) accept(segment, text);
    else if (message.kind === 'record' && message.offset < reading.entry.to && message.place >= reading.next && message.place < reading.entry.records) {
      reading.next = message.place + 1;
      reading.hash.update(`${message.text}\n`);
      accept(message.segment, message.text);
    }
  }

  const partitions = ends.map((until, partition) => readMessages(kafka, { topic, partition, from: froms[partition] ?? until, until, maxBytes: pieceBytes }));
  for await (const message of oldestFirst(partitions)) see(message);
  for (const [segment, { entry, hash }] of sealed)
    if (`sha256:${hash.digest('hex')}` !== entry.digest)
      onDamaged({ segment, error: new UnderstudyError('UND-DIGEST', `The log segment ${segment} holds other records than its seal says`) });
    else if (unreadable.has(segment)) onDamaged({ segment, error: notARecord(segment) });
  for (const [partition, until] of ends.entries()) next[partition] = until;
  // Of which it is not known yet whether it is acknowledged is read again by whoever goes on.
  for (const { segment, place, offset, partition } of filter.waiting()) {
    next[segment] = place;
    next[partition] = Math.min(next[partition] ?? offset, offset);
  }
  return next;
}

/** Where to begin in each partition, and which sealed segments to read from there on; none of the others says anything. */
async function choose({ kafka, topic, index, atLeast = Number.POSITIVE_INFINITY, writtenSinceMs = 0 }: Scan) {
  // The ends come first: a segment that is begun now is behind them.
  const ends = await kafka.offsets(topic, 'end');
  const froms = [...ends];
  const sealed = new Map<string, Reading>();
  const next: Record<string, number> = {};
  let records = 0;
  for (const [name, { place, writtenMs }] of [...(await index.entries())].reverse()) {
    const { partition, from } = place;
    const until = ends[partition] ?? 0;
    if (isSealed(place) && place.to < until) {
      next[name] = over;
      if (records >= atLeast || writtenMs < writtenSinceMs || place.records === 0) continue;
      records += place.records;
      sealed.set(name, { entry: place, next: 0, hash: createHash('sha256') });
    }
    froms[partition] = Math.min(froms[partition] ?? until, from);
  }
  return { ends, froms, sealed, next };
}

/** Of several sources, each in its own order. */
async function* oldestFirst(sources: readonly AsyncGenerator<LogMessage>[]): AsyncGenerator<LogMessage> {
  const heads = await Promise.all(sources.map(async (source) => ({ source, head: await source.next() })));
  for (;;) {
    let oldest: { source: AsyncGenerator<LogMessage>; head: IteratorResult<LogMessage> } | undefined;
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const one of heads) {
      if (one.head.done === true || one.head.value.timestampMs >= oldestMs) continue;
      oldest = one;
      oldestMs = one.head.value.timestampMs;
    }
    if (oldest?.head.done !== false) return;
    yield oldest.head.value;
    oldest.head = await oldest.source.next();
  }
}
