import { isOver, type Life } from '../life.ts';
import type { BatchSender, Kafka } from './kafka-client.ts';
import { describeSegment, endMessage, findEnd } from './log-message.ts';
import { type Entry, isSealed, parseSegmentName, putEntry, type SegmentIndex } from './segment-index.ts';

/** A life that this machine can tell nothing of is taken for over when its segment was not written for so long: it loses nothing if it is not. */
const silentMs = 30_000;

type Recovery = {
  kafka: Kafka;
  topic: string;
  sender: BatchSender;
  index: SegmentIndex;
  writer: string;
  life: Pick<Life, 'id'>;
  /** The segment that this life is at. */
  writing: string | undefined;
};

/** Ends and seals what lives of this writer left open that are over. It can be repeated at whatever point it failed, and by several at once. */
export async function recoverSegments({ kafka, topic, sender, index, writer, life, writing }: Recovery): Promise<void> {
  for (const [name, { place, writtenMs }] of [...(await index.entries())]) {
    const owner = parseSegmentName(name);
    if (isSealed(place) || owner?.writer !== writer || name === writing) continue;
    const over = owner.life === life.id ? true : isOver(owner.life);
    if (over === false) continue;
    const { partition, from } = place;
    const until = (await kafka.offsets(topic, 'end'))[partition] ?? 0;
    const found = await findEnd(kafka, { topic, partition, from, until }, name);
    if (over === undefined && found.end === undefined && Date.now() - Math.max(writtenMs, found.writtenMs) <= silentMs) continue;
    await putEntry(sender, topic, await describeSegment(kafka, topic, place, found.end ?? (await end(until))));

    /** What was sent before the end that is set here, and has come meanwhile, is of the segment, and so is an end that was set before. */
    async function end(seen: number) {
      const to = await sender.send({ topic, partition }, [endMessage(name, null)]);
      return (await findEnd(kafka, { topic, partition, from: seen, until: to + 1 }, name)).end ?? { to, records: null };
    }
  }
}

/** The highest number that this writer has given a segment; 0 where there is none. */
export function lastSequence(entries: ReadonlyMap<string, Entry>, writer: string): number {
  let last = 0;
  for (const name of entries.keys()) {
    const parsed = parseSegmentName(name);
    if (parsed?.writer === writer) last = Math.max(last, parsed.sequence);
  }
  return last;
}

/** The partition that this writer has written last, or else the one that the fewest writers have. */
export function partitionFor(entries: ReadonlyMap<string, Entry>, { writer, partitions }: { writer: string; partitions: number }): number {
  const last = new Map<string, number>();
  for (const [name, { place }] of entries) {
    const parsed = parseSegmentName(name);
    if (parsed !== undefined) last.set(parsed.writer, place.partition);
  }
  const own = last.get(writer);
  if (own !== undefined) return own;
  const writers = new Array<number>(partitions).fill(0);
  for (const partition of last.values()) writers[partition] = (writers[partition] ?? 0) + 1;
  return writers.indexOf(Math.min(...writers));
}
