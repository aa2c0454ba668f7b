import { createRandom } from '../random.ts';

/** A seed for one use of many, such as a step's dropout: the same for the same seed and keys, and unlike that of any other keys. Keys are 0 .. 2^20 - 1 apart. */
export function deriveSeed(seed: number, ...keys: readonly number[]): number {
  return keys.reduce((mixed, key) => createRandom(mixed).uint32() * 2 ** 20 + (key % 2 ** 20), seed);
}
