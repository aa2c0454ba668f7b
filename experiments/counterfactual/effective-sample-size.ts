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
