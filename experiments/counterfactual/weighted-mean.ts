/** Sums over weighted rewards, from which each estimator below follows; sums of parts add up to the sums of the whole. */
export type WeightedSums = { count: number; weighted: number; weight: number };

/** @param control what `weight` is summed over: 1 for single items, examination for the slots of a slate. */
export function weightedSums(input: { weights: ArrayLike<number>; rewards: ArrayLike<number>; control?: ArrayLike<number> }): WeightedSums {
  const { weights, rewards, control } = input;
  const sums: WeightedSums = { count: weights.length, weighted: 0, weight: 0 };
  for (let index = 0; index < weights.length; index += 1) {
    const weight = weights[index] as number;
    sums.weighted += weight * (rewards[index] as number);
    sums.weight += weight * (control === undefined ? 1 : (control[index] as number));
  }
  return sums;
}

/** Inverse propensity score: sum w r / n. Horvitz and Thompson 1952; for recommenders Schnabel et al. 2016, eq. 9. */
export function ips({ count, weighted }: WeightedSums): number {
  return count === 0 ? 0 : weighted / count;
}

/** Self-normalized: sum w r / sum w. Swaminathan and Joachims 2015, eq. 10. Biased a little, far less variable. */
export function snips({ weighted, weight }: WeightedSums): number {
  return weight === 0 ? 0 : weighted / weight;
}

/** Kish's effective sample size, (sum w)^2 / sum w^2: how many unweighted draws would tell as much. */
export function effectiveSampleSize(weights: ArrayLike<number>): number {
  let total = 0;
  let squares = 0;
  for (let index = 0; index < weights.length; index += 1) {
    const weight = weights[index] as number;
    total += weight;
    squares += weight * weight;
  }
  return squares === 0 ? 0 : (total * total) / squares;
}
