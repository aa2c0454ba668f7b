import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Duck } from './duckdb.ts';

/*
 * DuckDB does not compare a Parquet page with its checksum: a flipped bit gives other values without a word. Where the writer left
 * checksums (Spark does, others when asked to), they are compared here. Format: apache/parquet-format, parquet.thrift, `PageHeader`; Thrift's
 * compact protocol.
 */

type Page = { headerBytes: number; bytes: number; crc: number | undefined };

const windowBytes = 1 << 20;

/** @param from the file as SQL. @throws UND-FILE naming the column of a page that is not what was written. */
export async function checkPages({ duck, path, from }: { duck: Duck; path: string; from: string }): Promise<void> {
  const chunks = await duck.rows<{ column: string; start: number; bytes: number }>(`
    SELECT path_in_schema AS column, least(data_page_offset, coalesce(nullif(dictionary_page_offset, 0), data_page_offset))::DOUBLE AS start,
      total_compressed_size::DOUBLE AS bytes FROM parquet_metadata(${from})`);
  const file = await open(path, 'r');
  const window = Buffer.alloc(windowBytes);
  const read = async (at: number, most: number) => window.subarray(0, (await file.read(window, 0, Math.min(most, windowBytes), at)).bytesRead);
  let checked = 0;
  let torn: string | undefined;
  try {
    for (const { column, start, bytes } of chunks) {
      let at = start;
      while (at < start + bytes) {
        const page = readPageHeader(await read(at, Math.min(headerGuessBytes, start + bytes - at))) ?? readPageHeader(await read(at, start + bytes - at));
        if (page === undefined) break;
        at += page.headerBytes;
        if (page.crc !== undefined) {
          checked += 1;
          if (page.crc !== (await crcOf({ read, at, bytes: page.bytes })))
            throw new UnderstudyError('UND-FILE', `${path}: a page of ${column}, at byte ${at}, does not have its checksum: the file is damaged`);
        }
        at += page.bytes;
      }
      if (at !== start + bytes) torn ??= column;
    }
    // The headers have no checksum of their own. Writers without any are left to DuckDB: some give sizes that do not add up.
    if (checked > 0 && torn !== undefined) throw new UnderstudyError('UND-FILE', `${path}: the pages of ${torn} do not add up to it: the file is damaged`);
  } finally {
    await file.close();
  }
}

/** A header is short, but for the statistics of long texts. */
const headerGuessBytes = 1 << 10;

async function crcOf({ read, at, bytes }: { read: (at: number, most: number) => Promise<Buffer>; at: number; bytes: number }): Promise<number> {
  let crc = 0;
  for (let done = 0; done < bytes; ) {
    const piece = await read(at + done, bytes - done);
    if (piece.length === 0) break;
    crc = crc32(piece, crc);
    done += piece.length;
  }
  return crc;
}

/** Undefined where the bytes hold no whole header. */
export function readPageHeader(bytes: Buffer): Page | undefined {
  const reader = { bytes, at: 0 };
  const numbers = new Map<number, number>();
  try {
    readStruct(reader, (field, value) => numbers.set(field, value));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  const [size, crc] = [numbers.get(3), numbers.get(4)];
  return size === undefined || size < 0 ? undefined : { headerBytes: reader.at, bytes: size, crc: crc === undefined ? undefined : crc >>> 0 };
}

type Reader = { bytes: Buffer; at: number };

/** @throws RangeError at the end of the bytes, and for what is no struct. */
function readStruct(reader: Reader, take: (field: number, value: number) => void, depth = 0): void {
  if (depth > 8) throw new RangeError('too deep');
  for (let field = 0; ; ) {
    const head = byte(reader);
    if (head === 0) return;
    const type = head & 15;
    field = head >> 4 === 0 ? zigzag(varint(reader)) : field + (head >> 4);
    if (type >= 4 && type <= 6) take(field, zigzag(varint(reader)));
    else skip({ reader, type, depth, inList: false });
  }
}

function skip({ reader, type, depth, inList }: { reader: Reader; type: number; depth: number; inList: boolean }): void {
  if (type === 1 || type === 2) reader.at += inList ? 1 : 0;
  else if (type === 3) reader.at += 1;
  else if (type >= 4 && type <= 6) varint(reader);
  else if (type === 7) reader.at += 8;
  else if (type === 8) {
    const length = varint(reader);
    reader.at += length;
  } else if (type === 9 || type === 10) {
    const head = byte(reader);
    const length = head >> 4 === 15 ? varint(reader) : head >> 4;
    for (let index = 0; index < length; index++) skip({ reader, type: head & 15, depth: depth + 1, inList: true });
  } else if (type === 12) readStruct(reader, () => undefined, depth + 1);
  else throw new RangeError('no type of a page header');
  if (reader.at > reader.bytes.length) throw new RangeError('past the end');
}

function byte(reader: Reader): number {
  const value = reader.bytes[reader.at];
  if (value === undefined) throw new RangeError('past the end');
  reader.at += 1;
  return value;
}

/** Up to 53 bits: sizes are 32. */
function varint(reader: Reader): number {
  let value = 0;
  for (let factor = 1; factor < 2 ** 53; factor *= 128) {
    const next = byte(reader);
    value += (next & 127) * factor;
    if (next < 128) return value;
  }
  throw new RangeError('too long a number');
}

const zigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);
