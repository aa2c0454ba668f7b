import { normalQuantile } from '../../normal.ts';

/**
 * Quantile of Student's distribution from the normal one: Abramowitz and Stegun 26.7.5, to four digits from 4 degrees of freedom on.
 * @param freedom at least 1; Infinity: the normal quantile
 */
export function studentQuantile(probability: number, freedom: number): number {
  const z = normalQuantile(probability);
  const square = z * z;
  const terms = [
    (z * (square + 1)) / 4,
    (z * (5 * square ** 2 + 16 * square + 3)) / 96,
    (z * (3 * square ** 3 + 19 * square ** 2 + 17 * square - 15)) / 384,
    (z * (79 * square ** 4 + 776 * square ** 3 + 1482 * square ** 2 - 1920 * square - 945)) / 92_160,
  ];
  return terms.reduce((sum, term, place) => sum + term / freedom ** (place + 1), z);
}
