import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { digestBytes } from '../../models/contracts/digest.ts';
import type { Digest } from '../../models/contracts/ids.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { findMatches } from './source-matches.ts';

/** So much a packed source may unpack to, in bytes: 64 GiB. More is taken for a bomb. */
export const unpackedLimitBytes = 2 ** 36;

/** So much of a file, unpacked, is kept to find its header in. */
export const headBytes = 1 << 20;

export type FileRead = {
  digest: Digest;
  /** As it lies there, packed or not. */
  bytes: number;
  /** Of what unpacking gave; 0 for a file that is not packed. */
  unpackedBytes: number;
  /** The first bytes, unpacked. */
  head: Buffer;
  /** Lines that are not empty; in quotes, a line break is none. Stray quotes may hide some: there are at least so many. 0 for what has no lines. */
  lines: number;
  /** Another one says that the file was written to, or is another file. */
  stamp: string;
};

const chunkSize = 1 << 18;
const packings: [RegExp, () => Unpacker][] = [
  [/\.gz$/i, () => createGunzip({ chunkSize })],
  [/\.zst$/i, () => createZstdDecompress({ chunkSize })],
];
type Unpacker = ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>;

/**
 * Digests a file from end to end, and unpacks it on the way, without keeping more than its head.
 * @throws UND-FILE when it unpacks to more than `limitBytes`; the errors of the file system and of node:zlib (truncated, damaged).
 */
export async function readThrough(file: { path: string; quote: '"' | '' | undefined; signal: AbortSignal | undefined; limitBytes: number }): Promise<FileRead> {
  const handle = await open(file.path, 'r');
  const stamp = stampOf(await handle.stat({ bigint: true }));
  const hash = createHash('sha256');
  const head: Buffer[] = [];
  let bytes = 0;
  let kept = 0;
  const counter = countLines(file.quote ?? '');
  const keep = (chunk: Buffer) => {
    if (file.quote !== undefined) counter.take(chunk);
    if (kept < headBytes) head.push(chunk.subarray(0, headBytes - kept));
    kept += chunk.length;
  };
  const create = packings.find(([suffix]) => suffix.test(file.path))?.[1];
  const unpacking = create === undefined ? undefined : unpack({ ...file, create, take: keep });
  try {
    for await (const chunk of createReadStream(file.path, { fd: handle, signal: file.signal }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      if (unpacking === undefined) keep(chunk);
      else await unpacking.write(chunk);
    }
    await unpacking?.end();
  } finally {
    unpacking?.close();
  }
  return {
    digest: `sha256:${hash.digest('hex')}`,
    bytes,
    unpackedBytes: unpacking === undefined ? 0 : kept,
    head: Buffer.concat(head),
    lines: counter.lines(),
    stamp,
  };
}

function countLines(quote: '"' | '') {
  const quoteByte = quote === '' ? -1 : quote.charCodeAt(0);
  let lines = 0;
  let inQuotes = false;
  let isEmpty = true;
  return {
    lines: () => lines + (isEmpty ? 0 : 1),
    take(chunk: Buffer) {
      for (let at = 0; at < chunk.length; at++) {
        const byte = chunk[at];
        if (byte === quoteByte) inQuotes = !inQuotes;
        // DuckDB ends a line without quotes at a lone carriage return too.
        if ((byte === 10 && !inQuotes) || (byte === 13 && quote === '')) {
          if (!isEmpty) lines += 1;
          isEmpty = true;
        } else if (byte !== 13) isEmpty = false;
      }
    },
  };
}

/** Unpacks member after member: node:zlib ends with the first frame of Zstandard, and what follows would go unread. */
function unpack({ path, limitBytes, create, take }: { path: string; limitBytes: number; create: () => Unpacker; take: (chunk: Buffer) => void }) {
  let unpacked = 0;
  let given = 0;
  let stream = start();
  function start(): Unpacker {
    const made = create();
    given = 0;
    made.on('data', (chunk: Buffer) => {
      unpacked += chunk.length;
      if (unpacked > limitBytes) made.destroy(new UnderstudyError('UND-FILE', `${path} unpacks to more than ${limitBytes} bytes: unpack it, and split it`));
      else take(chunk);
    });
    made.on('error', () => undefined);
    return made;
  }
  const settle = (act: (done: (error?: Error | null) => void) => void) =>
    new Promise<void>((resolve, reject) => {
      if (stream.errored) return reject(stream.errored);
      stream.once('error', reject);
      act((error) => {
        stream.off('error', reject);
        if (error) reject(error);
        else resolve();
      });
    });
  const ended = () => (stream.readableEnded ? Promise.resolve() : settle((done) => stream.once('end', done)));
  async function next(): Promise<void> {
    await ended();
    stream.destroy();
    stream = start();
  }
  return {
    async write(chunk: Buffer): Promise<void> {
      for (let rest = chunk; rest.length > 0; ) {
        given += rest.length;
        await settle((done) => stream.write(rest, done));
        rest = rest.subarray(rest.length - (given - stream.bytesWritten));
        if (rest.length > 0) await next();
      }
    },
    end(): Promise<void> {
      stream.end();
      return ended();
    },
    close: () => stream.destroy(),
  };
}

const stampOf = ({ dev, ino, size, mtimeNs }: { dev: bigint; ino: bigint; size: bigint; mtimeNs: bigint }): string => [dev, ino, size, mtimeNs].join(':');

/** @throws UND-FILE when the file is not what it was when it was digested. */
export async function checkUnchanged({ path, stamp }: { path: string; stamp: string }): Promise<void> {
  const now = await stat(path, { bigint: true }).then(stampOf, () => 'gone');
  if (now !== stamp) throw new UnderstudyError('UND-FILE', `${path} changed while it was read`);
}

/** The digest of a source: the file's own; of several files that of their digests in order, as lines of text. */
export function joinDigests(digests: readonly Digest[]): Digest {
  const [first] = digests;
  return first !== undefined && digests.length === 1 ? first : digestBytes(digests.map((digest) => `${digest}\n`).join(''));
}

/** Names a source by what lies there, without unpacking it. @throws UND-FILE */
export async function digestSource(path: string): Promise<{ name: string; digest: Digest }> {
  try {
    const { name, files } = await findMatches(path);
    const digests: Digest[] = [];
    for (const file of files) digests.push(await digestFile(file.path));
    return { name, digest: joinDigests(digests) };
  } catch (cause) {
    throw asFileError({ path, cause });
  }
}

async function digestFile(path: string): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}

export function asFileError({ path, cause }: { path: string; cause: unknown }): UnderstudyError {
  return cause instanceof UnderstudyError ? cause : new UnderstudyError('UND-FILE', `${path}: ${cause instanceof Error ? cause.message : cause}`, { cause });
}
