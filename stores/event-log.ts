import type { Digest } from '../models/contracts/ids.ts';

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
   * The cursor is plain JSON: file name → byte offset. Segments that were last written before `writtenSinceMs` are passed
   * over, and so are records whose JSON does not hold `containing`: much cheaper than reading them.
   */
  tail(cursor: LogCursor, options?: { writtenSinceMs?: number; containing?: string }): Promise<{ records: unknown[]; cursor: LogCursor }>;
}
export type LogCursor = Readonly<Record<string, number>>;
