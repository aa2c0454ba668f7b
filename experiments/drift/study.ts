import { createRandom } from '../../models/random.ts';
import { twoSided } from '../normal.ts';
import { compareClouds } from './compare-clouds.ts';
import { compareColumns } from './compare-columns.ts';
import { compareRates } from './compare-rates.ts';
import { drawRows, drawUnits, type Shift } from './draw-samples.ts';
import { tellApart } from './tell-apart.ts';
import type { Vectors } from './vectors.ts';

export const alpha = 0.05;
const permutations = 99;

type Test = (from: Vectors, to: Vectors, seed: number) => number;

/** p-values of each test of rows. */
export const rowTests: Readonly<Record<'cloud' | 'classifier' | 'columns', Test>> = {
  cloud: (from, to, seed) => compareClouds(from, to, { random: createRandom(seed), permutations }).p,
  classifier: (from, to, seed) => tellApart(from, to, { random: createRandom(seed), permutations }).p,
  columns: (from, to, seed) => compareColumns(from, to, { random: createRandom(seed), permutations }).p,
};
export type RowTest = keyof typeof rowTests;

/** Alarms at 5 % of so many pairs of samples of `n` rows a side. */
export function countAlarms({
  test,
  shift,
  n,
  replications,
  firstSeed,
}: {
  test: RowTest;
  shift: Shift;
  n: number;
  replications: number;
  firstSeed: number;
}): number {
  let alarms = 0;
  for (let replication = 0; replication < replications; replication += 1) {
    const seed = firstSeed + 7 * replication;
    const from = drawRows(n, { random: createRandom(seed), shift: 'none' });
    const to = drawRows(n, { random: createRandom(seed + 1), shift });
    if (rowTests[test](from, to, seed + 2) <= alpha) alarms += 1;
  }
  return alarms;
}

/** The same of rates; `naive`: as if each event were a coin of its own. `lift`: of the rate in the second sample. */
export function countRateAlarms({ lift, n, replications, firstSeed }: { lift: number; n: number; replications: number; firstSeed: number }): {
  ours: number;
  naive: number;
} {
  const counts = { ours: 0, naive: 0 };
  for (let replication = 0; replication < replications; replication += 1) {
    const seed = firstSeed + 7 * replication;
    const from = drawUnits(n, { random: createRandom(seed), rate: 0.1 });
    const to = drawUnits(n, { random: createRandom(seed + 1), rate: 0.1 * (1 + lift) });
    if (compareRates(from, to, { random: createRandom(seed + 2), permutations }).p <= alpha) counts.ours += 1;
    const [a, b] = [from, to].map((units) => ({ count: units.reduce((sum, { count }) => sum + count, 0), of: units.reduce((sum, { of }) => sum + of, 0) }));
    if (a === undefined || b === undefined) continue;
    const share = (a.count + b.count) / (a.of + b.of);
    if (twoSided((a.count / a.of - b.count / b.of) / Math.sqrt(share * (1 - share) * (1 / a.of + 1 / b.of))) <= alpha) counts.naive += 1;
  }
  return counts;
}
