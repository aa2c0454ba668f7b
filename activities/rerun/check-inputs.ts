import type { Digest } from '../../models/contracts/ids.ts';
import { asUnderstudyError } from '../../models/contracts/problem.ts';
import { recipe as recipeSchema } from '../../models/contracts/recipe.ts';
import { type SliceReference, windowManifest } from '../../models/contracts/window.ts';
import { type BlobStore, getDocument } from '../../stores/blobs.ts';
import { findEmbeddingSet } from '../../stores/embedding-sets.ts';
import type { PreparedRetrain } from '../api.ts';

/**
 * Reads all that a run was made of, byte by byte. Undefined when everything is there and is what its name says; else what is not. What a warm start
 * began from is not looked at: a run says by itself where it began.
 * @param blobs freshly opened: a store that has looked at a file once takes it as it was
 * @throws UND-ERASED naming the certificate
 */
export async function checkInputs(blobs: BlobStore, { window, recipe, charter }: PreparedRetrain): Promise<string | undefined> {
  const wrong: string[] = [];
  const whole = async <T>(what: string, read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      const { code, message } = asUnderstudyError(error);
      if (code !== 'UND-NOT-FOUND' && code !== 'UND-DIGEST') throw error;
      wrong.push(`${what}: ${message}`);
      return undefined;
    }
  };
  const manifest = await whole('the window', () => getDocument(blobs, window, windowManifest));
  const { guest, embeddings } = (await whole('the recipe', () => getDocument(blobs, recipe, recipeSchema))) ?? { guest: null };
  if (embeddings !== undefined) await whole(`the vectors of ${embeddings.of}`, () => findEmbeddingSet(blobs, embeddings.set));
  for (const [what, digest] of [['the charter', charter] as const, ...(guest === null ? [] : [["the guest's files", guest] as const])])
    await whole(what, () => blobs.localPath(digest));
  if (manifest !== undefined) {
    await whole('the catalog', () => blobs.localPath(manifest.catalog));
    for (const { day, source, digest } of slicesOf(manifest))
      await whole(`the slice of ${day}${source === undefined ? '' : ` from ${source}`}`, () => blobs.localPath(digest));
  }
  if (wrong.length === 0) return undefined;
  return wrong.length === 1 ? wrong[0] : `${wrong[0]}; and ${wrong.length - 1} more`;
}

type Split = { trainSlices: SliceReference[]; testSlices: SliceReference[] };

function slicesOf({ trainSlices, testSlices, changes = [], earlier = [] }: Split & { changes?: SliceReference[]; earlier?: Split[] }): SliceReference[] {
  const all = [...trainSlices, ...testSlices, ...changes, ...earlier.flatMap((split) => [...split.trainSlices, ...split.testSlices])];
  return [...new Map<Digest, SliceReference>(all.map((slice) => [slice.digest, slice])).values()];
}
