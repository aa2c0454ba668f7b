import type { Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { UnderstudyError } from '../models/contracts/problem.ts';

/** Lines end with a line feed and nothing else: JSON leaves U+2028 and U+2029 as they are, which other readers of lines split at. */
export async function* linesOf(chunks: AsyncIterable<Buffer>, hash: Hash): AsyncGenerator<string> {
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

export function recordOf(line: string, segment: string): unknown {
  const record = tryRecord(line);
  if (record === undefined) throw notARecord(segment);
  return record;
}

/** What stands in the place of a record that was erased, as long as it was: those who have read up to a place of the file go on behind it. */
export function erasedLine(bytes: number): Buffer {
  const [before, after] = ['{"erased":true', '}'];
  return Buffer.from(before + ' '.repeat(bytes - before.length - after.length) + after);
}

/** Records that were erased are none. */
export const isErased = (record: unknown): boolean => typeof record === 'object' && record !== null && (record as { erased?: unknown }).erased === true;

/** Undefined where the line is no JSON. */
export function tryRecord(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

export const notARecord = (segment: string) => new UnderstudyError('UND-DIGEST', `The log segment ${segment} has a line that is no record`);

type ReadFrom = { path: string; renamed: string; from: number; writtenSinceMs?: number; maxBytes?: number };

/**
 * The whole lines from a place on, and the place behind them. Where the place is not behind a line feed, the file was cut and written again since the
 * place was known: then it is read from its beginning.
 */
export async function linesFrom({ path, renamed, from, writtenSinceMs = 0, maxBytes }: ReadFrom): Promise<{ lines: string[]; next: number; size: number }> {
  // The segment may be sealed between the listing and the reading.
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return open(renamed, 'r');
  });
  try {
    const { size, mtimeMs } = await handle.stat();
    if (size <= from || mtimeMs < writtenSinceMs) return { lines: [], next: from, size };
    const before = Math.max(0, from - 1);
    const buffer = Buffer.alloc(Math.min(size - before, maxBytes ?? size));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, before);
    if (from > 0 && buffer[0] !== 0x0a) return linesFrom({ path, renamed, from: 0, writtenSinceMs, ...(maxBytes === undefined ? {} : { maxBytes }) });
    const bytes = buffer.subarray(from - before, bytesRead);
    const whole = bytes.lastIndexOf(0x0a) + 1;
    return { lines: whole === 0 ? [] : bytes.toString('utf8', 0, whole - 1).split('\n'), next: from + whole, size };
  } finally {
    await handle.close();
  }
}
