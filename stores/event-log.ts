import type { Digest } from '../models/contracts/ids.ts';
import type { UnderstudyError } from '../models/contracts/problem.ts';
import type { Life } from './life.ts';

/** A stretch of a log that no one writes any more. */
export type SealedSegment = { name: string; digest: Digest; records: number; bytes: number };

/**
 * An append-only log of JSON records (one stream for events, one for slate records), written by one process (`writer`), read by
 * many. `append` resolves only when the records are on disk (group commit: many appends share one fsync).
 */
export interface LogWriter {
  /**
   * @throws UND-LOG-UNAVAILABLE when the disk refuses, UND-OVERLOADED when too much waits for it; then nothing of this call is acknowledged or kept.
   */
  append(records: readonly unknown[]): Promise<void>;
  /**
   * Ends the open segment and starts another. Resolves to the sealed one, undefined when it was empty.
   * @throws UND-LOG-UNAVAILABLE; then the segment stays open, with all that it holds.
   */
  seal(): Promise<SealedSegment | undefined>;
  /** For how long the disk has been owing an answer; 0 where it owes none. */
  waitingMs(): number;
  close(): Promise<void>;
}

export interface LogReader {
  /** @throws UND-DIGEST when a seal cannot be read. */
  sealed(): Promise<SealedSegment[]>;
  /** Records of sealed segments, in order. @throws UND-DIGEST, behind the records that could be read, when a segment was altered. */
  read(segments: readonly SealedSegment[]): AsyncIterable<unknown>;
  /**
   * Everything acknowledged so far, open segments included, from a cursor on. A torn last line is left for the next call.
   * What a writer is just about to acknowledge may be among it.
   * Segments that were last written before `writtenSinceMs` are passed over, and so are records whose JSON does not hold
   * `containing`: much cheaper than reading them.
   */
  tail(cursor: LogCursor, options?: { writtenSinceMs?: number; containing?: string }): Promise<{ records: unknown[]; cursor: LogCursor }>;
  /**
   * What a starting process needs of a log that grows for ever: the newest part of it, oldest first, one record at a time, and a damaged
   * segment costs no more than itself.
   * @returns the cursor from which `tail` and `follow` go on
   * @throws when nobody knows what the log holds, as while no broker answers
   */
  scan(scan: LogScan): Promise<LogCursor>;
  /** Follows from a cursor on what other lives write. */
  follow(from: { cursor: LogCursor; life: Pick<Life, 'id'> }): LogFollower;
}

/** Plain JSON, which only the log that has given it can read. */
export type LogCursor = Readonly<Record<string, number>>;

export type LogScan = {
  take: (record: unknown) => void;
  /** A segment that is not what it should be; what can be read of it is taken all the same. */
  onDamaged: (damage: { segment: string; error: UnderstudyError }) => void;
  /** Segments are read from the newest backwards until they hold so many records; all where it is left out. */
  atLeast?: number;
  /** Segments that were last written before are passed over. */
  writtenSinceMs?: number;
  /** Records whose JSON does not hold this are passed over. */
  containing?: string;
};

export type LogFollower = {
  /**
   * The records that other lives have written since, as JSON, a piece at a time, so that whoever serves meanwhile is not held up.
   * @throws when a part of the log cannot be read, behind all others.
   */
  look(take: (text: string) => void): Promise<void>;
};
