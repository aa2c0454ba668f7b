import { type ArtifactManifest, artifactManifest } from '../../models/contracts/artifact.ts';
import { type Recipe, recipe as recipeSchema } from '../../models/contracts/recipe.ts';
import { type WindowManifest, windowManifest } from '../../models/contracts/window.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { State } from '../context.ts';
import { type Making, making as makingSchema } from '../rerun/making.ts';

/** What an artifact was made of and by, as it was recorded. */
export type Made = {
  artifact: string;
  manifest: ArtifactManifest;
  recipe: Recipe;
  window: WindowManifest;
  /** Days of the window that are there no more, by whose certificate. */
  erased: { day: string; digest: string; certificate: string }[];
  /** Code, libraries and machine; null of runs from before that was recorded. */
  making: Making | null;
};

/** @param making digest of how it was trained */
export async function madeOfRun({ blobs }: Pick<State, 'blobs'>, { artifact, making }: { artifact: string; making: string | null }): Promise<Made> {
  const manifest = await getDocument(blobs, artifact, artifactManifest);
  const window = await getDocument(blobs, manifest.window, windowManifest);
  const days = new Map([...window.trainSlices, ...window.testSlices].map((slice) => [slice.digest, slice.day]));
  const erased: Made['erased'] = [];
  for await (const { digest, certificate } of blobs.erased()) {
    const day = days.get(digest);
    if (day !== undefined) erased.push({ day, digest, certificate });
  }
  return {
    artifact,
    manifest,
    recipe: await getDocument(blobs, manifest.recipe, recipeSchema),
    window,
    erased: erased.sort((a, b) => (a.day < b.day ? -1 : 1)),
    making: making === null ? null : await getDocument(blobs, making, makingSchema),
  };
}
