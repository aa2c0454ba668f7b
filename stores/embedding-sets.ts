import { z } from 'zod';
import { digestBytes } from '../models/contracts/digest.ts';
import { type EmbeddingSet, embeddingSet } from '../models/contracts/embedding-set.ts';
import { type Digest, externalId } from '../models/contracts/ids.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { type BlobStore, getDocument, putDocument } from './blobs.ts';

/** `ids`: item of each row. */
export type FoundEmbeddingSet = { version: Digest; set: EmbeddingSet; ids: string[]; vectorsPath: string };

type New = Pick<EmbeddingSet, 'surface' | 'dimensions' | 'measure' | 'madeBy'> & {
  /** The bytes of `vocabulary.json`. */
  ids: Uint8Array;
  vectors: Float32Array;
};

/**
 * Stores vectors, ids and then the set that names them: one that has a name is whole.
 * @returns its version
 */
export async function putEmbeddingSet(blobs: BlobStore, { ids, vectors, ...about }: New): Promise<Digest> {
  const count = vectors.length / about.dimensions;
  const set = embeddingSet.parse({ kind: 'embedding-set', entity: 'item', ...about, count, ids: digestBytes(ids), vectors: digestBytes(bytesOf(vectors)) });
  await blobs.put(bytesOf(vectors));
  await blobs.put(ids);
  return putDocument(blobs, set);
}

/**
 * A set with its vectors as a file, every byte of it checked against its digest.
 * @param known ids that were read before: most sets have those of the artifact that names them
 * @throws UND-NOT-FOUND, UND-ERASED, UND-DIGEST for altered bytes, UND-ARTIFACT for what is no embedding set
 */
export async function findEmbeddingSet(blobs: BlobStore, version: Digest, known?: { digest: Digest; ids: string[] }): Promise<FoundEmbeddingSet> {
  const set = await readable(version, 'set', () => getDocument(blobs, version, embeddingSet));
  const ids = set.ids === known?.digest ? known.ids : await readable(version, 'ids', () => getDocument(blobs, set.ids, z.array(externalId)));
  if (ids.length !== set.count) throw new UnderstudyError('UND-ARTIFACT', `The embedding set ${version} has ${set.count} rows and ids of ${ids.length}`);
  return { version, set, ids, vectorsPath: await blobs.localPath(set.vectors) };
}

/**
 * The same with its vectors in memory.
 * @returns `vectors` [count, dimensions]
 * @throws as `findEmbeddingSet`
 */
export async function readEmbeddingSet(blobs: BlobStore, version: Digest): Promise<FoundEmbeddingSet & { vectors: Float32Array }> {
  const found = await findEmbeddingSet(blobs, version);
  return { ...found, vectors: vectorsOf(await blobs.get(found.set.vectors), { version, ...found.set }) };
}

type Bytes = { version: string; count: number; dimensions: number };

/**
 * The vectors that the bytes are.
 * @throws UND-ARTIFACT where they are too few or too many, or no numbers
 */
export function vectorsOf(bytes: Uint8Array, { version, count, dimensions }: Bytes): Float32Array {
  if (bytes.byteLength !== count * dimensions * Float32Array.BYTES_PER_ELEMENT)
    throw new UnderstudyError('UND-ARTIFACT', `The embedding set ${version} has ${bytes.byteLength} bytes for ${count} vectors of ${dimensions}`);
  // A copy, so that the array begins where its element size asks for. Every platform that this runs on is little-endian.
  const vectors = new Float32Array(count * dimensions);
  new Uint8Array(vectors.buffer).set(bytes);
  for (const value of vectors) if (!Number.isFinite(value)) throw new UnderstudyError('UND-ARTIFACT', `The embedding set ${version} holds ${value}`);
  return vectors;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);

async function readable<T>(version: string, what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof UnderstudyError) throw cause;
    throw new UnderstudyError('UND-ARTIFACT', `The ${what} of the embedding set ${version} cannot be read`, { cause });
  }
}
