import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { digestString } from '../models/contracts/ids.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { replaceFile, syncDirectory } from './durable-files.ts';
import type { LogCursor, LogReader, LogWriter, SealedSegment } from './event-log.ts';

/*
 * A stream is a directory of JSON-lines segments, `<writer>-<sequence>.jsonl`, with `.open` behind the name while it is written. What a sealed
 * segment holds stands in `<writer>-<sequence>.seal`, written before the rename.
 */

const openSuffix = '.jsonl.open';
const sealedSuffix = '.jsonl';
const writerName = /^[a-z0-9][a-z0-9.-]{0,62}$/;
const sealDocument = z.strictObject({ name: z.string(), digest: digestString, records: z.number().int(), bytes: z.number().int() });

/** The file operations of a writer: a test gives others, to make a disk full or to lose what was not synced. */
export type SegmentFile = { write(bytes: Uint8Array, position: number): Promise<void>; sync(): Promise<void>; truncate(length: number): Promise<void>; close(): Promise<void> };
export type SegmentFiles = { create(path: string): Promise<SegmentFile> };

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

export type TornTail = { segment: string; bytes: number };
type WriterOptions = { directory: string; writer: string; maxSegmentBytes?: number; files?: SegmentFiles; onTornTail?: (torn: TornTail) => void };
type Segment = { name: string; file: SegmentFile; bytes: number; records: number; hash: Hash };
type Waiting = { text: string; records: number; done: () => void; failed: (error: unknown) => void };

/** Opens the stream for one writer; what an earlier life of that writer left open is cut behind its last whole line and sealed. */
export async function openLogWriter({ directory, writer, maxSegmentBytes = 64 * 2 ** 20, files = realFiles, onTornTail }: WriterOptions): Promise<LogWriter> {
  if (!writerName.test(writer)) throw new UnderstudyError('UND-INPUT', `${JSON.stringify(writer)} is not the name of a writer`);
  await mkdir(directory, { recursive: true });
  await recover(directory, writer, onTornTail);
  let sequence = await lastSequence(directory, writer);
  let segment: Segment | undefined;
  let queue: Waiting[] = [];
  let turn: Promise<void> = Promise.resolve();
  let scheduled = false;

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
    await syncDirectory(directory);
    segment = { name, file, bytes: 0, records: 0, hash: createHash('sha256') };
    return segment;
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
      const bytes = Buffer.from(batch.map((one) => one.text).join(''), 'utf8');
      await target.file.write(bytes, target.bytes);
      await target.file.sync();
      target.bytes += bytes.length;
      target.records += batch.reduce((sum, one) => sum + one.records, 0);
      target.hash.update(bytes);
      for (const one of batch) one.done();
      if (target.bytes >= maxSegmentBytes) await sealSegment();
    } catch (cause) {
      // What was half written must not be taken for a record later.
      await target?.file.truncate(target.bytes).catch(() => undefined);
      const error = new UnderstudyError('UND-LOG-UNAVAILABLE', `The log ${directory} cannot be written: ${cause instanceof Error ? cause.message : cause}`, { cause });
      for (const one of batch) one.failed(error);
    }
  }

  async function sealSegment(): Promise<SealedSegment | undefined> {
    const ending = segment;
    if (ending === undefined || ending.records === 0) return undefined;
    await ending.file.close();
    segment = undefined;
    return seal(directory, { name: ending.name, records: ending.records, bytes: ending.bytes, digest: `sha256:${ending.hash.digest('hex')}` });
  }

  return {
    append(records) {
      if (records.length === 0) return Promise.resolve();
      const text = `${records.map((record) => JSON.stringify(record)).join('\n')}\n`;
      return new Promise<void>((done, failed) => {
        queue.push({ text, records: records.length, done, failed });
        if (scheduled) return;
        scheduled = true;
        void inTurn(flush);
      });
    },
    seal: () => inTurn(async () => {
      await flush();
      return sealSegment();
    }),
    close: () => inTurn(async () => {
      await flush();
      await sealSegment();
      await segment?.file.close();
      segment = undefined;
    }),
  };
}

async function seal(directory: string, sealed: SealedSegment): Promise<SealedSegment> {
  await replaceFile(join(directory, `${sealed.name}.seal`), JSON.stringify(sealed));
  await rename(join(directory, sealed.name + openSuffix), join(directory, sealed.name + sealedSuffix));
  await syncDirectory(directory);
  return sealed;
}

/** Cuts and seals what this writer left open when it died. */
async function recover(directory: string, writer: string, onTornTail: WriterOptions['onTornTail']): Promise<void> {
  for (const file of (await readdir(directory)).filter((one) => one.startsWith(`${writer}-`) && one.endsWith(openSuffix)).sort()) {
    const path = join(directory, file);
    const name = file.slice(0, -openSuffix.length);
    const bytes = await readFile(path);
    const whole = bytes.lastIndexOf(0x0a) + 1;
    const handle = await open(path, 'r+');
    try {
      if (whole < bytes.length) {
        await handle.truncate(whole);
        onTornTail?.({ segment: name, bytes: bytes.length - whole });
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    const kept = bytes.subarray(0, whole);
    await seal(directory, { name, records: countLines(kept), bytes: whole, digest: `sha256:${createHash('sha256').update(kept).digest('hex')}` });
  }
}

async function lastSequence(directory: string, writer: string): Promise<number> {
  const numbers = (await readdir(directory)).flatMap((file) => {
    const match = file.startsWith(`${writer}-`) ? /^(\d{8})\.jsonl/.exec(file.slice(writer.length + 1)) : null;
    return match === null ? [] : [Number(match[1])];
  });
  return Math.max(0, ...numbers);
}

function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (const byte of bytes) if (byte === 0x0a) lines += 1;
  return lines;
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
      for (const file of await names([sealedSuffix])) segments.push(sealDocument.parse(JSON.parse(await readFile(join(directory, `${file.slice(0, -sealedSuffix.length)}.seal`), 'utf8'))));
      return segments.filter((segment) => segment.records > 0);
    },

    async *read(segments) {
      for (const segment of segments) {
        const path = join(directory, segment.name + sealedSuffix);
        const size = (await stat(path).catch(() => undefined))?.size;
        if (size !== segment.bytes) throw new UnderstudyError('UND-DIGEST', `The log segment ${segment.name} has ${size ?? 'no'} bytes, its seal says ${segment.bytes}`);
        const hash = createHash('sha256');
        const bytes = createReadStream(path);
        bytes.on('data', (chunk) => hash.update(chunk));
        for await (const line of createInterface({ input: bytes, crlfDelay: Number.POSITIVE_INFINITY })) yield JSON.parse(line) as unknown;
        if (`sha256:${hash.digest('hex')}` !== segment.digest) throw new UnderstudyError('UND-DIGEST', `The log segment ${segment.name} holds other bytes than its seal says`);
      }
    },

    async tail(cursor) {
      const next: Record<string, number> = { ...cursor };
      const records: unknown[] = [];
      for (const file of await names([sealedSuffix, openSuffix])) {
        // Open and sealed are one segment: the name without `.open` is where the cursor stands.
        const key = file.replace(/\.open$/, '');
        const from = next[key] ?? 0;
        const bytes = await readFrom(join(directory, file), from, join(directory, key));
        const whole = bytes.lastIndexOf(0x0a) + 1;
        if (whole === 0) continue;
        for (const line of bytes.toString('utf8', 0, whole).split('\n')) if (line !== '') records.push(JSON.parse(line));
        next[key] = from + whole;
      }
      return { records, cursor: next as LogCursor };
    },
  };
}

/** The segment may be sealed between the listing and the reading. */
async function readFrom(path: string, from: number, renamed: string): Promise<Buffer> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return open(renamed, 'r');
  });
  try {
    const { size } = await handle.stat();
    if (size <= from) return Buffer.alloc(0);
    const buffer = Buffer.alloc(size - from);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, from);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
