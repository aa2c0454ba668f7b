import type { DataState } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';

/**
 * Right before a generation is created: what was found stored when it was written may have been swept since, and data that name it could never be read.
 * @throws UND-ERASED, UND-NOT-FOUND naming the blob
 */
export async function requireBlobs(blobs: BlobStore, { ingest, catalog, slices, changes = [], quarantine = [] }: DataState): Promise<void> {
  const named = new Set([ingest, catalog, ...[...slices, ...changes, ...quarantine].map(({ digest }) => digest)]);
  for (const digest of named) if (!(await blobs.has(digest))) await blobs.get(digest);
}
