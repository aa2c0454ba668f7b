import type { LoggedRows } from './logged-rows.ts';

/**
 * The lift's scores are (w - 1) e and what the model makes sure of, e the residual of the reward. A variance that is estimated from n of them is as
 * uncertain as one from n / kurtosis draws of which each is nothing or something, so that this many rewards carry the lift; and kurtosis is above the
 * square of skewness, so that the interval's shape is known where it is large (Cochran, "Sampling techniques", 1977, sec. 2.15, asks for n > 25 skewness^2).
 * The kurtosis is taken as that of w - 1 times that of e: those of the product itself depend on which heavy rows happened to be rewarded, so that logs
 * would be judged by their luck. Residuals of one cluster count as one.
 */
export function essOfLift({ rows, weights, meanWeight, clusters }: { rows: LoggedRows; weights: Float64Array; meanWeight: number; clusters: number }): number {
  const { reward, qLogged, cluster } = rows;
  const count = weights.length;
  let residualSum = 0;
  for (let row = 0; row < count; row += 1) residualSum += (reward[row] as number) - (qLogged === undefined ? 0 : (qLogged[row] as number));
  const meanResidual = residualSum / count;
  const byCluster = cluster === undefined ? null : new Float64Array(clusters);
  let [tilt2, tilt4, residual2, residual4] = [0, 0, 0, 0];
  for (let row = 0; row < count; row += 1) {
    const tilt = ((weights[row] as number) / meanWeight - 1) ** 2;
    tilt2 += tilt;
    tilt4 += tilt * tilt;
    const residual = (reward[row] as number) - (qLogged === undefined ? 0 : (qLogged[row] as number)) - meanResidual;
    if (byCluster !== null) {
      const own = (cluster as Int32Array)[row] as number;
      byCluster[own] = (byCluster[own] as number) + residual;
      continue;
    }
    residual2 += residual * residual;
    residual4 += residual ** 4;
  }
  if (byCluster !== null) {
    for (let own = 0; own < clusters; own += 1) {
      const square = (byCluster[own] as number) ** 2;
      residual2 += square;
      residual4 += square * square;
    }
  }
  if (residual4 === 0 || !(meanWeight > 0)) return 0;
  // Policies that do the same: nothing is weighted.
  const evenness = tilt4 === 0 ? 1 : (tilt2 * tilt2) / tilt4 / count;
  return (evenness * residual2 * residual2) / residual4;
}
