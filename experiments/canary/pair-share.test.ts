import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pairShare } from './pair-share.ts';

const anyShare = fc.double({ min: Number.MIN_VALUE, max: 1, noNaN: true });

describe('the share of a pair', () => {
  it('of one alone is exactly its own, whoever is out', () => {
    fc.assert(
      fc.property(anyShare, fc.nat({ max: 5 }), (own, others) => {
        expect(pairShare({ own, all: [own, ...Array.from({ length: others }, () => 0)] })).toBe(own);
      }),
    );
  });

  it("is the challenger's part of those who met it or the champion", () => {
    expect(pairShare({ own: 0.1, all: [0.1, 0.2, 0.3] })).toBeCloseTo(0.1 / 0.5, 12);
    expect(pairShare({ own: 0.3, all: [0.1, 0.2, 0.3] })).toBeCloseTo(0.3 / 0.7, 12);
    expect(pairShare({ own: 0, all: [0.1, 0] })).toBeNull();
  });

  it('stays a share where nothing is left to the champion', () => {
    fc.assert(
      fc.property(fc.array(anyShare, { minLength: 1, maxLength: 6 }), (raw) => {
        const sum = raw.reduce((total, one) => total + one, 0);
        const all = raw.map((one) => one / sum);
        for (const own of all) {
          const share = pairShare({ own, all });
          if (share === null) continue;
          expect(share).toBeGreaterThan(0);
          expect(share).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});
