import { createHash, type Hash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { makeDirectory, syncDirectory } from './durable-files.ts';
import type { LogCursor, LogReader, LogWriter, SealedSegment } from './event-log.ts';
import { followLog } from './follow-log.ts';
import { beginLife, type Life } from './life.ts';
import { isErased, linesFrom, notARecord, tryRecord } from './log-lines.ts';
import { lastSequence, openSuffix, recoverSegments, sealedSuffix, sealFile, sealOf, segmentFiles, type TornTail } from './log-recovery.ts';
import { readSealed, withoutHistory } from './read-sealed.ts';
import { scanLog } from './scan-log.ts';

/*
 * A stream is a directory of JSON-lines segments, `<writer>-<sequence>~<life>.jsonl`, with `.open` behind the name while it is written; no two lives of
 * a writer share one. What a sealed segment holds stands in `<…>.seal`.
 */

const writerName = /^[a-z0-9][a-z0-9.-]{0,62}$/;

/** The file operations of a writer: a test gives others, to make a disk full or to lose what was not synced. */
export type SegmentFile = {
  write(bytes: Uint8Array, position: number): Promise<void>;
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
};
export type SegmentFiles = {
  create(path: string): Promise<SegmentFile>;
  /** Makes the names in a directory durable. */
  syncDirectory?(path: string): Promise<void>;
};

const realFiles: SegmentFiles = {
  async create(path) {
    const handle = await open(path, 'wx', 0o644);
    return {
      async write(bytes, position) {
        let done = 0;
        while (done < bytes.length) done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
      },
      sync: () => handle.datasync(),
      truncate: (length) => handle.truncate(length),
      close: () => handle.close(),
    };
  },
};

type WriterOptions = {
  directory: string;
  writer: string;
  maxSegmentBytes?: number;
  /** More than this waiting for the disk, and appends are refused: memory must not fill because a disk does not answer. */
  maxWaitingBytes?: number;
  files?: SegmentFiles;
  onTornTail?: (torn: TornTail) => void;
  /** Whose this writer is; one of its own where none is given. Segments of lives that are over are recovered, others left alone. */
  life?: Life;
};
type Segment = { name: string; file: SegmentFile; inode: bigint; bytes: number; records: number; hash: Hash; torn: boolean };
type Waiting = { text: string; records: number; done: () => void; failed: (error: unknown) => void };

/** Opens the stream for one writer; what lives of that writer left open that are over is cut behind its last whole line and sealed. */
export async function openLogWriter(options: WriterOptions): Promise<LogWriter> {
  const { directory, writer, maxSegmentBytes = 64 * 2 ** 20, maxWaitingBytes = 16 * 2 ** 20, files = realFiles, onTornTail } = options;
  const life = options.life ?? beginLife();
  if (!writerName.test(writer)) throw new UnderstudyError('UND-INPUT', `${JSON.stringify(writer)} is not the name of a writer`);
  await makeDirectory(directory);
  const recover = () => recoverSegments({ directory, writer, life, onTornTail });
  await recover();
  let sequence = await lastSequence(directory, writer);
  let segment: Segment | undefined;
  let queue: Waiting[] = [];
  let turn: Promise<void> = Promise.resolve();
  let scheduled = false;
  let closed = false;
  const waiting = { bytes: 0, sinceMs: 0 };
  const unavailable = (cause: unknown): UnderstudyError =>
    new UnderstudyError('UND-LOG-UNAVAILABLE', `The log ${directory} cannot be written: ${cause instanceof Error ? cause.message : cause}`, { cause });

  /** Work on the segment goes one after the other. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work);
    turn = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  };

  async function current(): Promise<Segment> {
    if (segment !== undefined) return segment;
    sequence += 1;
    const name = `${writer}-${String(sequence).padStart(8, '0')}~${life.id}`;
    const path = join(directory, name + openSuffix);
    const file = await files.create(path);
    const inode = await inodeOnceNamed(path).catch(async (error) => {
      // Its name may not outlive a power cut: nothing is written into it, and the next append makes another.
      await file.close();
      throw error;
    });
    segment = { name, file, inode, bytes: 0, records: 0, hash: createHash('sha256'), torn: false };
    return segment;
  }

  async function inodeOnceNamed(path: string): Promise<bigint> {
    await (files.syncDirectory ?? syncDirectory)(directory);
    return (await stat(path, { bigint: true })).ino;
  }

  /**
   * Whoever takes the segment over renames it first: while the name stands, what was written before is read by all. A process that slept for long
   * finds its file gone, and must not call anything accepted that only it can see.
   */
  async function assertOurs(target: Segment): Promise<void> {
    const found = await stat(join(directory, target.name + openSuffix), { bigint: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return undefined;
    });
    if (found?.ino === target.inode) return;
    await letGo(target);
    throw new Error(`another process has taken ${target.name} over`);
  }

  async function letGo(target: Segment): Promise<void> {
    segment = undefined;
    await target.file.close().catch(() => undefined);
  }

  /**
   * What was half written must not be taken for a record later: nothing is written or sealed until it is cut off. And nothing is written in its place: a
   * reader may have seen it and gone on behind it, so the segment ends here.
   */
  async function mend(target: Segment): Promise<void> {
    if (!target.torn) return;
    await target.file.truncate(target.bytes);
    target.torn = false;
    await sealSegment();
  }

  async function flush(): Promise<void> {
    const before = queue.reduce((bytes, { text }) => bytes + text.length, 0);
    await flushQueue();
    waiting.bytes -= before;
  }

  /** One write and one sync for all that waited: group commit. */
  async function flushQueue(): Promise<void> {
    scheduled = false;
    const batch = queue;
    queue = [];
    if (batch.length === 0) return;
    waiting.sinceMs = performance.now();
    let target: Segment | undefined;
    try {
      await mend(await current());
      target = await current();
      const bytes = Buffer.from(batch.map((one) => one.text).join(''), 'utf8');
      await target.file.write(bytes, target.bytes);
      await target.file.sync();
      await assertOurs(target);
      target.bytes += bytes.length;
      target.records += batch.reduce((sum, one) => sum + one.records, 0);
      target.hash.update(bytes);
      for (const one of batch) one.done();
    } catch (cause) {
      if (target !== undefined && target === segment) {
        target.torn = true;
        await mend(target).catch(() => undefined);
      }
      for (const one of batch) one.failed(unavailable(cause));
      return;
    }
    // What is on disk stays acknowledged where only the sealing fails; it is tried again behind the next batch.
    if (target.bytes >= maxSegmentBytes) await sealSegment().catch(() => undefined);
  }

  async function sealSegment(): Promise<SealedSegment | undefined> {
    const ending = segment;
    if (ending === undefined || ending.records === 0) return undefined;
    const digest = ending.hash.copy().digest('hex');
    try {
      await mend(ending);
      if (segment !== ending) return undefined;
      const sealed = await sealFile(directory, { name: ending.name, records: ending.records, bytes: ending.bytes, digest: `sha256:${digest}` });
      await letGo(ending);
      return sealed;
    } catch (cause) {
      // Taken over: whoever has it seals it.
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') await letGo(ending);
      throw unavailable(cause);
    }
  }

  return {
    append(records) {
      if (records.length === 0) return Promise.resolve();
      if (closed) return Promise.reject(unavailable('it is closed'));
      const text = `${records.map((record) => JSON.stringify(record)).join('\n')}\n`;
      if (waiting.bytes > 0 && waiting.bytes + text.length > maxWaitingBytes)
        return Promise.reject(new UnderstudyError('UND-OVERLOADED', `${waiting.bytes} bytes wait for the log ${directory} already`));
      if (waiting.bytes === 0) waiting.sinceMs = performance.now();
      waiting.bytes += text.length;
      return new Promise<void>((done, failed) => {
        queue.push({ text, records: records.length, done, failed });
        if (scheduled) return;
        scheduled = true;
        void inTurn(flush);
      });
    },
    waitingMs: () => (waiting.bytes === 0 ? 0 : performance.now() - waiting.sinceMs),
    seal: () =>
      inTurn(async () => {
        await flush();
        // By now it may be known of others that they are over.
        await recover().catch(() => undefined);
        return sealSegment();
      }),
    close() {
      closed = true;
      return inTurn(async () => {
        await flush();
        try {
          await sealSegment();
        } finally {
          // What could not be sealed is sealed by this writer's next life.
          await segment?.file.close();
          segment = undefined;
          if (options.life === undefined) life.end();
        }
      });
    },
  };
}

export function openLogReader({ directory }: { directory: string }): LogReader {
  return {
    async sealed() {
      const segments: SealedSegment[] = [];
      for (const { name, open } of await segmentFiles(directory)) if (!open) segments.push(withoutHistory(await sealOf(directory, name)));
      return segments.filter((segment) => segment.records > 0);
    },

    read: (segments) => readSealed(directory, segments),

    async tail(cursor, { writtenSinceMs = 0, containing = '' } = {}) {
      const next: Record<string, number> = { ...cursor };
      const records: unknown[] = [];
      for (const { file, name } of await segmentFiles(directory)) {
        // Open, taken over and sealed are one segment: `<name>.jsonl` is where the cursor stands.
        const key = name + sealedSuffix;
        const found = await linesFrom({ path: join(directory, file), renamed: join(directory, key), from: next[key] ?? 0, writtenSinceMs });
        let read = found.lines.length;
        for (const [place, line] of found.lines.entries()) {
          if (line === '' || !line.includes(containing)) continue;
          const record = tryRecord(line);
          if (record === undefined && file === key) throw notARecord(key);
          // In a segment that is not sealed a power cut may have left a hole: its writer's next life will cut it.
          if (record === undefined) read = Math.min(read, place);
          if (read === place) break;
          if (!isErased(record)) records.push(record);
        }
        if (read === found.lines.length) next[key] = found.next;
        else next[key] = found.next - found.lines.slice(read).reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
      }
      return { records, cursor: next as LogCursor };
    },

    scan: (scan) => scanLog({ directory, ...scan }),
    follow: (from) => followLog({ directory, ...from }),
  };
}
