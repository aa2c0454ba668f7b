/** Sums over weighted rewards, from which each estimator below follows. */
export type WeightedRewards = { weights: ArrayLike<number>; rewards: ArrayLike<number> };

/** Inverse propensity score: sum w r / n. Horvitz and Thompson 1952; for recommenders Schnabel et al. 2016, eq. 9. */
export function ips({ weights, rewards }: WeightedRewards): number {
  return weights.length === 0 ? 0 : weightedSum(weights, rewards) / weights.length;
}

/** Self-normalized: sum w r / sum w. Swaminathan and Joachims 2015, eq. 10. Biased a little, far less variable. */
export function snips({ weights, rewards }: WeightedRewards): number {
  const total = sumOf(weights);
  return total === 0 ? 0 : weightedSum(weights, rewards) / total;
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

function weightedSum(weights: ArrayLike<number>, rewards: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < weights.length; index += 1) sum += (weights[index] as number) * (rewards[index] as number);
  return sum;
}

function sumOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index += 1) sum += values[index] as number;
  return sum;
}
