import type { Interactions } from './algorithm.ts';

const largestPrior = 1e-6;

/**
 * A very small score for popular items, added to what a personal model says: it orders what the model cannot tell apart (an empty history,
 * neighbours that ran out) and is too small to change anything else.
 * @returns float32 [itemCount + 1], 0 .. 1e-6; the padding row has 0.
 */
export function popularityPrior({ itemCount, items, weights }: Interactions): Float32Array {
  const counts = new Float64Array(itemCount);
  for (let entry = 0; entry < items.length; entry += 1)
    counts[items[entry] as number] = (counts[items[entry] as number] as number) + (weights[entry] as number);
  const largest = counts.reduce((most, count) => Math.max(most, count), 0);
  const prior = new Float32Array(itemCount + 1);
  if (largest > 0) for (let item = 0; item < itemCount; item += 1) prior[item] = (largestPrior * (counts[item] as number)) / largest;
  return prior;
}
