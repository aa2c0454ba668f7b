import { giveWay } from '../checkpoint.ts';
import type { Interactions, ItemAttributes } from '../algorithm.ts';

type Input = {
  /** [itemCount, width], changed in place: vectors of items that were learned from what happened. */
  vectors: Float32Array;
  width: number;
  interactions: Pick<Interactions, 'items' | 'itemCount'>;
  attributes: ItemAttributes;
  /** Events that what its attributes say of an item counts for. */
  weight: number;
  /** What keeps an attribute's vector small: so many items must have it before half of what they say is believed. */
  ridge: number;
};

/** So many events, and an item's vector is half as sure an example of what its attributes mean as one of very many. */
const eventsForHalf = 20;
/** Steps of a solver that ends earlier where it is there. */
const stepsAtMost = 60;
const smallestResidual = 1e-6;

/**
 * Attribute-to-factor mapping: each attribute has a vector, such that those of an item add up to what was learned of it, over the items that something was
 * learned of (ridge regression; Gantner et al., "Learning attribute-to-feature mappings for cold-start recommendations", 2010, section 4.2, whose linear
 * mapping is fitted to the factors). An item's vector then is, of n events, (n learned + weight mapped) / (n + weight): that of an item without events is what
 * its attributes say, and 0 where it has none.
 */
export async function blendAttributes({ vectors, width, interactions, attributes, weight, ridge }: Input): Promise<void> {
  const { itemCount } = interactions;
  const events = new Float64Array(itemCount);
  for (const item of interactions.items) events[item] = (events[item] as number) + 1;
  const mapping = await fitMapping({ vectors, width, attributes, ridge, trust: events.map((count) => count / (count + eventsForHalf)) });
  const mapped = new Float64Array(width);
  for (let item = 0; item < itemCount; item += 1) {
    const count = events[item] as number;
    // Of an item without attributes only the mean is known, which says nothing of it.
    const known = attributes.indptr[item] !== attributes.indptr[item + 1];
    if (!known && count > 0) continue;
    mapped.fill(0);
    if (known) mapping.addUp(item, mapped);
    const own = count === 0 ? 0 : count / (count + weight);
    for (let f = 0; f < width; f += 1) {
      const place = item * width + f;
      vectors[place] = own * (vectors[place] as number) + (1 - own) * (mapped[f] as number);
    }
  }
}

type Fit = Pick<Input, 'vectors' | 'width' | 'attributes' | 'ridge'> & { /** [itemCount] */ trust: Float64Array };

/** Conjugate gradients on the normal equations, all columns side by side, each with steps of its own. */
async function fitMapping({ vectors, width, attributes, ridge, trust }: Fit) {
  const { indptr, attributes: entries } = attributes;
  const itemCount = trust.length;
  // One more, which every item has: the mean.
  const rows = attributes.fieldOf.length + 1;
  const cells = rows * width;
  const solution = new Float64Array(cells);
  const residual = new Float64Array(cells);
  const direction = new Float64Array(cells);
  const image = new Float64Array(cells);
  const sum = new Float64Array(width);

  const addRow = (from: Float64Array, row: number, into: Float64Array): void => {
    for (let f = 0, cell = row * width; f < width; f += 1, cell += 1) into[f] = (into[f] as number) + (from[cell] as number);
  };
  const addUpOf = (from: Float64Array, item: number, into: Float64Array): void => {
    addRow(from, rows - 1, into);
    for (let place = indptr[item] as number; place < (indptr[item + 1] as number); place += 1) addRow(from, entries[place] as number, into);
  };
  const spread = (item: number, share: number, into: Float64Array): void => {
    const to = (row: number): void => {
      for (let f = 0, cell = row * width; f < width; f += 1, cell += 1) into[cell] = (into[cell] as number) + share * (sum[f] as number);
    };
    to(rows - 1);
    for (let place = indptr[item] as number; place < (indptr[item + 1] as number); place += 1) to(entries[place] as number);
  };

  const diagonal = new Float64Array(rows).fill(ridge);
  for (let item = 0; item < itemCount; item += 1) {
    const share = trust[item] as number;
    if (share === 0) continue;
    diagonal[rows - 1] = (diagonal[rows - 1] as number) + share;
    for (let place = indptr[item] as number; place < (indptr[item + 1] as number); place += 1) {
      const row = entries[place] as number;
      diagonal[row] = (diagonal[row] as number) + share;
    }
    for (let f = 0; f < width; f += 1) sum[f] = vectors[item * width + f] as number;
    spread(item, share, residual);
  }

  /** [width] sum over rows of a b / diagonal, or of a b. */
  const products = (a: Float64Array, b: Float64Array, scaled: boolean): Float64Array => {
    const out = new Float64Array(width);
    for (let cell = 0; cell < cells; cell += 1) {
      const f = cell % width;
      const scale = scaled ? 1 / (diagonal[(cell - f) / width] as number) : 1;
      out[f] = (out[f] as number) + (a[cell] as number) * (b[cell] as number) * scale;
    }
    return out;
  };

  let sizes = products(residual, residual, true);
  const small = sizes.map((size) => size * smallestResidual ** 2);
  for (let cell = 0; cell < cells; cell += 1) direction[cell] = (residual[cell] as number) / (diagonal[Math.floor(cell / width)] as number);
  for (let step = 0; step < stepsAtMost && sizes.some((size, f) => size > (small[f] as number)); step += 1) {
    for (let cell = 0; cell < cells; cell += 1) image[cell] = ridge * (direction[cell] as number);
    for (let item = 0; item < itemCount; item += 1) {
      const share = trust[item] as number;
      if (share === 0) continue;
      sum.fill(0);
      addUpOf(direction, item, sum);
      spread(item, share, image);
    }
    const curvature = products(direction, image, false);
    const moves = sizes.map((size, f) => (size > 0 ? size / (curvature[f] as number) : 0));
    for (let cell = 0; cell < cells; cell += 1) {
      const move = moves[cell % width] as number;
      solution[cell] = (solution[cell] as number) + move * (direction[cell] as number);
      residual[cell] = (residual[cell] as number) - move * (image[cell] as number);
    }
    const next = products(residual, residual, true);
    for (let cell = 0; cell < cells; cell += 1) {
      const f = cell % width;
      const kept = (sizes[f] as number) > 0 ? (next[f] as number) / (sizes[f] as number) : 0;
      direction[cell] = (residual[cell] as number) / (diagonal[(cell - f) / width] as number) + kept * (direction[cell] as number);
    }
    sizes = next;
    await giveWay();
  }
  return { addUp: (item: number, into: Float64Array) => addUpOf(solution, item, into) };
}
