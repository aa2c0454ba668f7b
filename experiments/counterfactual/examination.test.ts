import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { estimateExamination } from './examination.ts';

const truth = [1, 0.7, 0.5, 0.3];
const explore = (slates: number, seed: number) => {
  const random = createRandom(seed);
  return Array.from({ length: slates }, () => {
    const slot = random.below(4);
    return { slot, engaged: random.float() < 0.1 * (truth[slot] ?? 0) };
  });
};

it('never rises, begins at 1, and finds the truth', () => {
  const { value } = estimateExamination({ explored: explore(40_000, 5), size: 4, seed: 1 });
  for (const [slot, expected] of truth.entries()) expect(Math.abs((value[slot] ?? 0) - expected)).toBeLessThan(0.08);
});

it('knows how far it may be off: of 200 logs, its intervals hold the truth about as often as they say', () => {
  const rounds = 200;
  const held = [0, 0, 0, 0];
  const errors: number[] = [];
  let foretold = 0;
  for (let round = 0; round < rounds; round += 1) {
    const { value, covariance, intervals } = estimateExamination({ explored: explore(8_000, 50 + round), size: 4, seed: round });
    for (const [slot, expected] of truth.entries()) {
      const { low, high } = intervals[slot] as { low: number; high: number };
      if (low <= expected && expected <= high) held[slot] = (held[slot] as number) + 1;
    }
    errors.push((value[2] as number) - 0.5);
    foretold += Math.sqrt(covariance[2 * 4 + 2] as number) / rounds;
  }
  const found = Math.sqrt(errors.reduce((sum, one) => sum + one * one, 0) / rounds);
  console.log(`intervals held ${held.join(', ')} of ${rounds}; third slot: error ${found.toFixed(4)}, foretold ${foretold.toFixed(4)}`);
  // Slots that fall steeply: the monotone fit hardly binds, so that the nominal 95 % holds; less than 88 % has probability 1e-5.
  for (const count of held) expect(count).toBeGreaterThanOrEqual(0.88 * rounds);
  expect(found / foretold).toBeGreaterThan(0.7);
  expect(found / foretold).toBeLessThan(1.4);
});

it('is monotone on any log', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ slot: fc.integer({ min: 0, max: 9 }), engaged: fc.boolean() })), (explored) => {
      const { value, intervals } = estimateExamination({ explored, size: 10, seed: 1 });
      expect(value[0]).toBe(1);
      for (let slot = 1; slot < 10; slot += 1) expect(value[slot]).toBeLessThanOrEqual((value[slot - 1] ?? 0) + 1e-12);
      for (const { low, value: middle, high } of intervals) expect(low <= middle && middle <= high).toBe(true);
    }),
    { numRuns: 50 },
  );
});
