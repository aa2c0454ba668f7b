import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CanaryDecision } from '../../models/contracts/canary.ts';
import { armOf } from './canary-simulation.ts';
import { withholdsVerdict } from './conditions.ts';
import { type AmongInput, decideAmong, pairOf, type SharedStratum } from './decide-among.ts';
import type { ArmData, Signs } from './arm-data.ts';
import { decideCanary } from './decide-canary.ts';
import { canary } from './testing.ts';

const reward = { weights: { purchase: 1 }, attributionMs: 1_000, capPerUnit: 1 };
type Counts = [units: number, converted: number];
const arm = ([units, converted]: Counts) => armOf([units - converted, converted]);
const stratumOf = (champion: Counts, challengers: Record<string, [share: number, counts: Counts]>): SharedStratum => ({
  generation: 1,
  shares: Object.fromEntries(Object.entries(challengers).map(([name, [share]]) => [name, share])),
  champion: arm(champion),
  challengers: Object.fromEntries(Object.entries(challengers).map(([name, [, counts]]) => [name, arm(counts)])),
});

type Over = Partial<AmongInput> & { intent?: AmongInput['intents'][string]; signs?: Record<string, Signs>; ripe?: number };

function decide(strata: SharedStratum[], { intent = 'replace', signs = {}, ripe = 1_000, ...over }: Over = {}) {
  const shares = over.shares ?? strata.at(-1)?.shares ?? {};
  const names = Object.keys(shares);
  const armsOf = (name: string): ArmData => ({
    ...pairOf(strata, name, { ripeByStage: [ripe, ripe] }),
    ...(signs[name] === undefined ? {} : { signs: signs[name] }),
  });
  return decideAmong({
    charter: { release: { canary }, reward },
    intents: Object.fromEntries(names.map((name) => [name, intent])),
    releaseId: 'r',
    look: 3,
    stage: 1,
    elapsedMs: 500,
    arms: Object.fromEntries(names.map((name) => [name, armsOf(name)])),
    ...over,
    shares,
  });
}

const isSilent = (decision?: CanaryDecision) => withholdsVerdict(decision?.conditions ?? []);

describe('several challengers', () => {
  it('one alone is decided as a canary of one', () => {
    const anyArm = fc.tuple(fc.integer({ min: 0, max: 300 }), fc.double({ min: 0, max: 1, noNaN: true })).map(([n, r]) => [n, Math.round(n * r)] as Counts);
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 0.5, noNaN: true }),
        anyArm,
        anyArm,
        fc.nat({ max: 20_000 }),
        fc.constantFrom<'replace' | 'refresh'>('replace', 'refresh'),
        (share, champion, own, elapsedMs, intent) => {
          const strata = [stratumOf(champion, { a: [share, own] })];
          const arms = pairOf(strata, 'a', { ripeByStage: [1_000, 1_000] });
          const { action, decisions, shares, ...rest } = decide(strata, { elapsedMs, intent });
          const single = decideCanary({
            charter: { release: { canary }, reward },
            ...{ intent, releaseId: 'r', look: 3, stage: 1, share, elapsedMs, arms },
          });
          expect(decisions.a).toEqual(single);
          expect(action).toBe(single.action);
          expect(shares).toEqual({ a: single.share });
          expect(rest).toMatchObject({ releaseId: 'r', look: 3, stage: 1, verdict: single.verdict, promoted: single.action === 'promote' ? 'a' : null });
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
    expect(Object.keys(decide(strata, { shares }).decisions)).toEqual(['good', 'same']);
  });

  it('the best one is promoted when it has earned it; while another seems better, it waits', () => {
    const clear = stratumOf([5_000, 1_000], { good: [0.25, [2_500, 700]], same: [0.25, [2_500, 500]] });
    expect(decide([clear])).toMatchObject({ action: 'promote', promoted: 'good', shares: { good: 1, same: 0 } });
    const seems = stratumOf([7_450, 1_490], { good: [0.25, [2_500, 700]], few: [0.005, [50, 20]] });
    expect(decide([seems]).decisions.good?.action).toBe('promote');
    expect(decide([seems])).toMatchObject({ action: 'wait', promoted: null });
    expect(decide([seems], { elapsedMs: 10_001 })).toMatchObject({ action: 'promote', promoted: 'good' });
  });

  it('each has an intent of its own, and what is recorded of each is the share that it really has', () => {
    const strata = [stratumOf([5_000, 1_000], { refresh: [0.25, [2_500, 500]], replace: [0.25, [2_500, 520]] })];
    const intents = { refresh: 'refresh', replace: 'replace' } as const;
    const over = { charter: { release: { canary: { ...canary, refreshMargin: 0.3 } }, reward }, intents };
    const waiting = decide(strata, over);
    // The other seems better, and may yet earn it.
    expect(waiting).toMatchObject({ action: 'wait', verdict: 'not-enough-evidence', promoted: null });
    expect(waiting.decisions).toMatchObject({ refresh: { action: 'promote', share: waiting.shares.refresh }, replace: { action: 'wait' } });
    const over10s = decide(strata, { ...over, elapsedMs: 10_001 });
    expect(over10s).toMatchObject({ action: 'promote', promoted: 'refresh', out: ['replace'], shares: { refresh: 1, replace: 0 } });
    expect(decide(strata, { ...over, intents: { refresh: 'replace', replace: 'replace' }, elapsedMs: 10_001 })).toMatchObject({ action: 'roll-back' });
  });

  it('when time is over, one that has earned it goes before one that is only kept, whatever the estimates', () => {
    const strata = [stratumOf([7_450, 1_490], { earned: [0.25, [2_500, 700]], kept: [0.005, [50, 20]] })];
    const kept = { ...canary, inconclusive: 'promote' as const, refreshMargin: 0.01 };
    const over = { charter: { release: { canary: kept }, reward }, elapsedMs: 10_001 };
    const { decisions, ...found } = decide(strata, { ...over, intents: { earned: 'replace', kept: 'refresh' } });
    expect(decisions).toMatchObject({ earned: { action: 'promote', share: 1 }, kept: { action: 'promote', share: 0, verdict: 'not-enough-evidence' } });
    expect(decisions.kept?.lift.value).toBeGreaterThan(decisions.earned?.lift.value ?? 1);
    expect(found).toMatchObject({ action: 'promote', promoted: 'earned', verdict: 'better', out: [] });
    expect(decide(strata, { ...over, intents: { earned: 'replace', kept: 'refresh' }, shares: { earned: 0, kept: 0.005 } })).toMatchObject({
      action: 'promote',
      promoted: 'kept',
    });
  });

  it('beside others with a share, one without any is out', () => {
    const strata = [stratumOf([7_500, 1_500], { a: [0.25, [2_500, 500]], gone: [0, [0, 0]] })];
    expect(decide(strata)).toMatchObject({ action: 'wait', out: ['gone'], shares: { gone: 0 } });
    expect(decide(strata).decisions.gone).toBeUndefined();
  });

  it('all out is a rollback; the first look opens the lowest end of the first rung in equal parts', () => {
    const strata = [stratumOf([5_000, 1_000], { a: [0.25, [2_500, 300]], b: [0.25, [2_500, 250]] })];
    expect(decide(strata)).toMatchObject({ action: 'roll-back', verdict: 'worse', promoted: null, out: ['a', 'b'], shares: { a: 0, b: 0 } });
    expect(decide([], { shares: { a: 0, b: 0 }, look: 0, stage: 0 })).toMatchObject({ action: 'wait', shares: { a: 0.025, b: 0.025 } });
  });

  it('shares lie within the rung together, and none is starved', () => {
    const anyArm = fc.tuple(fc.integer({ min: 0, max: 300 }), fc.double({ min: 0, max: 1, noNaN: true })).map(([n, r]) => [n, Math.round(n * r)] as Counts);
    fc.assert(
      fc.property(anyArm, fc.array(fc.tuple(fc.double({ min: 0.01, max: 0.12, noNaN: true }), anyArm), { minLength: 1, maxLength: 4 }), (champion, others) => {
        const { action, shares, out, stage, decisions } = decide([stratumOf(champion, Object.fromEntries(others.map((one, index) => [`c${index}`, one])))], {
          stage: 0,
        });
        if (action === 'roll-back' || action === 'promote') return;
        const cap = canary.ladder[action === 'advance' ? stage + 1 : stage] ?? 0;
        const left = Object.keys(shares).filter((name) => !out.includes(name));
        const sum = left.reduce((total, name) => total + (shares[name] ?? 0), 0);
        expect(sum).toBeGreaterThanOrEqual(cap / 2 - 1e-12);
        expect(sum).toBeLessThanOrEqual(cap + 1e-12);
        for (const name of out) expect(shares[name]).toBe(0);
        if (left.some((name) => Math.abs((shares[name] ?? 0) - (others[Number(name.slice(1))]?.[0] ?? 0)) > 1e-9))
          for (const name of left.filter((one) => !isSilent(decisions[one]))) expect(shares[name]).toBeGreaterThanOrEqual(sum / 2 / left.length - 1e-12);
      }),
      { seed: 10 },
    );
  });
});

const heard = (champion: number, challenger: number): Signs => ({
  duplicates: { slates: 0, events: 0 },
  busiest: { champion: { slates: 1, events: 1 }, challenger: { slates: 1, events: 1 } },
  heard: { champion, challenger },
  quietMs: 0,
  aheadMs: 0,
});

describe('one silent arm', () => {
  const even = [stratumOf([800, 160], { a: [0.05, [50, 10]], b: [0.05, [50, 10]], lost: [0.05, [50, 0]] })];
  const signs = { a: heard(700, 45), b: heard(700, 44), lost: heard(700, 0) };

  it('does not hold up the others, and its share does not grow', () => {
    const up = decide(even, { stage: 0, signs });
    expect(isSilent(up.decisions.lost)).toBe(true);
    expect(up.decisions).toMatchObject({ a: { action: 'advance' }, b: { action: 'advance' }, lost: { action: 'wait', verdict: 'not-enough-evidence' } });
    expect(up).toMatchObject({ action: 'advance', out: [] });
    expect(up.shares.lost).toBeLessThanOrEqual(0.05);
    expect(up.shares.lost).toBeGreaterThan(0);
    expect((up.shares.a ?? 0) + (up.shares.b ?? 0) + (up.shares.lost ?? 0)).toBeGreaterThanOrEqual(0.25);
    const good = [stratumOf([5_000, 1_000], { a: [0.25, [2_500, 700]], lost: [0.25, [2_500, 0]] })];
    expect(decide(good, { signs: { a: heard(4_500, 2_300), lost: heard(4_500, 0) } })).toMatchObject({ action: 'promote', promoted: 'a', out: [] });
  });

  it('leaves when time is over, and at once where it breaks a guardrail', () => {
    expect(decide(even, { signs, elapsedMs: 10_001, intent: 'refresh' }).out).toContain('lost');
    const pair = pairOf(even, 'lost', { ripeByStage: [1_000, 1_000] });
    const broken = { ...pair, signs: signs.lost, challenger: { ...pair.challenger, slates: 50, errors: 50 } };
    const others = Object.fromEntries(['a', 'b'].map((name) => [name, pairOf(even, name, { ripeByStage: [1_000, 1_000] })]));
    expect(decide(even, { arms: { ...others, lost: broken } })).toMatchObject({ action: 'wait', out: ['lost'], shares: { lost: 0 } });
  });

  it("of the champion's ends no rung, and whoever seems best by that is not promoted", () => {
    const deaf = [stratumOf([800, 0], { a: [0.05, [50, 10]], b: [0.05, [50, 0]] })];
    const silent = { a: heard(0, 45), b: heard(0, 0) };
    const found = decide(deaf, { stage: 0, signs: silent });
    expect([isSilent(found.decisions.a), isSilent(found.decisions.b)]).toEqual([true, false]);
    expect(found.decisions.b?.action).toBe('advance');
    expect(found).toMatchObject({ action: 'wait', promoted: null, out: [] });
  });

  it('of all is a wait for all', () => {
    const nobody = [stratumOf([800, 160], { a: [0.05, [50, 0]], b: [0.05, [50, 0]] })];
    const found = decide(nobody, { stage: 0, signs: { a: heard(700, 0), b: heard(700, 0) } });
    expect(found).toMatchObject({ action: 'wait', verdict: 'not-enough-evidence', out: [] });
    for (const name of ['a', 'b']) expect(found.shares[name]).toBeLessThanOrEqual(0.05);
  });
});

it('when time is over the release ends, whatever each one came to', () => {
  const anyRate = fc.constantFrom(0, 0.1, 0.2, 0.22, 0.3);
  const one = fc.record({
    share: fc.constantFrom(0, 0.01, 0.05, 0.1, 0.12),
    rate: anyRate,
    lost: fc.constantFrom(false, false, false, true),
    intent: fc.constantFrom<'refresh' | 'replace'>('refresh', 'replace'),
    heard: fc.constantFrom([1, 1], [1, 1], [1, 1], [0, 0], [1, 0], [0, 1]),
  });
  const release = fc.record({
    users: fc.integer({ min: 0, max: 12_000 }),
    rate: anyRate,
    others: fc.array(one, { minLength: 1, maxLength: 6 }).filter((all) => all.some(({ share }) => share > 0)),
    inconclusive: fc.constantFrom<'promote' | 'roll-back'>('promote', 'roll-back'),
    quietMs: fc.nat({ max: 20_000 }),
    stage: fc.constantFrom(0, 1),
    ripe: fc.constantFrom(0, 1_000),
  });
  const seen: Record<string, number> = { kept: 0 };
  fc.assert(
    fc.property(release, ({ users, rate, others, inconclusive, quietMs, stage, ripe }) => {
      const free = 1 - others.reduce((sum, { share }) => sum + share, 0);
      const countsAt = (part: number, own: number): Counts => [Math.round(part * users), Math.round(Math.round(part * users) * own)];
      const champion = countsAt(free, rate);
      const named = Object.fromEntries(others.map((other, index) => [`c${index}`, other]));
      const each = <T>(of: (other: (typeof others)[number]) => T) => Object.fromEntries(Object.entries(named).map(([name, other]) => [name, of(other)]));
      const strata = [
        stratumOf(
          champion,
          each(({ share, rate: own, lost }) => [share, lost ? [0, 0] : countsAt(share, own)]),
        ),
      ];
      const found = decide(strata, {
        charter: { release: { canary: { ...canary, inconclusive } }, reward },
        intents: each(({ intent }) => intent),
        signs: each(({ share, heard: [ofChampion = 0, ofOwn = 0] }) => ({ ...heard(ofChampion * champion[0], ofOwn * Math.round(share * users)), quietMs })),
        elapsedMs: canary.maxDurationMs + Math.min(quietMs, canary.maxDurationMs) + 1,
        ...{ stage, ripe },
      });
      seen[found.action] = (seen[found.action] ?? 0) + 1;
      expect(['promote', 'roll-back']).toContain(found.action);
      expect(found.promoted === null).toBe(found.action === 'roll-back');
      for (const name of found.out) expect(found.shares[name]).toBe(0);
      if (found.promoted === null) return;
      const { reasons = [], ...promoted } = found.decisions[found.promoted] ?? {};
      expect(promoted).toMatchObject({ action: 'promote', share: 1 });
      if (reasons.some((reason) => reason.startsWith('no verdict'))) seen.kept = (seen.kept ?? 0) + 1;
    }),
    { seed: 11, numRuns: 500 },
  );
  console.log(`ends: ${JSON.stringify(seen)}`);
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(5);
});
