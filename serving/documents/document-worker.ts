import { readFile } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { Charter } from '../../models/contracts/charter.ts';
import { digestBytes } from '../../models/contracts/digest.ts';
import { asUnderstudyError, type ProblemCode, UnderstudyError } from '../../models/contracts/problem.ts';
import { type CatalogUse, parseCatalog, parseProfiles, type ProfileEntries } from './parse.ts';

/*
 * A thread that reads and checks one large document and hands it over in pieces, each when it is asked for: the thread that serves takes them in between
 * its requests.
 */

export type DocumentJob = { path: string; digest: string } & (({ kind: 'catalog'; rules: Charter['scope'] } & CatalogUse) | { kind: 'profiles' });
export type DocumentPiece =
  | { type: 'allowed' | 'others'; ids: readonly string[] }
  | { type: 'words'; words: readonly (readonly [string, Uint32Array])[] }
  | { type: 'groups'; groups: readonly (readonly [string, readonly number[]])[] }
  | { type: 'profiles'; profiles: readonly [string, ProfileEntries][] }
  | { type: 'end'; digest: string }
  | { type: 'refused'; code: ProblemCode; message: string };

const idsPerPiece = 4_000;
const wordsPerPiece = 1_000;
const profilesPerPiece = 200;

const port = parentPort;
if (port === null) throw new Error('document-worker.ts runs as a worker thread');

async function* piecesOf(job: DocumentJob): AsyncGenerator<DocumentPiece> {
  try {
    const bytes = await readFile(job.path);
    if (digestBytes(bytes) !== job.digest) throw new UnderstudyError('UND-DIGEST', `The blob ${job.digest} holds other bytes than its name says`);
    if (job.kind === 'catalog') {
      const { allowedIds, others, digest, words, groups } = parseCatalog(bytes, job);
      for (const ids of slices(allowedIds, idsPerPiece)) yield { type: 'allowed', ids };
      for (const ids of slices(others, idsPerPiece)) yield { type: 'others', ids };
      for (const some of slices([...(words ?? [])], wordsPerPiece)) yield { type: 'words', words: some };
      for (const some of slices([...(groups ?? [])], idsPerPiece)) yield { type: 'groups', groups: some };
      yield { type: 'end', digest };
    } else {
      for (const profiles of slices(parseProfiles(bytes), profilesPerPiece)) yield { type: 'profiles', profiles };
      yield { type: 'end', digest: job.digest };
    }
  } catch (error) {
    const { code, message } = asUnderstudyError(error);
    yield { type: 'refused', code, message };
  }
}

function* slices<T>(list: readonly T[], size: number): Generator<readonly T[]> {
  for (let from = 0; from < list.length; from += size) yield list.slice(from, from + size);
}

const pieces = piecesOf(workerData as DocumentJob);
port.on('message', async () => {
  const { value, done } = await pieces.next();
  if (!done) port.postMessage(value);
  if (done || value.type === 'end' || value.type === 'refused') port.close();
});
