import type { Interval } from '../../models/contracts/verdict.ts';
import { createRandom } from '../../models/random.ts';
import { type BootstrapSettings, quantile } from '../ranking/grouped-means.ts';

export const groupCount = 1024;

/** Which group a user is in, at every origin the same one: what one user does there belongs together. FNV-1a, 32 bits (Fowler, Noll, Vo). */
export function groupOf(unit: string): number {
  let hash = 0x811c9dc5;
  for (let place = 0; place < unit.length; place += 1) hash = Math.imul(hash ^ unit.charCodeAt(place), 0x01000193);
  return ((hash ^ (hash >>> 16)) >>> 0) & (groupCount - 1);
}

/**
 * The ratio of two sums over users with a percentile bootstrap interval, whole groups of users drawn (Efron and Tibshirani 1993, ch. 13; clusters as in Davison
 * and Hinkley 1997, sec. 3.8). Null where there is nothing to divide by, in the whole or in any draw: then the data say nothing.
 * @param over,under [groups]
 */
export function ratioOfSums({
  over,
  under,
  seed,
  replications = 1000,
  level = 0.95,
}: BootstrapSettings & { over: ArrayLike<number>; under: ArrayLike<number> }): Interval | null {
  const filled = Uint32Array.from(Array.from({ length: under.length }, (_, group) => group).filter((group) => under[group] !== 0 || over[group] !== 0));
  const ratioOf = (groupAt: (place: number) => number): number => {
    let [above, below] = [0, 0];
    for (let place = 0; place < filled.length; place += 1) {
      const group = groupAt(place);
      above += over[group] as number;
      below += under[group] as number;
    }
    return below > 0 ? above / below : Number.NaN;
  };
  const value = ratioOf((place) => filled[place] as number);
  if (filled.length < 2 || Number.isNaN(value)) return null;
  const random = createRandom(seed);
  const draw = () => filled[random.below(filled.length)] as number;
  const draws = Float64Array.from({ length: replications }, () => ratioOf(draw));
  if (draws.some(Number.isNaN)) return null;
  draws.sort();
  const tail = (1 - level) / 2;
  return { value, low: quantile(draws, tail), high: quantile(draws, 1 - tail) };
}
