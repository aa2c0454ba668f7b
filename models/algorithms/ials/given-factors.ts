import { UnderstudyError } from '../../contracts/problem.ts';
import { Basis, scratchBytesOf } from '../../kernels/basis.ts';
import { Layout, Team } from '../../kernels/team.ts';
import type { Interactions, Model } from '../algorithm.ts';
import { popularityPrior } from '../prior.ts';
import { type FoldInSettings, whitenItems } from './fold-in.ts';
import { ialsModel } from './ials-model.ts';

/** What trains stays far below; beyond it the Gram matrix leaves single precision. */
const largestNumber = 1e6;

type Given = {
  /** float32 [itemCount, dimensions] in any basis */
  factors: Float32Array;
  dimensions: number;
  settings: FoldInSettings;
  maxHistory: number;
  /** Those that the factors were learned from. */
  interactions: Interactions;
  threads: number;
};

/**
 * The model of iALS over items that were learned elsewhere. Only the scalar products of vectors mean something, so they are turned to where their Gram matrix is
 * diagonal, as fold-in.ts needs them.
 * @throws UND-ARTIFACT where the factors are of another shape, no numbers, out of all bounds, or nothing but 0
 */
export async function modelOverFactors({ factors, dimensions, settings, maxHistory, interactions, threads }: Given): Promise<Model> {
  const { itemCount } = interactions;
  if (factors.length !== itemCount * dimensions)
    throw new UnderstudyError('UND-ARTIFACT', `${factors.length} numbers are not ${itemCount} items of ${dimensions} dimensions`);
  const wrong = factors.findIndex((value) => !(Math.abs(value) <= largestNumber));
  if (wrong !== -1)
    throw new UnderstudyError('UND-ARTIFACT', `The factors of item ${Math.floor(wrong / dimensions)} hold ${factors[wrong]}; at most ${largestNumber} can be`);
  if (factors.every((value) => value === 0)) throw new UnderstudyError('UND-ARTIFACT', 'The factors of all items are 0');
  const { items, spectrum } = await turned({ factors, dimensions, itemCount, threads });
  const whitened = whitenItems({ items, spectrum, itemCount, settings });
  return ialsModel({ items: whitened, learned: items, prior: popularityPrior(interactions), maxHistory });
}

/** @returns `items` float32 [itemCount, width], `spectrum` [width]; the width is the dimensions rounded up to a multiple of 4, with columns of 0 */
async function turned({ factors, dimensions, itemCount, threads }: Pick<Given, 'factors' | 'dimensions' | 'threads'> & { itemCount: number }) {
  const width = Math.ceil(dimensions / 4) * 4;
  const layout = new Layout();
  const reserved = Team.reserve(layout, { threads, scratchBytes: scratchBytesOf(width), fused: false });
  const basisOver = Basis.reserve(layout, width);
  const at = layout.reserve(4 * width * itemCount);
  const memory = layout.memory();
  const team = reserved(memory);
  try {
    const items = new Float32Array(memory.buffer, at, width * itemCount);
    for (let item = 0; item < itemCount; item += 1) items.set(factors.subarray(item * dimensions, (item + 1) * dimensions), item * width);
    const basis = basisOver(memory, team);
    await basis.gram({ at, rowCount: itemCount });
    const eigen = basis.eigen();
    if (eigen === undefined) throw new UnderstudyError('UND-ARTIFACT', 'The factors have no basis in which their Gram matrix is diagonal');
    const spectrum = Float32Array.from(eigen.values, (value) => Math.max(0, value));
    await basis.rotate([{ at, rowCount: itemCount }], eigen.vectors);
    return { items: items.slice(), spectrum };
  } finally {
    await team.close();
  }
}
