import { z } from 'zod';
import { createRandom } from '../../random.ts';
import { digestBytes } from '../../contracts/digest.ts';
import type { Algorithm, WarmStart } from '../algorithm.ts';
import { giveWay, packCheckpoint, runFingerprint, unpackCheckpoint } from '../checkpoint.ts';
import { popularityPrior } from '../prior.ts';
import { accumulate, type SparseRows, transpose } from '../sparse.ts';
import { whitenItems } from './fold-in.ts';
import { gramOf, RowSolver, solveRows } from './half-sweep.ts';
import { ialsModel } from './ials-model.ts';
import { carriedItems, type Stretch } from './warm-items.ts';

const ialsParams = z.strictObject({
  /** Length of the vectors; rounded up to a multiple of 4. */
  factors: z.number().int().min(4).max(512).default(64),
  /** Each sweep solves all users, then all items. */
  sweeps: z.number().int().min(1).max(200).default(10),
  /** Weight of an observed entry of confidence 1 against an unobserved pair. */
  alpha: z.number().positive().max(1e6).default(5),
  lambda: z.number().positive().max(1e6).default(0.01),
  /** How the regularization grows with a row's total weight: 0 not at all, 1 in proportion (Rendle et al. 2021: nu). */
  frequencyScaling: z.number().min(0).max(1).default(1),
  /** Conjugate gradient steps in training, each row starting from its last solution. */
  solverSteps: z.number().int().min(1).max(64).default(3),
  /** Conjugate gradient steps that turn a history into a user's vector when recommending, starting from 0. */
  foldInSteps: z.number().int().min(1).max(64).default(8),
  maxHistory: z.number().int().min(1).max(1000).default(500),
});
export type IalsParams = z.output<typeof ialsParams>;

/** Entries solved between two steps: a fraction of a second of work. */
const entriesPerStep = 250_000;
/** Of the sweeps, where training begins from an earlier model. */
const warmShare = 0.3;

/**
 * Implicit alternating least squares. Minimizes over users u, items i and vectors x, y
 *
 *   sum_(u,i) (x_u . y_i)^2 + alpha sum_(observed) r_ui (1 - x_u . y_i)^2 + sum_rows lambda_row |row|^2,
 *   lambda_row = lambda (columns + alpha sum r)^frequencyScaling
 *
 * Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets" (2008), as written by Rendle et al., "Revisiting the
 * performance of iALS on item recommendation benchmarks" (2021, eq. 2 to 6). The row solver is in half-sweep.ts, recommending in
 * ials-model.ts.
 *
 * Begun from the items of an earlier model, all users are solved first, from their histories; then the items that are new, given the users; then come
 * the sweeps, the first of which has its users already.
 */
export const ials: Algorithm<IalsParams> = {
  name: 'ials',
  params: ialsParams,
  embeddings: 'made',
  warmParams: (params) => ({ ...params, sweeps: Math.ceil(params.sweeps * warmShare) }),
  async train({ interactions, params, seed, warm }, hooks = {}) {
    const fingerprint = runFingerprint({ algorithm: 'ials', params: warm === undefined ? params : { ...params, warm: digestOf(warm) }, seed, interactions });
    const { userCount, itemCount } = interactions;
    const width = Math.ceil(params.factors / 4) * 4;
    const byUser = accumulate(interactions);
    const byItem = transpose(byUser);
    const carried = warm && carriedItems({ warm, width, itemCount });
    const resumed = hooks.resumeFrom && unpackCheckpoint(hooks.resumeFrom, fingerprint);
    const users = (resumed?.arrays.users as Float32Array | undefined) ?? new Float32Array(userCount * width);
    const begin = () => carried?.items ?? initialFactors({ rows: byItem, width, factors: params.factors, seed });
    const items = (resumed?.arrays.items as Float32Array | undefined) ?? begin();

    const solverOf = (columnCount: number, steps: number) =>
      new RowSolver({ width, columnCount, settings: { alpha: params.alpha, lambda: params.lambda, frequencyScaling: params.frequencyScaling, steps } });
    const ofUsers = { note: 'users', entries: byUser, solved: users, factors: items, solver: solverOf(itemCount, params.solverSteps) };
    const ofItems = { note: 'items', entries: byItem, solved: items, factors: users, solver: solverOf(userCount, params.solverSteps) };
    const steps: Step[] = Array.from({ length: params.sweeps }, (_, sweep) =>
      (carried !== undefined && sweep === 0 ? [ofItems] : [ofUsers, ofItems]).flatMap((half) =>
        stepsOf(half, chunksOf(half.entries), `sweep ${sweep + 1} of ${params.sweeps}: ${half.note}`),
      ),
    ).flat();
    if (carried !== undefined) {
      // From 0 it takes the steps of a fold-in to get there.
      const many = Math.max(params.solverSteps, params.foldInSteps);
      const known = stepsOf({ ...ofUsers, solver: solverOf(itemCount, many) }, chunksOf(byUser), 'users from their histories');
      const added = stepsOf({ ...ofItems, solver: solverOf(userCount, many) }, carried.added, 'new items');
      steps.unshift(...known, ...added);
    }
    let gram: Float64Array | undefined;
    for (let step = resumed?.done ?? 0; step < steps.length; step += 1) {
      const { note, begins, ...one } = steps[step] as Step;
      if (gram === undefined || begins) gram = gramOf(one.factors, width);
      solveRows({ ...one, gram, width });
      const done = step + 1;
      const checkpoint = (): Uint8Array => packCheckpoint({ fingerprint, done, arrays: { users, items } });
      await giveWay();
      await hooks.onStep?.({ done, total: steps.length, note, checkpoint });
    }
    const whitened = whitenItems({ items, itemCount, width, settings: params });
    return ialsModel({ items: whitened, learned: items, prior: popularityPrior(interactions), maxHistory: params.maxHistory });
  },
};

type Half = { entries: SparseRows; solved: Float32Array; factors: Float32Array; solver: RowSolver };
/** `begins`: what the others are solved from has changed since the step before. */
type Step = Half & Stretch & { note: string; begins: boolean };

function stepsOf({ entries, solved, factors, solver }: Half, stretches: readonly Stretch[], note: string): Step[] {
  return stretches.map((stretch, number) => ({ entries, solved, factors, solver, ...stretch, note, begins: number === 0 }));
}

const digestOf = ({ kept, itemNow }: WarmStart): string =>
  digestBytes(kept) + digestBytes(new Uint8Array(itemNow.buffer, itemNow.byteOffset, itemNow.byteLength));

/** Small uniform numbers, so that no engine's logarithm or cosine decides a bit. Items that nobody touched stay 0. */
function initialFactors({ rows, width, factors, seed }: { rows: SparseRows; width: number; factors: number; seed: number }): Float32Array {
  const random = createRandom(seed);
  const items = new Float32Array(rows.rowCount * width);
  const spread = 1 / Math.sqrt(factors);
  for (let item = 0; item < rows.rowCount; item += 1) {
    const touched = (rows.indptr[item + 1] as number) > (rows.indptr[item] as number);
    for (let f = 0; f < width; f += 1) {
      const drawn = spread * (2 * random.float() - 1);
      if (touched) items[item * width + f] = drawn;
    }
  }
  return items;
}

/** Cuts rows into stretches of about `entriesPerStep` entries. They depend on the data alone, so that a resumed run has the same steps. */
function chunksOf({ rowCount, indptr }: SparseRows): Stretch[] {
  const chunks: Stretch[] = [];
  let from = 0;
  for (let row = 1; row <= rowCount; row += 1) {
    if (row < rowCount && (indptr[row] as number) - (indptr[from] as number) < entriesPerStep) continue;
    chunks.push({ from, to: row });
    from = row;
  }
  return chunks;
}
