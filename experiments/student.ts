/**
 * P(|T| <= t) of Student's t with a whole number of degrees of freedom, with the sign of t (Abramowitz and Stegun 26.7.3 and 26.7.4). Exact with one to three of them too,
 * which short trends and few retrainings have, and where the expansion of counterfactual/single-slot/student.ts is far off.
 */
function between(t: number, degrees: number): number {
  const angle = Math.atan(Math.abs(t) / Math.sqrt(degrees));
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const isOdd = degrees % 2 === 1;
  let term = isOdd ? cosine : 1;
  let sum = degrees === 1 ? 0 : term;
  for (let power = isOdd ? 3 : 2; power <= degrees - 2; power += 2) {
    term *= ((power - 1) / power) * cosine ** 2;
    sum += term;
  }
  return Math.sign(t) * (isOdd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum);
}

/** P(T <= t). */
export const studentBelow = (t: number, degrees: number): number => 0.5 + between(t, degrees) / 2;

/** P(T >= t), 0 and 1 for infinities. */
export const studentAbove = (t: number, degrees: number): number => (Number.isFinite(t) ? (1 - between(t, degrees)) / 2 : t > 0 ? 0 : 1);

/** Inverse of `studentBelow`, to a billionth. @param probability within (0, 1) */
export function studentQuantile(probability: number, degrees: number): number {
  let [low, high] = [-1, 1];
  while (studentBelow(low, degrees) > probability) low *= 2;
  while (studentBelow(high, degrees) < probability) high *= 2;
  for (let step = 0; step < 80 && high - low > 1e-9; step += 1) {
    const middle = (low + high) / 2;
    if (studentBelow(middle, degrees) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
