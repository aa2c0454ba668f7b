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
  const traces = tracesOf(people);
  for await (const { digest, path } of blobs.list()) {
    signal?.throwIfAborted();
    // Trainings of before kept what they would go on from here, with what they knew of people.
    if ((await readHead(path, checkpointHead.length + 4)).subarray(4).equals(checkpointHead)) {
      await blobs.drop(digest);
      continue;
    }
    const rows = theirs.get(path);
    if (rows === 0 || (rows === undefined && !(await holdsAny(path, traces)))) continue;
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
  const traces = tracesOf(people);
  for await (const path of filesBelow(root)) {
    signal?.throwIfAborted();
    if (path.startsWith(join(root, 'erasures')) || path.startsWith(workDir)) continue;
    result.files += 1;
    result.bytes += (await stat(path).catch(() => ({ size: 0 }))).size;
    if (!theirs.has(path) && (await holdsAny(path, traces))) result.found.push(relative(root, path));
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

/** In pieces that overlap, so that nothing hides between two. */
export async function holdsAny(path: string, needles: readonly Buffer[]): Promise<boolean> {
  const longest = Math.max(0, ...needles.map(({ length }) => length));
  let before: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      const piece = before.length === 0 ? chunk : Buffer.concat([before, chunk]);
      if (needles.some((needle) => piece.includes(needle))) return true;
      before = piece.subarray(Math.max(0, piece.length - longest + 1));
    }
  } catch (error) {
    // Gone since it was listed: a scratch file, a segment that was sealed.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return false;
}
