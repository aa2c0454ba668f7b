import type { Random } from '../../models/random.ts';
import { permutationP, shuffle, usualPermutations } from './permutations.ts';

/** A unit that is drawn whole, as a user: so many of so many. */
export type RateUnit = { count: number; of: number };
/** `ratio`: of the rate in `to` to that in `from`; null where there is nothing to divide by. */
export type RateTest = { rates: [from: number, to: number]; ratio: number | null; p: number; units: [from: number, to: number] };

/**
 * Is the rate another? Events of one user are more alike than events of several, so that counts vary by more than a coin's: units are permuted, not events. The statistic is the difference of the two rates (each a ratio of sums) over its standard error by linearization (Cochran, "Sampling
 * techniques", 1977, section 6.5), so that it holds its level for large samples also where units of the two sides differ in size (Janssen, "Studentized permutation
 * tests for non-i.i.d. hypotheses", 1997).
 */
export function compareRates(
  from: readonly RateUnit[],
  to: readonly RateUnit[],
  { random, permutations = usualPermutations }: { random: Random; permutations?: number },
): RateTest {
  const units = [...from, ...to];
  const [counts, ofs] = [Float64Array.from(units, ({ count }) => count), Float64Array.from(units, ({ of }) => of)];
  const isFrom = Uint8Array.from(units, (_, place) => (place < from.length ? 1 : 0));
  const { rates, z } = studentized(counts, ofs, isFrom);
  const sides = new Uint8Array(units.length);
  const drawn = Float64Array.from({ length: permutations }, () => {
    sides.set(isFrom);
    shuffle(sides, random);
    return Math.abs(studentized(counts, ofs, sides).z);
  });
  return { rates, ratio: rates[0] > 0 ? rates[1] / rates[0] : null, p: z === 0 ? 1 : permutationP(Math.abs(z), drawn), units: [from.length, to.length] };
}

/** Units, and sums over them, of one side. */
type Sums = { units: number; count: number; of: number; countCount: number; countOf: number; ofOf: number };

function studentized(counts: Float64Array, ofs: Float64Array, isFrom: Uint8Array): { rates: [number, number]; z: number } {
  const [one, other] = [sumsOf(counts, ofs, { isFrom, side: 1 }), sumsOf(counts, ofs, { isFrom, side: 0 })];
  const [a, b] = [one, other].map(({ count, of }) => (of === 0 ? 0 : count / of)) as [number, number];
  if (Math.abs(a - b) <= 1e-13 * Math.max(Math.abs(a), Math.abs(b))) return { rates: [a, b], z: 0 };
  return { rates: [a, b], z: (b - a) / Math.sqrt(Math.max(varianceOf(one, a) + varianceOf(other, b), 1e-300)) };
}

function sumsOf(counts: Float64Array, ofs: Float64Array, { isFrom, side }: { isFrom: Uint8Array; side: number }): Sums {
  let [units, sum, sumOf, countCount, countOf, ofOf] = [0, 0, 0, 0, 0, 0];
  for (let at = 0; at < counts.length; at += 1) {
    if (isFrom[at] !== side) continue;
    const [count, of] = [counts[at] as number, ofs[at] as number];
    units += 1;
    sum += count;
    sumOf += of;
    countCount += count * count;
    countOf += count * of;
    ofOf += of * of;
  }
  return { units, count: sum, of: sumOf, countCount, countOf, ofOf };
}

function varianceOf({ units, of, countCount, countOf, ofOf }: Sums, rate: number): number {
  if (of === 0 || units < 2) return 0;
  return (Math.max(0, countCount - 2 * rate * countOf + rate * rate * ofOf) / (of * of)) * (units / (units - 1));
}
