import type { Digest } from '../models/contracts/ids.ts';

/** Immutable bytes named by their digest. `put` of the same bytes twice is one blob; of bytes that were erased it throws UND-ERASED. */
export interface BlobStore {
  put(bytes: Uint8Array | string): Promise<Digest>;
  /** Takes over a file on local disk (moved where possible, else copied). */
  putFile(path: string): Promise<Digest>;
  has(digest: Digest): Promise<boolean>;
  /** @throws UND-NOT-FOUND, UND-ERASED naming the certificate, or UND-DIGEST when the bytes no longer match. */
  get(digest: Digest): Promise<Uint8Array>;
  /** A path of a local file that holds the bytes (verified once), for tools that read files: DuckDB, ONNX Runtime. */
  localPath(digest: Digest): Promise<string>;
  /**
   * A local folder that holds the files by these names, for tools that want them beside each other: ONNX Runtime maps a graph's weights from there. It takes
   * no room of its own where the file system knows links, and goes with the first of the files that is erased or dropped.
   */
  localFolder(files: Readonly<Record<string, Digest>>): Promise<string>;
  /** Removes the bytes for good; from then on their name says by which certificate. The same bytes are not taken in again. */
  erase(digest: Digest, certificate: string): Promise<void>;
  /** Removes the bytes of what can be made again, and leaves no word. */
  drop(digest: Digest): Promise<void>;
  /** What was erased, and by which certificate. */
  erased(): AsyncIterable<{ digest: Digest; certificate: string }>;
  /** Every blob that there is. */
  list(): AsyncIterable<{ digest: Digest; path: string }>;
}

/** Documents as canonical JSON, so that the digest is `digestJson(document)`. */
export async function putDocument(blobs: BlobStore, document: unknown): Promise<Digest> {
  const { canonicalJson } = await import('../models/contracts/digest.ts');
  return blobs.put(canonicalJson(document));
}

export async function getDocument<T>(blobs: BlobStore, digest: Digest, schema: { parse(input: unknown): T }): Promise<T> {
  const bytes = await blobs.get(digest);
  return schema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
}
