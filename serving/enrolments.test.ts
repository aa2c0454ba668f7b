import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { CanarySpec } from '../models/contracts/deployment.ts';
import { bucketOf } from '../models/slate/assign.ts';
import { createEnrolments } from './enrolments.ts';
import { canaryOf } from './testing.ts';

/** Shares by arm, the first of them of arm 1. */
function canaryAmong(shares: readonly number[], salt: string): CanarySpec {
  const [share = 0, ...rest] = shares;
  return canaryOf('arm-1', { share, rivals: rest.map((one, index) => ({ artifact: `arm-${index + 2}`, share: one })), salt });
}
/** Shares of 2 to 6 challengers that leave the champion some. */
const anyParts = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 6 });
const sharesOf = (parts: readonly number[]): number[] => {
  const whole = parts.reduce((sum, one) => sum + one, 50);
  return parts.map((one) => one / whole);
};
const unitsOf = (count: number) => Array.from({ length: count }, (_, index) => `u:${index}`);

it('gives each challenger its share of the units', () => {
  fc.assert(
    fc.property(
      anyParts.map(sharesOf),
      fc.nat().map((nonce) => `salt-${nonce}`),
      (shares, salt) => {
        const enrolments = createEnrolments();
        const units = 4_000;
        const counts = new Map<string, number>();
        for (const unit of unitsOf(units)) {
          const { challenger, variant, enrolment } = enrolments.assign({ canary: canaryAmong(shares, salt), unit, generation: 1, nowMs: 1 });
          expect(variant).toBe(challenger === null ? 'champion' : 'challenger');
          expect(enrolment).toMatchObject({ share: shares[0], rivalShares: shares.slice(1) });
          counts.set(challenger ?? 'champion', (counts.get(challenger ?? 'champion') ?? 0) + 1);
        }
        const champion = 1 - shares.reduce((sum, one) => sum + one, 0);
        for (const [arm, share] of [champion, ...shares].entries()) {
          const seen = (counts.get(arm === 0 ? 'champion' : `arm-${arm}`) ?? 0) / units;
          expect(Math.abs(seen - share)).toBeLessThan(5.5 * Math.sqrt((share * (1 - share)) / units));
        }
      },
    ),
    { numRuns: 25 },
  );
});

it('moves nobody when shares move, and only the units of who is out, to the champion', () => {
  const anyStep = fc.record({ parts: fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 6, maxLength: 6 }), out: fc.option(fc.nat(5)) });
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 6 }), fc.array(anyStep, { minLength: 1, maxLength: 8 }), fc.boolean(), (arms, steps, restarted) => {
      const unitCount = 20 * steps.length;
      const out = new Set<number>();
      /** Who each unit must be, from its bucket and the shares at its first request. */
      const become = new Map<string, number>();
      let enrolments = createEnrolments();
      const written: Parameters<typeof enrolments.restore>[0][] = [];
      let before = new Map<string, string | null>();
      for (const [step, { parts, out: lost }] of steps.entries()) {
        if (lost !== null && step > 0) out.add(lost);
        const shares = sharesOf(parts.slice(0, arms).map((part, arm) => (out.has(arm) ? 0 : part)));
        const canary = canaryAmong(shares, 'salt');
        const now = new Map<string, string | null>();
        for (const unit of unitsOf(unitCount).slice(0, 20 * (step + 1))) {
          if (!become.has(unit)) {
            const ends = shares.map((_, arm) => shares.slice(0, arm + 1).reduce((sum, one) => sum + one, 0));
            become.set(
              unit,
              ends.findIndex((end) => bucketOf({ salt: 'salt', unit }) < end),
            );
          }
          const { challenger, variant, enrolment } = enrolments.assign({ canary, unit, generation: step + 1, nowMs: step });
          written.push({ releaseId: canary.releaseId, unit, enrolment });
          now.set(unit, challenger);
          const arm = become.get(unit) as number;
          expect([unit, challenger, variant]).toEqual([unit, ...(arm < 0 || out.has(arm) ? [null, 'champion'] : [`arm-${arm + 1}`, 'challenger'])]);
          expect(enrolment).not.toBeNull();
          const previous = before.get(unit);
          if (previous !== undefined && previous !== challenger) expect([challenger, previous]).toEqual([null, `arm-${(lost as number) + 1}`]);
        }
        before = now;
        if (restarted) {
          enrolments = createEnrolments({ releaseId: canary.releaseId });
          for (const record of written) enrolments.restore(record);
        }
      }
    }),
    { numRuns: 100 },
  );
});

it('gives the champion the units of a rival that is not listed any more', () => {
  const enrolments = createEnrolments();
  const all = canaryAmong([0.1, 0.1, 0.8], 'salt');
  const units = unitsOf(100);
  const assign = (canary: CanarySpec) => units.map((unit) => enrolments.assign({ canary, unit, generation: 1, nowMs: 1 }).challenger);
  const first = assign(all);
  expect(new Set(first)).toEqual(new Set(['arm-1', 'arm-2', 'arm-3']));
  expect(assign({ ...all, rivals: all.rivals?.slice(0, 1) })).toEqual(first.map((one) => (one === 'arm-3' ? null : one)));
});

it('writes nothing more, and takes nothing away, where the challenger is alone', () => {
  const enrolments = createEnrolments();
  const assign = (share: number) => enrolments.assign({ canary: canaryOf('only', { share }), unit: 'u:1', generation: 3, nowMs: 7 });
  const expected = { variant: 'challenger', challenger: 'only', enrolment: { share: 1, bucket: expect.any(Number), atMs: 7, generation: 3 } };
  expect(assign(1)).toStrictEqual(expected);
  expect(assign(0)).toStrictEqual(expected);
});
