import { z } from 'zod';
import { digestString } from '../../models/contracts/ids.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { SealedSegment } from '../event-log.ts';
import type { BatchSender, Kafka } from './kafka-client.ts';
import { indexTopicOf } from './log-topic.ts';

const offset = z.number().int().min(0);
const openEntry = z.strictObject({ name: z.string(), partition: offset, from: offset });
const sealedEntry = openEntry.extend({ to: offset, records: offset, bytes: offset, digest: digestString });
const entry = z.union([sealedEntry, openEntry]);

/** A segment that somebody writes or has written: it begins at `from` or later. */
export type OpenEntry = z.infer<typeof openEntry>;
/** `to` is where it ends: nothing behind is of it. */
export type SealedEntry = z.infer<typeof sealedEntry>;
export type Entry = { place: SealedEntry | OpenEntry; writtenMs: number };

export const isSealed = (place: SealedEntry | OpenEntry): place is SealedEntry => 'digest' in place;
export const sealOf = ({ name, digest, records, bytes }: SealedEntry): SealedSegment => ({ name, digest, records, bytes });

/** `<writer>-<sequence>~<life>`, as the segments that are files are named. */
export const segmentName = (writer: string, sequence: number, life: string): string => `${writer}-${String(sequence).padStart(8, '0')}~${life}`;

export function parseSegmentName(name: string): { writer: string; sequence: number; life: string } | undefined {
  const found = /^(?<writer>.+)-(?<sequence>\d{8})~(?<life>[a-z0-9.]+)$/.exec(name)?.groups;
  return found === undefined ? undefined : { writer: found.writer ?? '', sequence: Number(found.sequence), life: found.life ?? '' };
}

export type SegmentIndex = {
  /** By name, in the order in which they came to be what they are. Empty where there is no topic yet. @throws UND-DIGEST for an entry that is none */
  entries(): Promise<ReadonlyMap<string, Entry>>;
};

/** What it has read it keeps, so that a look costs no more than what is new. */
export function openSegmentIndex(kafka: Kafka, topic: string): SegmentIndex {
  const indexTopic = indexTopicOf(topic);
  const found = new Map<string, Entry>();
  let next = 0;
  return {
    async entries() {
      const [until = 0] = await kafka.offsets(indexTopic, 'end');
      for await (const { offset: at, timestampMs, key, value } of kafka.read({ topic: indexTopic, partition: 0, from: next, until })) {
        next = at + 1;
        const place = parseEntry(value, key);
        const before = found.get(place.name);
        // What is sealed stays so: an entry that comes twice says nothing new.
        if (before !== undefined && isSealed(before.place)) continue;
        found.delete(place.name);
        found.set(place.name, { place, writtenMs: timestampMs });
      }
      return found;
    },
  };
}

function parseEntry(value: Buffer | null, key: string | null): SealedEntry | OpenEntry {
  try {
    return entry.parse(JSON.parse(String(value)));
  } catch (cause) {
    throw new UnderstudyError('UND-DIGEST', `What is known of the log segment ${key} cannot be read`, { cause });
  }
}

export async function putEntry(sender: BatchSender, topic: string, place: SealedEntry | OpenEntry): Promise<void> {
  await sender.send({ topic: indexTopicOf(topic), partition: 0 }, [{ key: place.name, value: Buffer.from(JSON.stringify(place)) }]);
}
