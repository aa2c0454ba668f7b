import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Subjects } from '../../models/contracts/erasure.ts';
import type { Digest } from '../../models/contracts/ids.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { type Duck, withDuck } from '../events/duckdb.ts';
import { readHead } from './read-head.ts';
import { filesWith, isTheirs, loadPersons, type ParquetKind, parquetBlobs } from './person-sql.ts';

/** How ids stand in documents and records: as a user, session, device or unit, as a profile's key, as a word on consent. */
export function tracesOf({ userIds, sessionIds, deviceIds }: Subjects): Buffer[] {
  const quoted = (text: string) => JSON.stringify(text);
  const traces = [
    ...userIds.flatMap((id) => [`"userId":${quoted(id)}`, quoted(`u:${id}`), `${quoted(id)}:[[`, `${quoted(id)}:[]`]),
    ...sessionIds.flatMap((id) => [`"sessionId":${quoted(id)}`, quoted(`s:${id}`)]),
    ...deviceIds.flatMap((id) => [`"deviceId":${quoted(id)}`, quoted(`d:${id}`)]),
  ];
  // Pseudonyms are like nothing else, and are looked for bare.
  const bare = [...userIds, ...sessionIds, ...deviceIds].filter((id) => /^p_[A-Za-z0-9_-]{22}$/.test(id));
  // Temporal keeps JSON inside JSON.
  return [...traces, ...traces.map((trace) => trace.replaceAll('"', '\\"')), ...bare].map((trace) => Buffer.from(trace, 'utf8'));
}

/** Behind the four bytes of its header's length; what is kept for a warm start is of no training, and has another name there. */
const checkpointHead = Buffer.from('{"fingerprint":"sha256:');

type Input = { blobs: BlobStore; people: Subjects; workDir: string; signal?: AbortSignal | undefined };

/**
 * Removes every blob that holds something of theirs, whatever generation, window or failed attempt it is from.
 * @returns the blobs that are gone.
 */
export async function sweepBlobs({ blobs, people, certificate, workDir, signal }: Input & { certificate: string }): Promise<Digest[]> {
  const gone: Digest[] = [];
  const theirs = await withDuck({ workDir, signal }, async (duck) => {
    await loadPersons(duck, people);
    return theirParquet({ duck, blobs });
  });
  const holdsAny = searchFor(tracesOf(people));
  for await (const { digest, path } of blobs.list()) {
    signal?.throwIfAborted();
    // Trainings of before kept what they would go on from here, with what they knew of people.
    if ((await readHead(path, checkpointHead.length + 4)).subarray(4).equals(checkpointHead)) {
      await blobs.drop(digest);
      continue;
    }
    const rows = theirs.get(path);
    if (rows === 0 || (rows === undefined && !(await holdsAny(path)))) continue;
    await blobs.erase(digest, certificate);
    gone.push(digest);
  }
  return gone;
}

/** Of each Parquet file, how many rows are theirs. What is compressed cannot be searched for ids, and by its rows it is looked at as a whole. */
async function theirParquet({ duck, blobs }: { duck: Duck; blobs: BlobStore }): Promise<Map<string, number>> {
  const rowsOf = new Map<string, number>();
  for (const [kind, paths] of Object.entries(await parquetBlobs({ duck, blobs })) as [ParquetKind, string[]][]) {
    const found = await filesWith({ duck, kind, doomed: isTheirs, paths });
    for (const path of paths) rowsOf.set(path, found.get(path) ?? 0);
  }
  return rowsOf;
}

/** What is left of them in the state directory, requests aside: each goes with its own erasure. */
export async function lookEverywhere({
  root,
  blobs,
  people,
  workDir,
  signal,
}: Input & { root: string }): Promise<{ files: number; bytes: number; found: string[] }> {
  const result = { files: 0, bytes: 0, found: [] as string[] };
  const theirs = await withDuck({ workDir, signal }, async (duck) => {
    await loadPersons(duck, people);
    return theirParquet({ duck, blobs });
  });
  for (const [path, rows] of theirs) if (rows > 0) result.found.push(relative(root, path));
  const holdsAny = searchFor(tracesOf(people));
  for await (const path of filesBelow(root)) {
    signal?.throwIfAborted();
    if (path.startsWith(join(root, 'erasures')) || path.startsWith(workDir)) continue;
    result.files += 1;
    result.bytes += (await stat(path).catch(() => ({ size: 0 }))).size;
    if (!theirs.has(path) && (await holdsAny(path))) result.found.push(relative(root, path));
  }
  return result;
}

async function* filesBelow(folder: string): AsyncGenerator<string> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}

/** Every needle is longer: a word of so many bytes at its end tells where it cannot be. */
const wordBytes = 4;
/** Spreads words over a table of 65,536, as a multiplication by the golden ratio does (Knuth, The Art of Computer Programming, vol. 3, section 6.4). */
const placeOf = (word: number) => Math.imul(word, 0x9e3779b1) >>> 16;

/** Whether a file holds one of the needles. It is read once, however many there are; pieces overlap, so that nothing hides between two. */
export function searchFor(needles: readonly Buffer[]): (path: string) => Promise<boolean> {
  const longest = Math.max(0, ...needles.map(({ length }) => length));
  const ends = new Uint8Array(65_536);
  const endingOn = Map.groupBy(needles, (needle) => needle.readInt32BE(needle.length - wordBytes));
  for (const word of endingOn.keys()) ends[placeOf(word)] = 1;

  function isIn(piece: Buffer): boolean {
    let word = 0;
    for (let at = 0; at < piece.length; at += 1) {
      word = (word << 8) | (piece[at] as number);
      if (ends[placeOf(word)] === 0) continue;
      const after = at + 1;
      for (const needle of endingOn.get(word) ?? []) if (after >= needle.length && needle.equals(piece.subarray(after - needle.length, after))) return true;
    }
    return false;
  }

  return async (path) => {
    let before: Buffer = Buffer.alloc(0);
    try {
      for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
        const piece = before.length === 0 ? chunk : Buffer.concat([before, chunk]);
        if (isIn(piece)) return true;
        before = piece.subarray(Math.max(0, piece.length - longest + 1));
      }
    } catch (error) {
      // Gone since it was listed: a scratch file, a segment that was sealed.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    return false;
  };
}
