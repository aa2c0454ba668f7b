import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canaryDecision } from '../../models/contracts/canary.ts';
import { createRandom } from '../../models/random.ts';
import type { noCounts } from './arm-data.ts';
import { prepareBets } from './betting.ts';
import { challengerShare, probabilityBetter } from './challenger-share.ts';
import { exceeds, sampleRatioPValue } from './guardrails.ts';
import { estimateLift, liftInterval } from './lift.ts';
import { armsOf, canary, decide, stratum } from './testing.ts';

const even = (units: number, champion: number, challenger: number) =>
  armsOf([stratum({ share: 0.5, champion: { units, converted: units * champion }, challenger: { units, converted: units * challenger } })]);
const tenth = (units: number, rate: number) =>
  armsOf([
    stratum({
      share: 0.1,
      champion: { units: units * 9, converted: Math.round(units * 9 * rate) },
      challenger: { units, converted: Math.round(units * rate) },
    }),
  ]);

describe('a look', () => {
  it('zero opens the lowest end of the first rung', () => {
    const decision = decide({ look: 0, share: 0 });
    expect(decision).toMatchObject({
      action: 'wait',
      share: 0.05,
      stage: 0,
      verdict: 'not-enough-evidence',
      lift: { value: 0, low: -1, high: 1 },
      probabilityBetter: 0.5,
      sampleRatioPValue: 1,
    });
    expect(canaryDecision.parse(decision)).toEqual(decision);
  });

  it("waits for the rung's users, then goes up, within the next rung's range", () => {
    expect(decide({ arms: tenth(9, 0.2) })).toMatchObject({ action: 'wait', stage: 0 });
    const up = decide({ arms: tenth(30, 0.2) });
    expect(up).toMatchObject({ action: 'advance', stage: 0 });
    expect(up.share).toBeGreaterThanOrEqual(0.25);
    expect(up.share).toBeLessThanOrEqual(0.5);
  });

  it('promotes on the last rung only, what is better (replace) or within the margin (refresh)', () => {
    expect(decide({ arms: even(2_000, 0.2, 0.3) })).toMatchObject({ action: 'advance', verdict: 'better' });
    expect(decide({ stage: 1, share: 0.5, arms: even(2_000, 0.2, 0.3) })).toMatchObject({ action: 'promote', verdict: 'better', share: 1 });
    expect(decide({ stage: 1, share: 0.5, arms: even(20_000, 0.2, 0.2) })).toMatchObject({ action: 'wait', verdict: 'not-enough-evidence' });
    expect(decide({ intent: 'refresh', stage: 1, share: 0.5, arms: even(20_000, 0.2, 0.2) })).toMatchObject({
      action: 'promote',
      verdict: 'not-enough-evidence',
    });
    expect(decide({ intent: 'refresh', stage: 1, share: 0.5, arms: even(200, 0.2, 0.2) })).toMatchObject({ action: 'wait' });
    expect(decide({ stage: 1, share: 0.5, arms: { ...even(2_000, 0.2, 0.3), ripeByStage: [2_000, 39] } })).toMatchObject({ action: 'wait', verdict: 'better' });
  });

  it('rolls back at once what is worse, on any rung, whatever the intent', () => {
    for (const intent of ['refresh', 'replace'] as const)
      for (const stage of [0, 1])
        expect(decide({ intent, stage, arms: even(2_000, 0.2, 0.14) })).toMatchObject({ action: 'roll-back', verdict: 'worse', share: 0 });
  });

  it('rolls back when time is over, but promotes what has earned it by then', () => {
    expect(decide({ elapsedMs: 10_001, arms: tenth(30, 0.2) })).toMatchObject({ action: 'roll-back', verdict: 'not-enough-evidence' });
    expect(decide({ elapsedMs: 10_001, stage: 1, share: 0.5, arms: even(2_000, 0.2, 0.3) })).toMatchObject({ action: 'promote' });
  });

  it('rolls back broken guardrails and a wrong sample ratio, and says which', () => {
    const base = even(2_000, 0.2, 0.3);
    const withRail = (over: Partial<typeof noCounts>, slow = 0) =>
      decide({ stage: 1, arms: { ...base, challenger: { ...base.challenger, ...over }, slow: { champion: 0, challenger: slow } } });
    expect(withRail({ errors: 60 })).toMatchObject({
      action: 'roll-back',
      reasons: [expect.stringContaining("3.0 % of the challenger's slates had no items; the charter allows 1.0 %")],
    });
    expect(withRail({ fallbacks: 300 })).toMatchObject({ action: 'roll-back', reasons: [expect.stringContaining('15.0 %')] });
    expect(withRail({}, 100)).toMatchObject({ action: 'roll-back', reasons: [expect.stringContaining('longer than 250 ms')] });
    expect(withRail({ errors: 20, fallbacks: 100 }, 20)).toMatchObject({ action: 'promote' });
    expect(withRail({ slates: 199 }, 100)).toMatchObject({ action: 'promote' });
    expect(withRail({ slates: 19, errors: 19 })).toMatchObject({ action: 'promote' });
    const lost = armsOf([stratum({ share: 0.5, champion: { units: 10_000, converted: 2_000 }, challenger: { units: 9_000, converted: 1_800 } })]);
    expect(decide({ arms: lost })).toMatchObject({
      action: 'roll-back',
      reasons: [expect.stringContaining('9000 users enrolled with the challenger where 9500 were expected')],
    });
  });

  it('gives an interval that is one, also where no difference explains the data', () => {
    const strata = [
      stratum({ generation: 0, share: 0.01, champion: { units: 0, converted: 0 }, challenger: { units: 5, converted: 5 } }),
      stratum({ generation: 1, share: 0.01, champion: { units: 0, converted: 0 }, challenger: { units: 68, converted: 68 } }),
    ];
    const { lift } = decide({ arms: armsOf(strata), intent: 'refresh', share: 0 });
    expect(lift.low).toBeLessThanOrEqual(lift.value);
    expect(lift.value).toBeLessThanOrEqual(lift.high);
  });

  it('is a decision that the contract knows, its share within the rung, its verdict where the interval is; same input, same digest', () => {
    const anyArm = fc.record({ units: fc.integer({ min: 0, max: 400 }), rate: fc.double({ min: 0, max: 1, noNaN: true }) });
    const anyStratum = fc.record({ share: fc.double({ min: 0.01, max: 0.5, noNaN: true }), champion: anyArm, challenger: anyArm });
    fc.assert(
      fc.property(
        fc.array(anyStratum, { maxLength: 5 }),
        fc.integer({ min: 0, max: 1 }),
        fc.constantFrom('refresh', 'replace'),
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        fc.nat({ max: 20_000 }),
        (drafts, stage, intent, share, elapsedMs) => {
          const arm = ({ units, rate }: { units: number; rate: number }) => ({ units, converted: Math.round(units * rate) });
          const arms = armsOf(
            drafts.map((one, generation) => stratum({ generation, share: one.share, champion: arm(one.champion), challenger: arm(one.challenger) })),
          );
          const decision = decide({ arms, stage, intent, share, elapsedMs });
          expect(canaryDecision.parse(decision)).toEqual(decision);
          const { lift, verdict, action } = decision;
          expect(lift.low).toBeLessThanOrEqual(lift.value);
          expect(lift.value).toBeLessThanOrEqual(lift.high);
          if (verdict === 'worse') expect(lift.high).toBeLessThanOrEqual(0);
          if (verdict === 'better') expect(lift.low).toBeGreaterThanOrEqual(0);
          const cap = canary.ladder[action === 'advance' ? stage + 1 : stage] ?? 0;
          if (action === 'wait' || action === 'advance') expect(decision.share >= cap / 2 && decision.share <= cap).toBe(true);
          expect(decide({ arms, stage, intent, share, elapsedMs }).evidenceDigest).toBe(decision.evidenceDigest);
          expect(decide({ arms, stage, intent, share, elapsedMs: elapsedMs + 1 }).evidenceDigest).not.toBe(decision.evidenceDigest);
        },
      ),
    );
  });
});

describe('the interval', () => {
  const ends = { low: 0.05, high: 0.05 };
  const draw = (seed: number, champion: number, challenger: number, users: number, cap = 1) => {
    const random = createRandom(seed);
    const strata = [0.05, 0.2, 0.5].map((share, generation) => {
      const arms = { champion: { units: 0, converted: 0 }, challenger: { units: 0, converted: 0 } };
      for (let user = 0; user < users; user += 1) {
        const variant = random.float() < share ? 'challenger' : 'champion';
        arms[variant].units += 1;
        if (random.float() < (variant === 'challenger' ? challenger : champion)) arms[variant].converted += 1;
      }
      return stratum({ generation, share, ...arms });
    });
    return prepareBets({ strata, cap });
  };

  it('holds the true lift, each end with 1 - alpha, and its estimate is unbiased', () => {
    let below = 0;
    let above = 0;
    let sum = 0;
    for (let seed = 0; seed < 200; seed += 1) {
      const { low, high, value } = liftInterval(draw(seed, 0.2, 0.3, 1_000), ends);
      if (low > 0.1) above += 1;
      if (high < 0.1) below += 1;
      sum += value;
    }
    expect(above).toBeLessThanOrEqual(10);
    expect(below).toBeLessThanOrEqual(10);
    expect(sum / 200).toBeCloseTo(0.1, 2);
  });

  it('narrows, scales with the cap, and nearly mirrors when the arms change places', () => {
    const width = (users: number) => {
      const { low, high } = liftInterval(draw(1, 0.2, 0.2, users), ends);
      return high - low;
    };
    expect(width(20_000)).toBeLessThan(width(2_000) / 2);
    const small = [stratum({ share: 0.5, champion: { units: 500, converted: 100 }, challenger: { units: 500, converted: 150 } })];
    const tenfold = small.map((one) => ({
      ...one,
      champion: { ...one.champion, ripe: one.champion.ripe.map(([value, units]) => [value * 10, units] as [number, number]) },
      challenger: { ...one.challenger, ripe: one.challenger.ripe.map(([value, units]) => [value * 10, units] as [number, number]) },
    }));
    const one = liftInterval(prepareBets({ strata: small, cap: 1 }), ends);
    const ten = liftInterval(prepareBets({ strata: tenfold, cap: 10 }), ends);
    expect(ten.low).toBeCloseTo(one.low * 10, 2);
    expect(ten.high).toBeCloseTo(one.high * 10, 2);
    // The likelihood ratio of a share among users with the event is not the same upwards and downwards, so this holds nearly.
    const swapped = prepareBets({ strata: small.map((own) => ({ ...own, champion: own.challenger, challenger: own.champion })), cap: 1 });
    expect(Math.abs(liftInterval(swapped, ends).high + one.low)).toBeLessThan(0.01);
  });

  it('takes no part in strata without users, and says nothing without data', () => {
    const empty = prepareBets({ strata: [stratum({ share: 0.2, champion: { units: 0, converted: 0 }, challenger: { units: 0, converted: 0 } })], cap: 1 });
    expect(liftInterval(empty, ends)).toEqual({ value: 0, low: -1, high: 1 });
    expect(estimateLift(empty)).toEqual({ value: 0, standardError: Number.POSITIVE_INFINITY });
    expect(probabilityBetter(empty)).toBe(0.5);
  });
});

describe('the share', () => {
  it('goes with the probability of being better, in steps, and only when it moves enough', () => {
    expect(challengerShare({ cap: 0.1, probability: 0, current: 0 })).toBe(0.05);
    expect(challengerShare({ cap: 0.1, probability: 1, current: 0 })).toBe(0.1);
    expect(challengerShare({ cap: 0.01, probability: 0.333, current: 0.1 })).toBe(0.0067);
    expect(challengerShare({ cap: 0.1, probability: 0.6, current: 0.075 })).toBe(0.075);
    expect(challengerShare({ cap: 0.1, probability: 0.8, current: 0.075 })).toBe(0.09);
    expect(challengerShare({ cap: 0.00005, probability: 0.5, current: 0 })).toBe(0.000025);
  });

  it('comes from a posterior that leans the right way', () => {
    const probability = (champion: number, challenger: number) => probabilityBetter(prepareBets({ strata: even(500, champion, challenger).strata, cap: 1 }));
    expect(probability(0.2, 0.2)).toBeCloseTo(0.5, 6);
    expect(probability(0.2, 0.3)).toBeGreaterThan(0.99);
    expect(probability(0.2, 0.3) + probability(0.3, 0.2)).toBeCloseTo(1, 6);
  });
});

describe('guardrails and sample ratio', () => {
  it('call a rate at its limit broken no more often than stated, however often they look', () => {
    const random = createRandom(5);
    let alarms = 0;
    for (let run = 0; run < 300; run += 1) {
      let count = 0;
      for (let trials = 1; trials <= 2_000; trials += 1) {
        if (random.float() < 0.05) count += 1;
        if (trials % 10 === 0 && exceeds({ count, trials, limit: 0.05, alpha: 0.05 })) {
          alarms += 1;
          break;
        }
      }
    }
    expect(alarms / 300).toBeLessThanOrEqual(0.05);
  });

  it('see a challenger that always falls back within twenty slates, and know limits of none and all', () => {
    expect(exceeds({ count: 20, trials: 20, limit: 0.05, alpha: 0.001 })).toBe(true);
    expect(exceeds({ count: 1, trials: 20, limit: 0.05, alpha: 0.001 })).toBe(false);
    expect(exceeds({ count: 1, trials: 1_000, limit: 0, alpha: 0.001 })).toBe(true);
    expect(exceeds({ count: 0, trials: 1_000, limit: 0, alpha: 0.001 })).toBe(false);
    expect(exceeds({ count: 1_000, trials: 1_000, limit: 1, alpha: 0.001 })).toBe(false);
  });

  it('call a right ratio wrong no more often than stated, however often they look', () => {
    const random = createRandom(6);
    let alarms = 0;
    for (let run = 0; run < 300; run += 1) {
      const strata = [0.05, 0.2, 0.5].map((share) => stratum({ share, champion: { units: 0, converted: 0 }, challenger: { units: 0, converted: 0 } }));
      let smallest = 1;
      for (const [index, one] of strata.entries()) {
        for (let user = 1; user <= 1_000; user += 1) {
          one[random.float() < one.share ? 'challenger' : 'champion'].enrolled += 1;
          if (user % 20 === 0) smallest = Math.min(smallest, sampleRatioPValue(strata.slice(0, index + 1)));
        }
      }
      if (smallest <= 0.05) alarms += 1;
    }
    expect(alarms / 300).toBeLessThanOrEqual(0.05);
  });

  it("compare with each stratum's own share", () => {
    const right = [0.01, 0.1, 0.5].map((share) =>
      stratum({ share, champion: { units: 10_000 * (1 - share), converted: 0 }, challenger: { units: 10_000 * share, converted: 0 } }),
    );
    expect(sampleRatioPValue(right)).toBeGreaterThan(0.5);
    expect(sampleRatioPValue(right.map((one) => ({ ...one, share: 0.2 })))).toBeLessThan(1e-9);
    const someLost = right.map((one) => ({ ...one, challenger: { ...one.challenger, enrolled: one.challenger.enrolled * 0.85 } }));
    expect(sampleRatioPValue(someLost)).toBeLessThan(1e-9);
    expect(sampleRatioPValue([])).toBe(1);
  });
});
