import { describe, expect, it } from 'vitest';
import { clusterScores, type IntervalKind, intervalKinds, intervalOf } from './intervals.ts';
import { population, sample, scoresOf, type World } from './testing.ts';

describe('intervals', () => {
  it('hold the truth about as often as they say; those that need no large sample at least so often', () => {
    const world: World = { actions: 3, contexts: [{ logging: [0.6, 0.3, 0.1], target: [0.2, 0.3, 0.5], worth: [0.3, 0.5, 0.6], predicted: [0.2, 0.6, 0.5] }] };
    const { truth } = population(world);
    const rounds = 200;
    const held = Object.fromEntries(intervalKinds.map((kind) => [kind, 0])) as Record<IntervalKind, number>;
    for (let round = 0; round < rounds; round += 1) {
      const { scores, value } = scoresOf('dr', sample(world, 400, 50 + round));
      const of = clusterScores({ scores, cluster: undefined, clusters: scores.length });
      // A priori: weights up to 5, residuals within 1.
      const bounds = { low: -5, high: 6 };
      for (const kind of intervalKinds) {
        const { low, high } = intervalOf(kind, { sample: of, value, level: 0.95, seed: round, replications: 200, bounds });
        if (low <= truth && truth <= high) held[kind] += 1;
      }
    }
    console.log(`95 % intervals of DR that held the truth, of ${rounds}: ${JSON.stringify(held)}`);
    for (const kind of ['normal', 'empirical-likelihood', 'bootstrap'] as const) expect(held[kind]).toBeGreaterThanOrEqual(0.9 * rounds);
    for (const kind of ['empirical-bernstein', 'betting'] as const) expect(held[kind]).toBeGreaterThanOrEqual(0.95 * rounds);
  });
});
