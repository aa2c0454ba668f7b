import { createHash } from 'node:crypto';
import type { SessionEvent } from '../contracts/session.ts';

type Key = Pick<SessionEvent, 'atMs' | 'eventId'>;

/** The order of a unit's events: by time, then by the code points of the event id, as DuckDB orders text. Negative: `a` comes first. */
export function compareEvents(a: Key, b: Key): number {
  return a.atMs - b.atMs || compareCodePoints(a.eventId, b.eventId);
}

/** The id of the session that begins with this event. No id holds a line feed, so that no two sessions are written alike. */
export function sessionIdOf({ unit, atMs, eventId }: Key & { unit: string }): string {
  return createHash('sha256').update(`${unit}\n${atMs}\n${eventId}`).digest('hex').slice(0, 24);
}

/** JavaScript compares UTF-16 code units, in which what is above U+FFFF stands before U+E000. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const [left, right] = [a.charCodeAt(index), b.charCodeAt(index)];
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

const rank = (codeUnit: number) => (codeUnit >= 0xd800 && codeUnit < 0xe000 ? codeUnit + 0x1_0000 : codeUnit);
