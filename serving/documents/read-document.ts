import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Charter } from '../../models/contracts/charter.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { FairGroups } from '../../models/slate/arrange.ts';
import type { ItemWords } from '../../models/slate/item-words.ts';
import type { Scope } from '../../models/slate/scope.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import type { DocumentJob, DocumentPiece } from './document-worker.ts';
import { type CatalogIds, type CatalogUse, type ProfileEntries, parseCatalog, parseProfiles } from './parse.ts';

type Source = {
  blobs: BlobStore;
  digest: string;
  signal?: AbortSignal | undefined;
  /** Smaller documents are read in place: that takes less than a thread does to start. */
  largeBytes?: number;
};

const largeByDefault = 256 * 1024;

/** `words`: what the items in scope are compared by, where that was asked for; `groups`: those of the charter's fairness. */
type Catalog = { scope: Scope; inCatalog: (itemId: string) => boolean; words: ItemWords | null; groups: FairGroups | null };

/** A catalog under a charter's rules. However large, it never keeps the requests waiting for long. */
export async function readCatalog({
  rules,
  withWords = false,
  fairness,
  ...source
}: Source & Partial<CatalogUse> & { rules: Charter['scope'] }): Promise<Catalog> {
  const { blobs, digest } = source;
  const path = await largePath(source);
  if (path === undefined) return catalogOf(parseCatalog(await blobs.get(digest), { rules, withWords, fairness }));
  const [allowed, others] = [new Set<string>(), new Set<string>()];
  const [words, groups] = [new Map<string, Uint32Array>(), new Map<string, readonly number[]>()];
  const end = await takePieces({ kind: 'catalog', path, digest, rules, withWords, fairness }, source.signal, (piece) => {
    if (piece.type === 'allowed') for (const id of piece.ids) allowed.add(id);
    if (piece.type === 'others') for (const id of piece.ids) others.add(id);
    if (piece.type === 'words') for (const [id, own] of piece.words) words.set(id, own);
    if (piece.type === 'groups') for (const [id, own] of piece.groups) groups.set(id, own);
  });
  const asked = { words: withWords ? words : null, groups: fairness === undefined ? null : groups };
  return catalogOf({ allowedIds: [...allowed], others: [...others], digest: end, ...asked }, { allowed, others });
}

/** What users did before, by user. */
export async function readProfiles(source: Source): Promise<Map<string, ProfileEntries>> {
  const { blobs, digest } = source;
  const path = await largePath(source);
  if (path === undefined) return new Map(parseProfiles(await blobs.get(digest)));
  const profiles = new Map<string, ProfileEntries>();
  await takePieces({ kind: 'profiles', path, digest }, source.signal, (piece) => {
    if (piece.type === 'profiles') for (const [user, entries] of piece.profiles) profiles.set(user, entries);
  });
  return profiles;
}

async function largePath({ blobs, digest, largeBytes = largeByDefault }: Source): Promise<string | undefined> {
  const path = await blobs.localPath(digest);
  return (await stat(path)).size < largeBytes ? undefined : path;
}

function catalogOf({ allowedIds, others, digest, words, groups }: CatalogIds, sets?: { allowed: Set<string>; others: Set<string> }): Catalog {
  const known = sets ?? { allowed: new Set(allowedIds), others: new Set(others) };
  const allowed = (itemId: string): boolean => known.allowed.has(itemId);
  const scope: Scope = { allowed, allowedIds, bias: new Float32Array(), digest };
  return { scope, inCatalog: (itemId: string): boolean => known.allowed.has(itemId) || known.others.has(itemId), words, groups };
}

/** @returns the digest that ends the pieces. @throws what the thread refused with, UND-INTERNAL when it died, UND-TIMEOUT when it was given up. */
async function takePieces(job: DocumentJob, signal: AbortSignal | undefined, take: (piece: DocumentPiece) => void): Promise<string> {
  const worker = new Worker(new URL('./document-worker.ts', import.meta.url), { workerData: job, name: 'document' });
  const died = once(worker, 'exit').then(
    () => undefined,
    () => undefined,
  );
  try {
    for (;;) {
      if (signal?.aborted) throw new UnderstudyError('UND-TIMEOUT', 'The reading was given up');
      worker.postMessage('next');
      const answer = await Promise.race([once(worker, 'message') as Promise<[DocumentPiece]>, died]);
      if (answer === undefined) throw new UnderstudyError('UND-INTERNAL', `The thread that reads ${job.digest} ended`);
      const [piece] = answer;
      if (piece.type === 'refused') throw new UnderstudyError(piece.code, piece.message);
      if (piece.type === 'end') return piece.digest;
      take(piece);
      // Requests first: messages that are there already would be taken without a pause.
      await nextTurn();
    }
  } finally {
    await worker.terminate();
  }
}
