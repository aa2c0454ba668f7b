import type { Random } from '../../models/random.ts';
import { permutationP, shuffle, usualPermutations } from './permutations.ts';
import { type Order, orderOf, pooled, type Vectors } from './vectors.ts';

/** `distance`: Kolmogorov and Smirnov's, 0 to 1. `p`: adjusted for the number of columns. `means`: of each side, in the column's unit. */
export type ColumnTest = { column: number; distance: number; p: number; means: [from: number, to: number] };
/** `p`: that any column's distribution is another. */
export type ColumnTests = { p: number; columns: ColumnTest[]; rows: [from: number, to: number] };

/**
 * Which columns have another distribution in `to` than in `from`? Kolmogorov and Smirnov's largest distance between the two empirical distribution functions, for
 * each column; rows are permuted whole, and a column's adjusted p-value is the share of permutations whose largest distance over all columns is at least its own
 * (Westfall and Young, "Resampling-based multiple testing", 1993, single step). That any column is named where none has moved then happens with probability
 * alpha exactly, however the columns depend on one another, and so no more than alpha of all that is named is false.
 *
 * Distances in small samples have few values; which of two equal ones is larger is settled by the mean distance.
 */
export function compareColumns(
  from: Vectors,
  to: Vectors,
  { random, permutations = usualPermutations }: { random: Random; permutations?: number },
): ColumnTests {
  const all = pooled(from, to);
  const columns = Array.from({ length: all.dimensions }, (_, column) => orderOf(all, column));
  const counts: ColumnTests['rows'] = [from.count, to.count];
  if (from.count === 0 || to.count === 0 || columns.length === 0) return { p: 1, columns: [], rows: counts };
  // Whole numbers, so that what is equal is equal to the last bit: a row's step of the difference of the two functions, times from x to.
  const steps = Float64Array.from({ length: all.count }, (_, row) => (row < from.count ? to.count : -from.count));
  const observed = columns.map((column) => apart(column, steps));
  const largest = Float64Array.from({ length: permutations }, () => {
    shuffle(steps, random);
    return columns.reduce((most, column) => Math.max(most, apart(column, steps).ordered), 0);
  });
  const tests = observed.map(({ most, ordered }, column) => ({
    ...{ column, distance: most / (from.count * to.count), p: permutationP(ordered, largest) },
    means: [meanOf(from, column), meanOf(to, column)] satisfies ColumnTest['means'] as ColumnTest['means'],
  }));
  return { p: Math.min(...tests.map(({ p }) => p)), columns: tests, rows: counts };
}

function apart({ rows, lasts }: Order, steps: Float64Array): { most: number; ordered: number } {
  let [away, most, sum] = [0, 0, 0];
  for (let at = 0; at < rows.length; at += 1) {
    away += steps[rows[at] as number] as number;
    if (lasts[at] !== at) continue;
    const size = away < 0 ? -away : away;
    sum += size;
    if (size > most) most = size;
  }
  // The second part is below a half, and two of `most` that differ do so by 1 at least.
  return { most, ordered: most === 0 ? 0 : most + (0.5 * sum) / rows.length / (rows.length * rows.length) };
}

function meanOf({ count, dimensions, values }: Vectors, column: number): number {
  let sum = 0;
  for (let at = column; at < values.length; at += dimensions) sum += values[at] as number;
  return sum / count;
}
