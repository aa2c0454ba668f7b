import { createHash, type Hash } from 'node:crypto';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { LogWriter, SealedSegment } from '../event-log.ts';
import { beginLife, type Life } from '../life.ts';
import { type Kafka, kafkaUnavailable } from './kafka-client.ts';
import { describeSegment, endMessage, findEnd, markMessage, recordMessage } from './log-message.ts';
import { ensureTopics } from './log-topic.ts';
import { lastSequence, partitionFor, recoverSegments } from './recover-segments.ts';
import { openSegmentIndex, putEntry, type SealedEntry, sealOf, segmentName } from './segment-index.ts';

const writerName = /^[a-z0-9][a-z0-9.-]{0,62}$/;
/** Behind the last append: so late the others know that its records are acknowledged, or that what was refused is not of the segment. */
const settleMs = 250;
/** What a message takes beside its JSON, at most: headers, lengths, and its share of the batch. */
const messageOverheadBytes = 512;

type WriterOptions = {
  kafka: Kafka;
  topic: string;
  writer: string;
  maxSegmentBytes?: number;
  /** More than this waiting for the brokers, and appends are refused: memory must not fill because a broker does not answer. */
  maxWaitingBytes?: number;
  /** Whose this writer is; one of its own where none is given. Segments of lives that are over are sealed, others left alone. */
  life?: Life;
};
/**
 * `next` is where the partition ends if nobody else has written since. `known`: so many of its records the partition says are acknowledged. `ending`:
 * nothing more may be put into it.
 */
type Segment = { name: string; partition: number; from: number; next: number; records: number; known: number; bytes: number; hash: Hash; ending: boolean };
type Waiting = { texts: string[]; bytes: number; done: () => void; failed: (error: unknown) => void };

/**
 * Opens the stream for one writer; what lives of that writer left open that are over is sealed. A writer keeps to one partition: its records have an
 * order, and a sealed segment is a stretch of it.
 * @throws UND-LOG-TOPIC where the topic would lose records, UND-LOG-UNAVAILABLE while no broker answers
 */
export async function openKafkaLogWriter(options: WriterOptions): Promise<LogWriter> {
  const { kafka, topic, writer, maxSegmentBytes = 64 * 2 ** 20, maxWaitingBytes = 16 * 2 ** 20 } = options;
  const life = options.life ?? beginLife();
  if (!writerName.test(writer)) throw new UnderstudyError('UND-INPUT', `${JSON.stringify(writer)} is not the name of a writer`);
  const unavailable = (cause: unknown): UnderstudyError => kafkaUnavailable(topic, cause);
  const sender = kafka.openSender();
  const index = openSegmentIndex(kafka, topic);
  let segment: Segment | undefined;
  let queue: Waiting[] = [];
  let turn: Promise<void> = Promise.resolve();
  let scheduled = false;
  let closed = false;
  let settling: NodeJS.Timeout | undefined;
  const waiting = { bytes: 0, sinceMs: 0 };
  const recover = () => recoverSegments({ kafka, topic, sender, index, writer, life, writing: segment?.name });
  const opened = await begin().catch(async (error) => {
    await sender.close().catch(() => undefined);
    throw unavailable(error);
  });
  let { sequence } = opened;
  const { partition, maxBatchBytes } = opened;

  async function begin() {
    const partitions = await ensureTopics(kafka, topic);
    const maxMessageBytes = Number((await kafka.configs(topic)).get('max.message.bytes'));
    await recover();
    const entries = await index.entries();
    return { sequence: lastSequence(entries, writer), partition: partitionFor(entries, { writer, partitions }), maxBatchBytes: maxMessageBytes * 0.9 };
  }

  /** Work on the segment goes one after the other. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work);
    turn = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  };

  /** Its entry is there before its first record: whoever comes after this life finds by it what must be sealed. */
  async function current(): Promise<Segment> {
    if (segment !== undefined) return segment;
    sequence += 1;
    const name = segmentName(writer, sequence, life.id);
    const from = (await kafka.offsets(topic, 'end'))[partition] ?? 0;
    await putEntry(sender, topic, { name, partition, from });
    segment = { name, partition, from, next: from, records: 0, known: 0, bytes: 0, hash: createHash('sha256'), ending: false };
    return segment;
  }

  /** One batch for as many appends as it holds: group commit. */
  async function flushQueue(): Promise<void> {
    scheduled = false;
    const all = queue;
    queue = [];
    for (const group of runsOf(all, (one) => one.bytes, maxBatchBytes)) {
      waiting.sinceMs = performance.now();
      const failure = await writeTexts(group.flatMap((one) => one.texts)).then(() => undefined, unavailable);
      for (const one of group) {
        waiting.bytes -= one.bytes;
        if (failure === undefined) one.done();
        else one.failed(failure);
      }
      // What is there stays acknowledged where only the sealing fails; it is tried again before the next batch.
      if (failure === undefined && segment !== undefined && segment.bytes >= maxSegmentBytes) await sealSegment().catch(() => undefined);
    }
    settleSoon();
  }

  function settleSoon(afterMs = settleMs): void {
    clearTimeout(settling);
    if (segment === undefined || closed) return;
    settling = setTimeout(() => void inTurn(settle).catch(() => settleSoon(10 * settleMs)), afterMs).unref();
  }

  async function settle(): Promise<void> {
    if (segment?.ending) await sealSegment();
    if (segment === undefined || segment.known === segment.records) return;
    const at = await sender.send({ topic, partition }, [markMessage(segment.name, segment.records)]);
    segment.known = segment.records;
    if (at === segment.next) segment.next = at + 1;
  }

  async function writeTexts(texts: readonly string[]): Promise<void> {
    if (segment?.ending) await sealSegment();
    const target = await current();
    // Until all of them are known to be there nothing is put in their place: where one fails, the end of the segment says that they are not of it.
    target.ending = true;
    let place = target.records;
    for (const batch of runsOf(texts, sizeOf, maxBatchBytes)) {
      await writeBatch(target, batch, place);
      place += batch.length;
    }
    target.ending = false;
    for (const text of texts) target.hash.update(`${text}\n`);
    target.records = place;
    target.bytes += texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
  }

  /**
   * Whoever takes the segment over ends it first, in the same partition: where nobody has written between the last batch and this one, nobody has. A
   * process that slept for long must not call anything accepted that no one reads.
   */
  async function writeBatch(target: Segment, texts: readonly string[], first: number): Promise<void> {
    const messages = texts.map((text, index) => recordMessage(target.name, first + index, text, index === 0 ? target.records : undefined));
    const at = await sender.send({ topic, partition }, messages);
    target.known = target.records;
    if (at < target.next) throw new Error(`${topic} has lost what it acknowledged: it ends at ${at}, and did at ${target.next}`);
    const { end } = await findEnd(kafka, { topic, partition, from: target.next, until: at }, target.name);
    if (end !== undefined) throw new Error(`another process has taken ${target.name} over`);
    target.next = at + messages.length;
  }

  /** It can be repeated at whatever point it failed: the first end that the partition holds is the one that counts. */
  async function sealSegment(): Promise<SealedSegment | undefined> {
    const ended = segment;
    if (ended === undefined || (ended.records === 0 && !ended.ending)) return undefined;
    ended.ending = true;
    try {
      const sealed = await endSegment(ended);
      await putEntry(sender, topic, sealed);
      segment = undefined;
      return sealed.records === 0 ? undefined : sealOf(sealed);
    } catch (cause) {
      throw unavailable(cause);
    }
  }

  async function endSegment({ name, from, next, records, bytes, hash }: Segment): Promise<SealedEntry> {
    const to = await sender.send({ topic, partition }, [endMessage(name, records)]);
    if (to === next) return { name, partition, from, to, records, bytes, digest: `sha256:${hash.copy().digest('hex')}` };
    const { end } = await findEnd(kafka, { topic, partition, from, until: to + 1 }, name);
    return describeSegment(kafka, topic, { name, partition, from }, end ?? { to, records });
  }

  return {
    append(records) {
      if (records.length === 0) return Promise.resolve();
      if (closed) return Promise.reject(unavailable('it is closed'));
      const texts = records.map((record) => JSON.stringify(record));
      if (texts.some((text) => sizeOf(text) > maxBatchBytes))
        return Promise.reject(new UnderstudyError('UND-TOO-LARGE', `A record is larger than the topic ${topic} takes (max.message.bytes)`));
      const bytes = texts.reduce((sum, text) => sum + sizeOf(text), 0);
      if (waiting.bytes > 0 && waiting.bytes + bytes > maxWaitingBytes)
        return Promise.reject(new UnderstudyError('UND-OVERLOADED', `${waiting.bytes} bytes wait for the log ${topic} already`));
      if (waiting.bytes === 0) waiting.sinceMs = performance.now();
      waiting.bytes += bytes;
      return new Promise<void>((done, failed) => {
        queue.push({ texts, bytes, done, failed });
        if (scheduled) return;
        scheduled = true;
        void inTurn(flushQueue);
      });
    },
    waitingMs: () => (waiting.bytes === 0 ? 0 : performance.now() - waiting.sinceMs),
    seal: () =>
      inTurn(async () => {
        await flushQueue();
        // By now it may be known of others that they are over.
        await recover().catch(() => undefined);
        return sealSegment();
      }),
    close() {
      closed = true;
      clearTimeout(settling);
      return inTurn(async () => {
        await flushQueue();
        try {
          await sealSegment();
        } finally {
          // What could not be sealed is sealed by this writer's next life.
          if (options.life === undefined) life.end();
          await sender.close().catch(() => undefined);
        }
      });
    },
  };
}

const sizeOf = (text: string): number => Buffer.byteLength(text) + messageOverheadBytes;

/** In order, as many in each run as are not larger together, but at least one. */
function* runsOf<T>(all: readonly T[], bytesOf: (one: T) => number, maxBytes: number): Generator<T[]> {
  let run: T[] = [];
  let bytes = 0;
  for (const one of all) {
    if (run.length > 0 && bytes + bytesOf(one) > maxBytes) {
      yield run;
      run = [];
      bytes = 0;
    }
    run.push(one);
    bytes += bytesOf(one);
  }
  if (run.length > 0) yield run;
}
