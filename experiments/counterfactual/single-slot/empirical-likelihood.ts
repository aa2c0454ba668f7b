import { UnderstudyError } from '../../../models/contracts/problem.ts';

/** Beyond these a product is turned into a logarithm. */
const [smallest, largest] = [1e-200, 1e200];

/**
 * All means m with  -2 log R(m) <= critical,  R the empirical likelihood ratio of independent scores (Owen, "Empirical likelihood ratio confidence intervals
 * for a single functional", Biometrika 1988). Its shape follows the data's skewness, which the normal interval's does not.
 *
 * log R(m) = -sum log(1 + lambda (x - m)), lambda such that sum (x - m) / (1 + lambda (x - m)) = 0. The root of -2 log R is nearly a straight line
 * in m and its slope is known (the envelope theorem: d(-2 log R) / dm = -2 n lambda), so that Newton's steps along it find each end in a few passes.
 *
 * @param critical the chi-squared quantile, or what is used for it
 */
export function empiricalLikelihood({
  scores,
  mean,
  standardError,
  critical,
}: {
  scores: Float64Array;
  mean: number;
  standardError: number;
  critical: number;
}): {
  low: number;
  high: number;
} {
  if (!(critical > 0)) throw new UnderstudyError('UND-INPUT', `A critical value of ${critical} leaves no interval`);
  if (!(standardError > 0 && Number.isFinite(standardError))) return { low: mean, high: mean };
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < scores.length; index += 1) {
    least = Math.min(least, scores[index] as number);
    most = Math.max(most, scores[index] as number);
  }
  const wanted = Math.sqrt(critical);
  const end = (side: -1 | 1): number => {
    const hull = side < 0 ? least : most;
    // In standard errors from the mean: `near` is within, `far` is not.
    const limit = (side * (hull - mean)) / standardError;
    let [near, far] = [0, limit];
    let distance = Math.min(wanted, 0.9 * limit);
    let lambda = 0;
    for (let step = 0; step < 40; step += 1) {
      const supposed = mean + side * distance * standardError;
      lambda = multiplier({ scores, supposed, lambda, least, most });
      const root = Math.sqrt(Math.max(0, deviance(scores, supposed, lambda)));
      if (root <= wanted) near = distance;
      else far = distance;
      if (Math.abs(root - wanted) < 1e-7 * wanted || far - near < 1e-9 * far) break;
      const slope = (scores.length * Math.abs(lambda) * standardError) / root;
      const next = distance + (wanted - root) / slope;
      distance = next > near && next < far ? next : (near + far) / 2;
    }
    return mean + side * distance * standardError;
  };
  return { low: end(-1), high: end(1) };
}

/** Newton on the dual, kept where every probability 1 / (n (1 + lambda (x - m))) is below 1. @param lambda where to begin */
function multiplier({
  scores,
  supposed,
  lambda: given,
  least,
  most,
}: {
  scores: Float64Array;
  supposed: number;
  lambda: number;
  least: number;
  most: number;
}): number {
  const count = scores.length;
  let from = (1 / count - 1) / (most - supposed);
  let to = (1 / count - 1) / (least - supposed);
  let lambda = given > from && given < to ? given : 0;
  for (let step = 0; step < 60; step += 1) {
    let slope = 0;
    let curve = 0;
    for (let index = 0; index < count; index += 1) {
      const distance = (scores[index] as number) - supposed;
      const part = distance / (1 + lambda * distance);
      slope += part;
      curve += part * part;
    }
    if (slope > 0) from = lambda;
    else to = lambda;
    const next = lambda + slope / curve;
    const inside = next > from && next < to ? next : (from + to) / 2;
    const moved = Math.abs(inside - lambda);
    lambda = inside;
    // The deviance is flat at its maximum over lambda: an error of 1e-6 is one of 1e-12 there.
    if (moved < 1e-6 * Math.abs(lambda)) break;
  }
  return lambda;
}

/** -2 log R, by products: a logarithm for each row would cost more than all else. */
function deviance(scores: Float64Array, supposed: number, lambda: number): number {
  let sum = 0;
  let product = 1;
  for (let index = 0; index < scores.length; index += 1) {
    product *= 1 + lambda * ((scores[index] as number) - supposed);
    if (product < smallest || product > largest) {
      sum += Math.log(product);
      product = 1;
    }
  }
  return 2 * (sum + Math.log(product));
}
