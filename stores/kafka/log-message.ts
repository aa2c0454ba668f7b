import { createHash } from 'node:crypto';
import type { Kafka, Message, Outgoing } from './kafka-client.ts';
import type { OpenEntry, SealedEntry } from './segment-index.ts';

/*
 * A record is a message: its JSON, and in the headers the segment it is of and its place there. A segment ends where the first message says so that is no
 * record: the order of the partition decides between a writer and whoever takes its segment over. Of what a writer has sent, and does not know whether it
 * arrived, the same place may be there twice, or one that was never acknowledged: the first is taken, and none behind what the end says that there are.
 * Whoever reads a segment before its end knows by `known` how many of its records the writer has acknowledged so far.
 */

export type LogMessage = { partition: number; offset: number; timestampMs: number; segment: string } & (
  | { kind: 'record'; place: number; text: string; known: number }
  | { kind: 'mark'; known: number }
  /** `records`: how many the writer has acknowledged; null where another than the writer ends it, who cannot know. */
  | { kind: 'end'; records: number | null }
);

/** @param known so many were acknowledged when it was sent: the first of a batch says so */
export const recordMessage = (segment: string, place: number, text: string, known?: number): Outgoing => ({
  value: Buffer.from(text),
  headers: new Map([['segment', segment], ['place', String(place)], ...(known === undefined ? [] : [['known', String(known)] as const])]),
});

/** Behind the last record before a silence. */
export const markMessage = (segment: string, known: number): Outgoing => ({
  headers: new Map([
    ['segment', segment],
    ['known', String(known)],
  ]),
});

export const endMessage = (segment: string, records: number | null): Outgoing => ({
  headers: new Map([
    ['segment', segment],
    ['end', records === null ? '' : String(records)],
  ]),
});

/** Undefined for what others have put into the topic. */
function parseMessage({ offset, timestampMs, value, headers }: Message, partition: number): LogMessage | undefined {
  const segment = headers.get('segment');
  const [place, end] = [headers.get('place'), headers.get('end')];
  const known = Number(headers.get('known') ?? 0);
  if (segment === undefined) return undefined;
  const at = { partition, offset, timestampMs, segment };
  if (end !== undefined) return { ...at, kind: 'end', records: end === '' ? null : Number(end) };
  if (place === undefined && known > 0) return { ...at, kind: 'mark', known };
  if (place === undefined || value === null) return undefined;
  return { ...at, kind: 'record', place: Number(place), text: value.toString('utf8'), known };
}

type Range = Parameters<Kafka['read']>[0];

export async function* readMessages(kafka: Kafka, range: Range): AsyncGenerator<LogMessage> {
  for await (const message of kafka.read(range)) {
    const parsed = parseMessage(message, range.partition);
    if (parsed !== undefined) yield parsed;
  }
}

export type SegmentEnd = { to: number; records: number | null };

/** Where a segment ends, as far as the partition is read; and when it was last written. */
export async function findEnd(kafka: Kafka, range: Range, segment: string): Promise<{ end: SegmentEnd | undefined; writtenMs: number }> {
  let writtenMs = 0;
  for await (const message of readMessages(kafka, range)) {
    if (message.segment !== segment) continue;
    writtenMs = Math.max(writtenMs, message.timestampMs);
    if (message.kind === 'end') return { end: { to: message.offset, records: message.records }, writtenMs };
  }
  return { end: undefined, writtenMs };
}

/** The records of a segment that has ended, as JSON, in order. */
export async function* textsOf(kafka: Kafka, topic: string, place: OpenEntry, end: SegmentEnd): AsyncGenerator<string> {
  let next = 0;
  for await (const message of readMessages(kafka, { topic, partition: place.partition, from: place.from, until: end.to })) {
    if (next === end.records) return;
    if (message.segment !== place.name || message.kind !== 'record' || message.place !== next) continue;
    next += 1;
    yield message.text;
  }
}

/** What a segment holds that has ended. The digest is of its records with a line feed behind each, as if it were a file. */
export async function describeSegment(kafka: Kafka, topic: string, place: OpenEntry, end: SegmentEnd): Promise<SealedEntry> {
  const hash = createHash('sha256');
  let records = 0;
  let bytes = 0;
  for await (const text of textsOf(kafka, topic, place, end)) {
    const line = `${text}\n`;
    hash.update(line);
    records += 1;
    bytes += Buffer.byteLength(line);
  }
  return { name: place.name, partition: place.partition, from: place.from, to: end.to, records, bytes, digest: `sha256:${hash.digest('hex')}` };
}
