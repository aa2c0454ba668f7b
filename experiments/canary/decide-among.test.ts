import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { simulateAmong, type SimulatedAmong } from './among-simulation.ts';
import { armOf } from './canary-simulation.ts';
import { type AmongInput, decideAmong, pairOf, type SharedStratum } from './decide-among.ts';
import { decideCanary } from './decide-canary.ts';
import { canary } from './testing.ts';
import { alpha, charter } from './testing-canaries.ts';

type Counts = [units: number, converted: number];
const arm = ([units, converted]: Counts) => armOf([units - converted, converted]);
const stratumOf = (champion: Counts, challengers: Record<string, [share: number, counts: Counts]>): SharedStratum => ({
  generation: 1,
  shares: Object.fromEntries(Object.entries(challengers).map(([name, [share]]) => [name, share])),
  champion: arm(champion),
  challengers: Object.fromEntries(Object.entries(challengers).map(([name, [, counts]]) => [name, arm(counts)])),
});

function decide(strata: SharedStratum[], over: Partial<AmongInput> = {}) {
  const shares = over.shares ?? strata.at(-1)?.shares ?? {};
  return decideAmong({
    charter: { release: { canary }, reward: { weights: { purchase: 1 }, attributionMs: 1_000, capPerUnit: 1 } },
    intent: 'replace',
    releaseId: 'r',
    look: 3,
    stage: 1,
    out: [],
    elapsedMs: 500,
    arms: Object.fromEntries(Object.keys(shares).map((name) => [name, pairOf(strata, name, { ripeByStage: [1_000, 1_000] })])),
    ...over,
    shares,
  });
}

describe('several challengers', () => {
  it('one alone is decided as a canary of one', () => {
    const anyArm = fc.tuple(fc.integer({ min: 0, max: 300 }), fc.double({ min: 0, max: 1, noNaN: true })).map(([n, r]) => [n, Math.round(n * r)] as Counts);
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 0.5, noNaN: true }),
        anyArm,
        anyArm,
        fc.nat({ max: 20_000 }),
        fc.constantFrom('replace', 'refresh'),
        (share, champion, own, elapsedMs, intent) => {
          const strata = [stratumOf(champion, { a: [share, own] })];
          const arms = pairOf(strata, 'a', { ripeByStage: [1_000, 1_000] });
          const { action, decisions, shares } = decide(strata, { elapsedMs, intent });
          const single = decideCanary({
            charter: { release: { canary }, reward: { weights: { purchase: 1 }, attributionMs: 1_000, capPerUnit: 1 } },
            ...{ intent, releaseId: 'r', look: 3, stage: 1, share, elapsedMs, arms },
          });
          expect(decisions.a).toEqual(single);
          expect(action).toBe(single.action);
          expect(shares.a).toBeCloseTo(single.share, 12);
        },
      ),
      { seed: 9 },
    );
  });

  it('a loser leaves, and its share goes to those that are left', () => {
    const strata = [stratumOf([5_000, 1_000], { good: [0.15, [1_500, 360]], bad: [0.15, [1_500, 150]], same: [0.2, [2_000, 400]] })];
    const { action, out, shares, decisions } = decide(strata);
    expect(out).toEqual(['bad']);
    expect(decisions.bad).toMatchObject({ action: 'roll-back', verdict: 'worse' });
    expect(action).toBe('wait');
    expect(shares.bad).toBe(0);
    expect((shares.good ?? 0) + (shares.same ?? 0)).toBeCloseTo(0.5, 3);
    expect(shares.good).toBeGreaterThan(shares.same ?? 1);
    // The next look does not ask the one that is out.
    expect(Object.keys(decide(strata, { out }).decisions)).toEqual(['good', 'same']);
  });

  it('the best one is promoted when it has earned it; while another seems better, it waits', () => {
    const clear = stratumOf([5_000, 1_000], { good: [0.25, [2_500, 700]], same: [0.25, [2_500, 500]] });
    expect(decide([clear])).toMatchObject({ action: 'promote', promoted: 'good', shares: { good: 1, same: 0 } });
    const seems = stratumOf([7_450, 1_490], { good: [0.25, [2_500, 700]], few: [0.005, [50, 20]] });
    expect(decide([seems]).decisions.good?.action).toBe('promote');
    expect(decide([seems])).toMatchObject({ action: 'wait', promoted: null });
    expect(decide([seems], { elapsedMs: 10_001 })).toMatchObject({ action: 'promote', promoted: 'good' });
  });

  it('all out is a rollback; the first look opens the lowest end of the first rung in equal parts', () => {
    const strata = [stratumOf([5_000, 1_000], { a: [0.25, [2_500, 300]], b: [0.25, [2_500, 250]] })];
    expect(decide(strata)).toMatchObject({ action: 'roll-back', promoted: null, out: ['a', 'b'], shares: { a: 0, b: 0 } });
    expect(decide([], { shares: { a: 0, b: 0 }, look: 0, stage: 0 })).toMatchObject({ action: 'wait', shares: { a: 0.025, b: 0.025 } });
  });

  it('shares lie within the rung together, and none is starved', () => {
    const anyArm = fc.tuple(fc.integer({ min: 0, max: 300 }), fc.double({ min: 0, max: 1, noNaN: true })).map(([n, r]) => [n, Math.round(n * r)] as Counts);
    fc.assert(
      fc.property(anyArm, fc.array(fc.tuple(fc.double({ min: 0.01, max: 0.12, noNaN: true }), anyArm), { minLength: 1, maxLength: 4 }), (champion, others) => {
        const { action, shares, out, stage } = decide([stratumOf(champion, Object.fromEntries(others.map((one, index) => [`c${index}`, one])))], { stage: 0 });
        if (action === 'roll-back' || action === 'promote') return;
        const cap = canary.ladder[action === 'advance' ? stage + 1 : stage] ?? 0;
        const left = Object.keys(shares).filter((name) => !out.includes(name));
        const sum = left.reduce((total, name) => total + (shares[name] ?? 0), 0);
        expect(sum).toBeGreaterThanOrEqual(cap / 2 - 1e-12);
        expect(sum).toBeLessThanOrEqual(cap + 1e-12);
        for (const name of out) expect(shares[name]).toBe(0);
        if (left.some((name) => Math.abs((shares[name] ?? 0) - (others[Number(name.slice(1))]?.[0] ?? 0)) > 1e-9))
          for (const name of left) expect(shares[name]).toBeGreaterThanOrEqual(sum / 2 / left.length - 1e-12);
      }),
      { seed: 10 },
    );
  });
});

describe('in simulation', () => {
  const run = (champion: number, challengers: number[], runs: number, maxUsers: number): SimulatedAmong[] =>
    Array.from({ length: runs }, (_, seed) =>
      simulateAmong({ charter: charter(), intent: 'replace', champion, challengers, seed: seed + 1, usersPerLook: 250, growthPerLook: 0.04, maxUsers }),
    );

  it('three equal ones are hardly ever promoted or eliminated: at most alpha of the releases, all of them together', () => {
    const runs = run(0.2, [0.2, 0.2, 0.2], 150, 8_000);
    const promoted = runs.filter((one) => one.decision.action === 'promote').length;
    const eliminated = runs.filter((one) => one.fates.includes('worse')).length;
    console.log(`A/A/A/A at ${alpha}: ${promoted} promoted, in ${eliminated} one was eliminated as worse, of 150 (seeds 1 to 150)`);
    expect(promoted / 150).toBeLessThanOrEqual(alpha);
    expect(eliminated / 150).toBeLessThanOrEqual(alpha);
  });

  it('of a worse, an equal and a better one the better is promoted, and the worse costs least', () => {
    const runs = run(0.2, [0.1, 0.2, 0.3], 30, 60_000);
    const promoted = runs.filter((one) => one.decision.promoted === 'challenger-3').length;
    const eliminated = runs.filter((one) => one.fates[0] === 'worse').length;
    const users = [0, 1, 2].map((index) => runs.reduce((sum, one) => sum + (one.challengerUsers[index] ?? 0), 0) / runs.length);
    console.log(
      `.1, .2, .3 against .2: the best promoted in ${promoted} of 30, the worst eliminated in ${eliminated}; users ${users.map(Math.round).join(', ')}`,
    );
    expect(promoted).toBeGreaterThanOrEqual(28);
    expect(eliminated).toBeGreaterThanOrEqual(24);
    expect(users[0]).toBeLessThan(users[2] ?? 0);
  });
});
