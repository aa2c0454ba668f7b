import { z } from 'zod';
import { createRandom } from '../../random.ts';
import { digestBytes } from '../../contracts/digest.ts';
import type { Algorithm, Interactions, WarmStart } from '../algorithm.ts';
import { giveWay, packCheckpoint, runFingerprint, unpackCheckpoint } from '../checkpoint.ts';
import { popularityPrior } from '../prior.ts';
import { blendAttributes } from './attribute-items.ts';
import { whitenItems } from './fold-in.ts';
import { GpuHalfSweeps } from './gpu-half-sweeps.ts';
import { HalfSweeps, type IalsProblem, type Side } from './half-sweeps.ts';
import { ialsModel } from './ials-model.ts';
import { carriedItems, type Stretch } from './warm-items.ts';

const ialsParams = z.strictObject({
  /** Length of the vectors; rounded up to a multiple of 4. */
  factors: z.number().int().min(4).max(1024).default(128),
  /** Each sweep solves all users, then all items. */
  sweeps: z.number().int().min(1).max(200).default(10),
  /** Weight of an observed entry of confidence 1 against an unobserved pair. Absent: so much that all that a user did weighs a share of all items (`observedShare`). */
  alpha: z.number().positive().max(1e6).optional(),
  lambda: z.number().positive().max(1e6).default(0.01),
  /** How the regularization grows with a row's total weight: 0 not at all, 1 in proportion (Rendle et al. 2021: nu). */
  frequencyScaling: z.number().min(0).max(1).default(1),
  /** Conjugate gradient steps in training, each row starting from its last solution. */
  solverSteps: z.number().int().min(1).max(64).default(2),
  /** `plain`: without preconditioner, as the method was published; it needs more steps to get as far. */
  solver: z.enum(['preconditioned', 'plain']).default('preconditioned'),
  /** `fused`: products are added in one rounding where the hardware can. Faster there, but no longer the same bits on every machine. */
  arithmetic: z.enum(['exact', 'fused']).default('exact'),
  /** Conjugate gradient steps that turn a history into a user's vector when recommending, starting from 0. */
  foldInSteps: z.number().int().min(1).max(64).default(8),
  maxHistory: z.number().int().min(1).max(1000).default(500),
  /** Where attributes are given: events that they count for beside an item's own (attribute-items.ts). 0: only what has none is known by them. */
  attributeWeight: z.number().min(0).max(1e6).default(2),
  attributeRidge: z.number().positive().max(1e6).default(10),
});
export type IalsParams = z.output<typeof ialsParams>;

/**
 * Weight of the observed entries of a mean user beside all items, where nobody says an alpha. What is best for published data of very different density (20,000 to
 * 41,000 items, 27 to 144 entries a user) lies within a third of it.
 */
const observedShare = 0.07;
/** Numbers read between two steps, entries times their length: a fraction of a second of work. */
const numbersPerStep = 64_000_000;
/** Of the sweeps, where training begins from an earlier model. */
const warmShare = 0.3;

/**
 * Implicit alternating least squares. Minimizes over users u, items i and vectors x, y
 *
 *   sum_(u,i) (x_u . y_i)^2 + alpha sum_(observed) r_ui (1 - x_u . y_i)^2 + sum_rows lambda_row |row|^2,
 *   lambda_row = lambda (columns + alpha sum r)^frequencyScaling
 *
 * Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets" (2008), as written by Rendle et al., "Revisiting the
 * performance of iALS on item recommendation benchmarks" (2021, eq. 2 to 6). The sweeps are in half-sweeps.ts, recommending in
 * ials-model.ts.
 *
 * Begun from the items of an earlier model, all users are solved first, from their histories; then the items that are new, given the users; then come
 * the sweeps, the first of which has its users already.
 */
export const ials: Algorithm<IalsParams> = {
  name: 'ials',
  retrieval: 'product',
  gpu: 'can',
  params: ialsParams,
  embeddings: 'made',
  warmParams: (params) => ({ ...params, sweeps: Math.ceil(params.sweeps * warmShare) }),
  async train({ interactions, params, seed, warm, attributes }, hooks = {}) {
    const fingerprint = runFingerprint({ algorithm: 'ials', params: warm === undefined ? params : { ...params, warm: digestOf(warm) }, seed, interactions });
    const { itemCount } = interactions;
    const width = Math.ceil(params.factors / 4) * 4;
    const settings = { ...params, alpha: params.alpha ?? usualAlpha(interactions) };
    const carried = warm && carriedItems({ warm, width, itemCount });
    const resumed = hooks.resumeFrom && unpackCheckpoint(hooks.resumeFrom, fingerprint);
    const problem: IalsProblem =
      hooks.gpu === undefined
        ? new HalfSweeps({ interactions, width, settings, threads: hooks.threads ?? 1, fused: params.arithmetic === 'fused' })
        : new GpuHalfSweeps({ gpu: hooks.gpu, interactions, width, settings });
    try {
      problem.load(resumed?.arrays ?? { items: carried?.items ?? initialFactors({ indptr: problem.indptr('items'), width, factors: params.factors, seed }) });

      const steps = stepsOf({ params, problem, width, added: carried?.added });
      for (let step = resumed?.done ?? 0; step < steps.length; step += 1) {
        const { side, note, begins, ...stretch } = steps[step] as Step;
        if (begins) await problem.turn(side === 'users' ? 'items' : 'users');
        await problem.solve(side, stretch);
        const done = step + 1;
        const checkpoint = async (): Promise<Uint8Array> => packCheckpoint({ fingerprint, done, arrays: await problem.arrays() });
        await giveWay();
        await hooks.onStep?.({ done, total: steps.length, note, checkpoint });
      }
      await problem.turn('items');
      const { items, spectrum } = await problem.arrays();
      const whitened = whitenItems({ items, spectrum, itemCount, settings });
      if (attributes !== undefined)
        await blendAttributes({ vectors: whitened.factors, width, interactions, attributes, weight: params.attributeWeight, ridge: params.attributeRidge });
      return ialsModel({ items: whitened, learned: items.slice(), prior: popularityPrior(interactions), maxHistory: params.maxHistory });
    } finally {
      await problem.close();
    }
  },
};

/** `begins`: what the others are solved from has changed since the step before. */
type Step = Stretch & { side: Side; steps: number; note: string; begins: boolean };

function stepsOf({ params, problem, width, added }: { params: IalsParams; problem: IalsProblem; width: number; added: Stretch[] | undefined }): Step[] {
  const { sweeps, solverSteps, foldInSteps } = params;
  const half = (side: Side, note: string, { steps = solverSteps, stretches = stretchesOf(problem.indptr(side), width) } = {}): Step[] =>
    stretches.map((stretch, number) => ({ ...stretch, side, steps, note, begins: number === 0 }));
  // From 0 it takes the steps of a fold-in to get there.
  const many = Math.max(solverSteps, foldInSteps);
  return [
    ...(added === undefined
      ? []
      : [...half('users', 'users from their histories', { steps: many }), ...half('items', 'new items', { steps: many, stretches: added })]),
    ...Array.from({ length: sweeps }, (_, sweep) =>
      (added !== undefined && sweep === 0 ? (['items'] as const) : (['users', 'items'] as const)).flatMap((side) =>
        half(side, `sweep ${sweep + 1} of ${sweeps}: ${side}`),
      ),
    ).flat(),
  ];
}

function usualAlpha({ userCount, itemCount, weights }: Interactions): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return total > 0 ? (observedShare * userCount * itemCount) / total : 1;
}

const digestOf = ({ kept, itemNow }: WarmStart): string =>
  digestBytes(kept) + digestBytes(new Uint8Array(itemNow.buffer, itemNow.byteOffset, itemNow.byteLength));

/** Small uniform numbers, so that no engine's logarithm or cosine decides a bit. Items that nobody touched stay 0. */
function initialFactors({ indptr, width, factors, seed }: { indptr: Uint32Array; width: number; factors: number; seed: number }): Float32Array {
  const random = createRandom(seed);
  const itemCount = indptr.length - 1;
  const items = new Float32Array(itemCount * width);
  const spread = 1 / Math.sqrt(factors);
  for (let item = 0; item < itemCount; item += 1) {
    const touched = (indptr[item + 1] as number) > (indptr[item] as number);
    for (let f = 0; f < width; f += 1) {
      const drawn = spread * (2 * random.float() - 1);
      if (touched) items[item * width + f] = drawn;
    }
  }
  return items;
}

/** Cuts rows into stretches of about `numbersPerStep`. They depend on the data alone, so that a resumed run has the same steps. */
function stretchesOf(indptr: Uint32Array, width: number): Stretch[] {
  const rowCount = indptr.length - 1;
  const stretches: Stretch[] = [];
  let from = 0;
  for (let row = 1; row <= rowCount; row += 1) {
    if (row < rowCount && ((indptr[row] as number) - (indptr[from] as number)) * width < numbersPerStep) continue;
    stretches.push({ from, to: row });
    from = row;
  }
  return stretches;
}
