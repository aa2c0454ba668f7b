import type { Random } from '../../models/random.ts';

/** As many as give p-values to half a per cent, and exactly 5 in 100 below or at 0.05. */
export const usualPermutations = 199;

/** In place, each order as likely as the other (Fisher and Yates). */
export function shuffle<Rows extends { length: number; [place: number]: number }>(rows: Rows, random: Random): Rows {
  for (let at = rows.length - 1; at > 0; at -= 1) {
    const other = random.below(at + 1);
    const kept = rows[at] as number;
    rows[at] = rows[other] as number;
    rows[other] = kept;
  }
  return rows;
}

export const placesTo = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, place) => place);

/**
 * Share of `drawn` that are at least `observed`, with the observed one among them: never 0, and at most alpha with probability alpha wherever all orders
 * were as likely (Phipson and Smyth, "Permutation p-values should never be zero", 2010). What differs by rounding alone counts as equal.
 */
export function permutationP(observed: number, drawn: ArrayLike<number>): number {
  let as = 1;
  const slack = 1e-10 * Math.max(Math.abs(observed), 1e-300);
  for (let at = 0; at < drawn.length; at += 1) if ((drawn[at] as number) >= observed - slack) as += 1;
  return as / (drawn.length + 1);
}
