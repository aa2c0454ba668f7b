import type { Algorithm, Interactions, Model, WarmStart } from '../../models/algorithms/algorithm.ts';
import { parseParams } from '../../models/algorithms/registry.ts';
import { artifactManifest } from '../../models/contracts/artifact.ts';
import { canonicalJson } from '../../models/contracts/digest.ts';
import { erasureId } from '../../models/contracts/erasure.ts';
import { asUnderstudyError, UnderstudyError } from '../../models/contracts/problem.ts';
import { type Recipe, recipe as recipeSchema, type TrainingStart, withoutStart } from '../../models/contracts/recipe.ts';
import { type WindowManifest, windowManifest } from '../../models/contracts/window.ts';
import { loadArtifact } from '../../stores/artifacts.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { Context, State } from '../context.ts';
import { listRuns } from '../registry/runs.ts';

/** Beside an artifact's graph; it serves nobody. */
export const warmFile = 'warm-start.bin';
/** Of the events to train on, so many at least must be of items that are carried over: the others would be placed by too little. */
const inCommonAtLeast = 0.5;

/**
 * The artifact that a run of the recipe on the window begins from: of the runs that aim at the same and keep something, the one whose train part ends last
 * before this one's; of several the newest. A window is always given the same one, whatever was trained on it already.
 */
export async function earlierRun({ state }: Pick<Context, 'state'>, { recipe, window }: { recipe: Recipe; window: WindowManifest }): Promise<string | null> {
  const aim = canonicalJson(withoutStart(recipe));
  let best: { to: string; artifact: string } | undefined;
  for (const run of await listRuns(state, recipe.surface)) {
    if (run.candidate !== recipe.candidate || !run.parity.passed) continue;
    const earlier = await readable(getDocument(state.blobs, run.recipe, recipeSchema));
    if (earlier?.warmStart === undefined || canonicalJson(withoutStart(earlier)) !== aim) continue;
    const { to } = (await readable(getDocument(state.blobs, run.window, windowManifest)))?.train ?? window.train;
    if (to < window.train.to && (best === undefined || to >= best.to)) best = { to, artifact: run.artifact };
  }
  return best?.artifact ?? null;
}

/** What cannot be read any more is no start. */
const readable = <T>(document: Promise<T>): Promise<T | undefined> => document.catch(() => undefined);

type Trained = { algorithm: Algorithm; recipe: Recipe; interactions: Interactions; vocabulary: readonly string[] };
/** `start` is absent where the recipe does not ask for any. */
export type Beginning = { params: unknown; warm?: WarmStart; start?: TrainingStart };

/** Where training begins. What cannot be begun from costs time and is named; it stops nothing. */
export async function beginning(state: State, { algorithm, recipe, interactions, vocabulary }: Trained): Promise<Beginning> {
  const params = parseParams(algorithm, recipe.params);
  const { warmStart } = recipe;
  if (warmStart === undefined || algorithm.warmParams === undefined) return { params };
  const cold = (reason: (TrainingStart & { kind: 'cold' })['reason'], why: string): Beginning => ({ params, start: { kind: 'cold', reason, why } });
  const { from } = warmStart;
  if (from === null) return cold('no-earlier-run', 'there is no earlier run of this recipe that kept anything');
  try {
    const { kept, vocabulary: then } = await readKept(state, from);
    const warm = { kept, itemNow: placesNow(then, vocabulary) };
    const isCarried = new Uint8Array(vocabulary.length);
    for (const now of warm.itemNow) if (now >= 0) isCarried[now] = 1;
    const known = interactions.items.reduce((sum, item) => sum + (isCarried[item] as number), 0);
    if (known < inCommonAtLeast * interactions.items.length)
      return cold('little-in-common', `${known} of ${interactions.items.length} events are of items that ${from} knows`);
    const carried = isCarried.reduce((sum, one) => sum + one, 0);
    return {
      params: parseParams(algorithm, { ...(algorithm.warmParams(params) as object), ...warmStart.params }),
      warm,
      start: { kind: 'warm', from, carried, added: vocabulary.length - carried, dropped: then.length - carried },
    };
  } catch (error) {
    const { code, message } = asUnderstudyError(error);
    const reason = code === 'UND-ERASED' ? 'source-erased' : code === 'UND-NOT-FOUND' ? 'source-missing' : 'source-damaged';
    return cold(reason, `${code}: ${message}`);
  }
}

/** @returns [items of then] index of the same item now; -1 where it is gone */
export function placesNow(then: readonly string[], now: readonly string[]): Int32Array {
  const indexOf = new Map(now.map((itemId, index) => [itemId, index]));
  return Int32Array.from(then, (itemId) => indexOf.get(itemId) ?? -1);
}

/** Trains from there; where what was kept does not fit after all, as if there were nothing. */
export async function trainFrom({ begun, otherwise, train }: { begun: Beginning; otherwise: unknown; train: (begun: Beginning) => Promise<Model> }) {
  try {
    return { model: await train(begun), start: begun.start };
  } catch (error) {
    const { code, message } = asUnderstudyError(error);
    if (begun.warm === undefined || (code !== 'UND-INPUT' && code !== 'UND-DIGEST')) throw error;
    const start: TrainingStart = { kind: 'cold', reason: 'source-unfit', why: `${code}: ${message}` };
    return { model: await train({ params: otherwise, start }), start };
  }
}

/**
 * What the run that made the artifact kept of its items. One that learned from people who were erased since is not begun from: what it learned would stay.
 * @throws UND-ERASED, UND-NOT-FOUND, UND-DIGEST, UND-ARTIFACT
 */
async function readKept(state: State, artifact: string): Promise<{ kept: Uint8Array; vocabulary: string[] }> {
  const { blobs } = state;
  const manifest = await getDocument(blobs, artifact, artifactManifest);
  const kept = manifest.files[warmFile];
  if (kept === undefined) throw new UnderstudyError('UND-ARTIFACT', `The artifact ${artifact} kept nothing to begin from`);
  await refuseLearnedOfErased(state, manifest.window);
  const { vocabulary } = await loadArtifact({ ...state, digest: artifact });
  return { kept: await blobs.get(kept), vocabulary };
}

/** @throws UND-ERASED where somebody whom the window held was erased since; UND-NOT-FOUND */
export async function refuseLearnedOfErased(state: State, window: string): Promise<void> {
  const { trainSlices } = await getDocument(state.blobs, window, windowManifest);
  for (const { digest } of trainSlices) if (!(await state.blobs.has(digest))) await whyGone(state, digest);
}

/** What is too old may be gone. @throws UND-ERASED, UND-NOT-FOUND */
async function whyGone({ blobs }: State, digest: string): Promise<void> {
  try {
    await blobs.get(digest);
  } catch (error) {
    const { code, details } = asUnderstudyError(error);
    if (code !== 'UND-ERASED' || erasureId.safeParse(details?.certificate).success) throw error;
  }
}
