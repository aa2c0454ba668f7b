import type { Embeddings } from '../../models/algorithms/algorithm.ts';
import { artifactManifest } from '../../models/contracts/artifact.ts';
import type { Digest } from '../../models/contracts/ids.ts';
import { asUnderstudyError, UnderstudyError } from '../../models/contracts/problem.ts';
import { type WindowManifest, windowManifest } from '../../models/contracts/window.ts';
import { getDocument } from '../../stores/blobs.ts';
import { readEmbeddingSet } from '../../stores/embedding-sets.ts';
import type { State } from '../context.ts';
import { listRuns } from '../registry/runs.ts';
import { placesNow, refuseLearnedOfErased } from '../training/warm-start.ts';

type Wanted = {
  surface: string;
  /** Candidate whose vectors they are, and the one that is to be made over them. */
  of: string;
  candidate: string;
  window: Pick<WindowManifest, 'train'>;
};

/**
 * The version of the set that a model of the window is made over: of the runs of the other candidate that passed parity, the one whose train part ends last,
 * and no later than this one's: it would know what is to be foretold. Of several the newest. One that learned from people who were erased since is passed over.
 * @throws UND-INPUT where there is none, saying what to do
 */
export async function newestSet(state: State, { surface, of, candidate, window }: Wanted): Promise<Digest> {
  const passedOver: string[] = [];
  let best: { to: string; set: Digest } | undefined;
  for (const run of await listRuns(state, surface)) {
    if (run.candidate !== of) continue;
    if (!run.parity.passed) {
      passedOver.push(`${run.runId} did not pass parity`);
      continue;
    }
    try {
      const { train } = await getDocument(state.blobs, run.window, windowManifest);
      if (train.to > window.train.to || (best !== undefined && train.to < best.to)) continue;
      const { embeddings: set } = await getDocument(state.blobs, run.artifact, artifactManifest);
      if (set === undefined) throw new UnderstudyError('UND-ARTIFACT', `its artifact has no embedding set; one has from the next window on`);
      await refuseLearnedOfErased(state, run.window);
      best = { to: train.to, set };
    } catch (error) {
      const { code, message } = asUnderstudyError(error);
      passedOver.push(`${run.runId}: ${code} ${message}`);
    }
  }
  if (best !== undefined) return best.set;
  const why = passedOver.length === 0 ? '' : ` (passed over: ${passedOver.slice(-3).join('; ')})`;
  throw new UnderstudyError(
    'UND-INPUT',
    `${candidate} is made over the vectors of ${of}, and no run of ${of} up to ${window.train.to} has any${why}: train it first, \`understudy retrain ${surface} --candidate ${of}\``,
  );
}

/**
 * The vectors of a set for the items of now, 0 for an item that is not in it.
 * @throws UND-ERASED where it was learned from people who were erased since: what it learned would stay. UND-NOT-FOUND, UND-DIGEST, UND-ARTIFACT
 */
export async function givenEmbeddings(state: State, { set: version, vocabulary }: { set: Digest; vocabulary: readonly string[] }): Promise<Embeddings> {
  const { set, ids, vectors: all } = await readEmbeddingSet(state.blobs, version);
  await refuseLearnedOfErased(state, set.madeBy.window);
  const { dimensions, measure } = set;
  const vectors = new Float32Array(vocabulary.length * dimensions);
  for (const [row, now] of placesNow(ids, vocabulary).entries())
    if (now >= 0) vectors.set(all.subarray(row * dimensions, (row + 1) * dimensions), now * dimensions);
  return { dimensions, measure, vectors };
}
