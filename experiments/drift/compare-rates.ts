import type { Random } from '../../models/random.ts';
import { permutationP, placesTo, shuffle, usualPermutations } from './permutations.ts';

/** A unit that is drawn whole, as a day or a user: so many of so many. Units of different strata (weekdays) are not held against each other. */
export type RateUnit = { count: number; of: number; stratum?: number };
/** `ratio`: of the rate in `to` to that in `from`; null where there is nothing to divide by. */
export type RateTest = { rates: [from: number, to: number]; ratio: number | null; p: number; units: [from: number, to: number] };

/**
 * Is the rate another? Events of one day, or of one user, are more alike than events of several, so that counts vary by more than a coin's: units are permuted, within
 * their strata, not events. The statistic is the difference of the two rates (each a ratio of sums) over its standard error by linearization (Cochran, "Sampling
 * techniques", 1977, section 6.5), so that it holds its level for large samples also where units of the two sides differ in size (Janssen, "Studentized permutation
 * tests for non-i.i.d. hypotheses", 1997).
 */
export function compareRates(
  from: readonly RateUnit[],
  to: readonly RateUnit[],
  { random, permutations = usualPermutations }: { random: Random; permutations?: number },
): RateTest {
  const units = [...from, ...to];
  const isFrom = Uint8Array.from(units, (_, place) => (place < from.length ? 1 : 0));
  const observed = studentized(units, isFrom);
  const strata = [...Map.groupBy(placesTo(units.length), (place) => units[place]?.stratum ?? 0).values()];
  const drawn = Float64Array.from({ length: permutations }, () => {
    const sides = new Uint8Array(units.length);
    for (const places of strata) {
      const shuffled = shuffle(Uint32Array.from(places), random);
      for (const [at, place] of places.entries()) sides[place] = isFrom[shuffled[at] as number] as number;
    }
    return Math.abs(studentized(units, sides).z);
  });
  const { rates, z } = observed;
  return { rates, ratio: rates[0] > 0 ? rates[1] / rates[0] : null, p: z === 0 ? 1 : permutationP(Math.abs(z), drawn), units: [from.length, to.length] };
}

function studentized(units: readonly RateUnit[], isFrom: Uint8Array): { rates: [number, number]; z: number } {
  const sums = [0, 1].map(() => ({ count: 0, of: 0, units: 0, squares: 0 }));
  const sideOf = (place: number) => sums[isFrom[place] === 1 ? 0 : 1] as (typeof sums)[0];
  for (const [place, { count, of }] of units.entries()) {
    const side = sideOf(place);
    side.count += count;
    side.of += of;
    side.units += 1;
  }
  for (const [place, { count, of }] of units.entries()) {
    const side = sideOf(place);
    side.squares += side.of === 0 ? 0 : (count - (side.count / side.of) * of) ** 2;
  }
  const [a, b] = sums.map(({ count, of }) => (of === 0 ? 0 : count / of)) as [number, number];
  const variance = sums.reduce((sum, side) => sum + (side.of === 0 || side.units < 2 ? 0 : (side.squares / side.of ** 2) * (side.units / (side.units - 1))), 0);
  if (Math.abs(a - b) <= 1e-13 * Math.max(Math.abs(a), Math.abs(b))) return { rates: [a, b], z: 0 };
  return { rates: [a, b], z: (b - a) / Math.sqrt(Math.max(variance, 1e-300)) };
}
