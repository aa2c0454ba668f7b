/** Standard normal distribution function; absolute error below 1e-7 (Abramowitz and Stegun 7.1.26). */
export function normalBelow(x: number): number {
  const tail = twoSided(x) / 2;
  return x > 0 ? 1 - tail : tail;
}

/** P(|Z| >= |z|), Z standard normal; 1 where z is 0 divided by 0: no spread and no difference. */
export function twoSided(z: number): number {
  if (Number.isNaN(z)) return 1;
  const x = Math.abs(z) / Math.SQRT2;
  if (x > 26) return 0;
  const t = 1 / (1 + 0.3275911 * x);
  return t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.exp(-x * x);
}

/** Inverse of the normal distribution function. Acklam's rational approximation, relative error 1.15e-9. */
export function normalQuantile(probability: number): number {
  const a = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239];
  const b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572];
  const c = [-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783];
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416];
  const polynomial = (coefficients: readonly number[], x: number) => coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);
  if (probability < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(probability));
    return polynomial(c, q) / (polynomial(d, q) * q + 1);
  }
  if (probability > 1 - 0.02425) return -normalQuantile(1 - probability);
  const q = probability - 0.5;
  const r = q * q;
  return (polynomial(a, r) * q) / (polynomial(b, r) * r + 1);
}
