import type { LogMessage } from './log-message.ts';

/** In a cursor, where otherwise the place of a segment's next record stands: what comes of it is of it no more. */
export const over = -1;

/** A record, and where it lies. */
export type Held = { segment: string; place: number; text: string; partition: number; offset: number };

/**
 * Of the messages of a partition, one after the other, the records that are acknowledged. Those of which that is not known yet are held until a later
 * message says it, or that they are not: what a writer was refused and has arrived all the same must not be taken for known by anybody, since it will be
 * sent again.
 * @param next the cursor, which is moved behind what was seen
 */
export function createRecordFilter(next: Record<string, number>) {
  const held = new Map<string, Held[]>();

  function release(segment: string, known: number): Held[] {
    const all = held.get(segment) ?? [];
    const count = all.findIndex(({ place }) => place >= known);
    if (count !== 0) held.delete(segment);
    if (count > 0) held.set(segment, all.slice(count));
    return count < 0 ? all : all.slice(0, count);
  }

  return {
    /** The records that are known to be acknowledged by this message, in order. */
    see(message: LogMessage): Held[] {
      const { segment } = message;
      if (next[segment] === over) return [];
      if (message.kind === 'end') {
        const released = release(segment, message.records ?? Number.POSITIVE_INFINITY);
        held.delete(segment);
        next[segment] = over;
        return released;
      }
      const released = release(segment, message.known);
      if (message.kind === 'mark') return released;
      const { place, text, known, partition, offset } = message;
      const record = { segment, place, text, partition, offset };
      if (next[segment] !== undefined && next[segment] !== place) return released;
      next[segment] = place + 1;
      if (place < known) return [...released, record];
      const waiting = held.get(segment);
      if (waiting === undefined) held.set(segment, [record]);
      else waiting.push(record);
      return released;
    },
    /** What is held, the first of each segment. */
    waiting: (): Held[] => [...held.values()].flatMap(([first]) => (first === undefined ? [] : [first])),
  };
}
