import type { Random } from '../../models/random.ts';
import { normals } from '../simulator/normals.ts';

/** Draws of counts and factors; large counts by the normal approximation. */
export function drawsOf(random: Random) {
  const normal = normals(random);
  const between = (low: number, high: number): number => low + (high - low) * random.float();
  const poisson = (mean: number): number => {
    if (mean > 40) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal()));
    let count = 0;
    for (let product = random.float(); product > Math.exp(-mean); product *= random.float()) count += 1;
    return count;
  };
  const binomial = (trials: number, probability: number): number => {
    const share = Math.min(1, Math.max(0, probability));
    const variance = trials * share * (1 - share);
    if (variance > 25) return Math.min(trials, Math.max(0, Math.round(trials * share + Math.sqrt(variance) * normal())));
    if (share > 0.5) return trials - binomial(trials, 1 - share);
    if (trials > 100) return Math.min(trials, poisson(trials * share));
    let count = 0;
    for (let trial = 0; trial < trials; trial += 1) if (random.float() < share) count += 1;
    return count;
  };
  return {
    random,
    normal,
    between,
    poisson,
    binomial,
    chance: (probability: number): boolean => random.float() < probability,
    oneOf: <T>(values: readonly T[]): T => values[random.below(values.length)] as T,
    /** A factor around 1, of a standard deviation in logarithm. */
    factor: (deviation: number): number => Math.exp(deviation * normal() - deviation ** 2 / 2),
    /** One factor a unit, each like the one before it (AR(1)), as days are. */
    factors(count: number, { deviation, memory }: { deviation: number; memory: number }): number[] {
      let state = normal();
      return Array.from({ length: count }, () => {
        state = memory * state + Math.sqrt(1 - memory ** 2) * normal();
        return Math.exp(deviation * state - deviation ** 2 / 2);
      });
    },
  };
}
export type Draws = ReturnType<typeof drawsOf>;
