import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { digestString } from '../models/contracts/ids.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { makeDirectory, syncDirectory } from './durable-files.ts';
import type { LogCursor, LogReader, LogWriter, SealedSegment } from './event-log.ts';
import { lastSequence, openSuffix, recoverSegments, sealedSuffix, sealFile, type TornTail } from './log-recovery.ts';

/*
 * A stream is a directory of JSON-lines segments, `<writer>-<sequence>.jsonl`, with `.open` behind the name while it is written. What a sealed
 * segment holds stands in `<writer>-<sequence>.seal`, written before the rename.
 */

const writerName = /^[a-z0-9][a-z0-9.-]{0,62}$/;
const sealDocument = z.strictObject({ name: z.string(), digest: digestString, records: z.number().int(), bytes: z.number().int() });

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

type WriterOptions = { directory: string; writer: string; maxSegmentBytes?: number; files?: SegmentFiles; onTornTail?: (torn: TornTail) => void };
type Segment = { name: string; file: SegmentFile; bytes: number; records: number; hash: Hash; torn: boolean };
type Waiting = { text: string; records: number; done: () => void; failed: (error: unknown) => void };

/** Opens the stream for one writer; what an earlier life of that writer left open is cut behind its last whole line and sealed. */
export async function openLogWriter({ directory, writer, maxSegmentBytes = 64 * 2 ** 20, files = realFiles, onTornTail }: WriterOptions): Promise<LogWriter> {
  if (!writerName.test(writer)) throw new UnderstudyError('UND-INPUT', `${JSON.stringify(writer)} is not the name of a writer`);
  await makeDirectory(directory);
  await recoverSegments({ directory, writer, onTornTail });
  let sequence = await lastSequence(directory, writer);
  let segment: Segment | undefined;
  let queue: Waiting[] = [];
  let turn: Promise<void> = Promise.resolve();
  let scheduled = false;
  let closed = false;
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
    const name = `${writer}-${String(sequence).padStart(8, '0')}`;
    const file = await files.create(join(directory, name + openSuffix));
    await (files.syncDirectory ?? syncDirectory)(directory).catch(async (error) => {
      // Its name may not outlive a power cut: nothing is written into it, and the next append makes another.
      await file.close();
      throw error;
    });
    segment = { name, file, bytes: 0, records: 0, hash: createHash('sha256'), torn: false };
    return segment;
  }

  /** What was half written must not be taken for a record later: nothing is written or sealed until it is cut off. */
  async function mend(target: Segment): Promise<void> {
    if (!target.torn) return;
    await target.file.truncate(target.bytes);
    target.torn = false;
  }

  /** One write and one sync for all that waited: group commit. */
  async function flush(): Promise<void> {
    scheduled = false;
    const batch = queue;
    queue = [];
    if (batch.length === 0) return;
    let target: Segment | undefined;
    try {
      target = await current();
      await mend(target);
      const bytes = Buffer.from(batch.map((one) => one.text).join(''), 'utf8');
      await target.file.write(bytes, target.bytes);
      await target.file.sync();
      target.bytes += bytes.length;
      target.records += batch.reduce((sum, one) => sum + one.records, 0);
      target.hash.update(bytes);
      for (const one of batch) one.done();
    } catch (cause) {
      if (target !== undefined) {
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
      const sealed = await sealFile(directory, { name: ending.name, records: ending.records, bytes: ending.bytes, digest: `sha256:${digest}` });
      segment = undefined;
      await ending.file.close();
      return sealed;
    } catch (cause) {
      throw unavailable(cause);
    }
  }

  return {
    append(records) {
      if (records.length === 0) return Promise.resolve();
      if (closed) return Promise.reject(unavailable('it is closed'));
      const text = `${records.map((record) => JSON.stringify(record)).join('\n')}\n`;
      return new Promise<void>((done, failed) => {
        queue.push({ text, records: records.length, done, failed });
        if (scheduled) return;
        scheduled = true;
        void inTurn(flush);
      });
    },
    seal: () =>
      inTurn(async () => {
        await flush();
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
        }
      });
    },
  };
}

export function openLogReader({ directory }: { directory: string }): LogReader {
  const names = async (suffixes: readonly string[]): Promise<string[]> => {
    const files = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    return files.filter((file) => suffixes.some((suffix) => file.endsWith(suffix))).sort();
  };

  return {
    async sealed() {
      const segments: SealedSegment[] = [];
      for (const file of await names([sealedSuffix]))
        segments.push(sealDocument.parse(JSON.parse(await readFile(join(directory, `${file.slice(0, -sealedSuffix.length)}.seal`), 'utf8'))));
      return segments.filter((segment) => segment.records > 0);
    },

    async *read(segments) {
      for (const segment of segments) {
        const path = join(directory, segment.name + sealedSuffix);
        const size = (await stat(path).catch(() => undefined))?.size;
        if (size !== segment.bytes)
          throw new UnderstudyError('UND-DIGEST', `The log segment ${segment.name} has ${size ?? 'no'} bytes, its seal says ${segment.bytes}`);
        const hash = createHash('sha256');
        for await (const line of linesOf(createReadStream(path), hash)) yield recordOf(line, segment.name);
        if (`sha256:${hash.digest('hex')}` !== segment.digest)
          throw new UnderstudyError('UND-DIGEST', `The log segment ${segment.name} holds other bytes than its seal says`);
      }
    },

    async tail(cursor, { writtenSinceMs = 0, containing = '' } = {}) {
      const next: Record<string, number> = { ...cursor };
      const records: unknown[] = [];
      for (const file of await names([sealedSuffix, openSuffix])) {
        // Open and sealed are one segment: the name without `.open` is where the cursor stands.
        const key = file.replace(/\.open$/, '');
        const from = next[key] ?? 0;
        const bytes = await readFrom({ path: join(directory, file), renamed: join(directory, key), from, writtenSinceMs });
        const whole = bytes.lastIndexOf(0x0a) + 1;
        if (whole === 0) continue;
        for (const line of bytes.toString('utf8', 0, whole).split('\n')) if (line !== '' && line.includes(containing)) records.push(recordOf(line, key));
        next[key] = from + whole;
      }
      return { records, cursor: next as LogCursor };
    },
  };
}

/** Lines end with a line feed and nothing else: JSON leaves U+2028 and U+2029 as they are, which other readers of lines split at. */
async function* linesOf(chunks: AsyncIterable<Buffer>, hash: Hash): AsyncGenerator<string> {
  let begun: Buffer[] = [];
  for await (const chunk of chunks) {
    hash.update(chunk);
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      const last = chunk.subarray(from, end);
      yield begun.length === 0 ? last.toString('utf8') : Buffer.concat([...begun, last]).toString('utf8');
      begun = [];
      from = end + 1;
    }
    if (from < chunk.length) begun.push(chunk.subarray(from));
  }
}

function recordOf(line: string, segment: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new UnderstudyError('UND-DIGEST', `The log segment ${segment} has a line that is no record`, { cause });
  }
}

type ReadFrom = { path: string; renamed: string; from: number; writtenSinceMs: number };

/** The segment may be sealed between the listing and the reading. */
async function readFrom({ path, renamed, from, writtenSinceMs }: ReadFrom): Promise<Buffer> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return open(renamed, 'r');
  });
  try {
    const { size, mtimeMs } = await handle.stat();
    if (size <= from || mtimeMs < writtenSinceMs) return Buffer.alloc(0);
    const buffer = Buffer.alloc(size - from);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, from);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
