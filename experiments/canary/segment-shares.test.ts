import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { nextBlockEnd, type Stratum } from './arm-data.ts';
import { createArmTally } from './arm-tally.ts';
import { rejects, prepareBets } from './betting.ts';
import { segmentShares, shrinkLifts } from './segment-shares.ts';
import { armsOf, decide, stratum } from './testing.ts';
import { bought, slate } from './testing-log.ts';

const of = (segment: string, share: number, champion: [number, number], challenger: [number, number]): Stratum => ({
  ...stratum({ share, champion: { units: champion[0], converted: champion[1] }, challenger: { units: challenger[0], converted: challenger[1] } }),
  segment,
  block: 0,
});

describe('the share of a segment', () => {
  it('is drawn to the whole where little is known of it, and goes its own way where much is', () => {
    const strata = [of('large', 0.3, [7_000, 1_400], [3_000, 700]), of('other', 0.4, [6_000, 1_200], [4_000, 533]), of('tiny', 0.3, [14, 3], [6, 0])];
    const shares = segmentShares({ strata, cap: 0.5, capPerUnit: 1 });
    expect(shares.large).toBe(0.5);
    expect(shares.other).toBe(0.25);
    // By itself the tiny one looks hopeless; 20 users are no reason to believe it.
    expect(shares.tiny).toBeGreaterThan(0.28);
    expect(shares.tiny).toBeLessThan(0.45);
  });

  it('is the same in all where chance explains the difference', () => {
    const shrunk = shrinkLifts({
      lifts: [
        { segment: 'a', value: 0.011, variance: 0.01 ** 2 },
        { segment: 'b', value: 0.009, variance: 0.01 ** 2 },
      ],
      priorSd: 10,
    });
    expect(shrunk[0]?.mean).toBeCloseTo(0.01, 6);
    expect(shrunk[1]?.mean).toBeCloseTo(0.01, 6);
    expect(shrunk[0]?.sd).toBeCloseTo(0.01 / Math.SQRT2, 4);
  });

  it('gives by hand what the formulas give: tau^2 from the spread, then each segment part of the way', () => {
    // Weights 1/0.0001 each: mean .02, Q = 2 (.02^2 / .0001) = 8, tau^2 = (8 - 1) / (20000 - 10000) = .0007; to the whole 1/8.
    const [up, down] = shrinkLifts({
      lifts: [
        { segment: 'a', value: 0.04, variance: 1e-4 },
        { segment: 'b', value: 0, variance: 1e-4 },
      ],
      priorSd: 1e6,
    });
    expect(up?.mean).toBeCloseTo(0.02 / 8 + (0.04 * 7) / 8, 9);
    expect(down?.mean).toBeCloseTo(0.02 / 8, 9);
    expect(up?.sd).toBeCloseTo(Math.sqrt((7 / 8) * 1e-4 + 4e-4 / 64), 9);
  });

  it('lies within the rung whatever was seen, and a decision carries it only where users have segments', () => {
    const arm = fc.tuple(fc.integer({ min: 0, max: 300 }), fc.double({ min: 0, max: 1, noNaN: true }));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.double({ min: 0.01, max: 0.5, noNaN: true }), arm, arm), { minLength: 1, maxLength: 6 }),
        (drafts) => {
          const strata = drafts.map(([segment, share, [n, r], [m, q]]) => of(segment, share, [n, Math.round(n * r)], [m, Math.round(m * q)]));
          const { action, stage, segmentShares: shares } = decide({ arms: armsOf(strata) });
          if (action !== 'wait' && action !== 'advance') {
            expect(shares).toBeUndefined();
            return;
          }
          const cap = [0.1, 0.5][action === 'advance' ? stage + 1 : stage] ?? 0;
          expect(Object.keys(shares ?? {})).toEqual([...new Set(drafts.map(([segment]) => segment))].sort());
          for (const share of Object.values(shares ?? {})) expect(share >= cap / 2 && share <= cap).toBe(true);
        },
      ),
      { seed: 4 },
    );
    expect(
      decide({ arms: armsOf([stratum({ share: 0.1, champion: { units: 90, converted: 9 }, challenger: { units: 10, converted: 1 } })]) }),
    ).not.toHaveProperty('segmentShares');
  });
});

describe('segments with shares and rates of their own', () => {
  const rates = { new: 0.05, loyal: 0.4 };
  const alpha = 0.05;

  /** Users of two segments, as they come; the share in each follows its own posterior. Whether an equal challenger was ever called worse, or better. */
  function run(seed: number): { worse: boolean; better: boolean; apart: boolean } {
    const random = createRandom(seed);
    const strata: Stratum[] = [];
    const found = { worse: false, better: false, apart: false };
    let shares: Record<string, number> = { new: 0.05, loyal: 0.1 };
    let users = 0;
    for (let block = 0; users < 4_000; block += 1) {
      const end = nextBlockEnd(users);
      const open = (['new', 'loyal'] as const).map((segment) => ({ segment, share: shares[segment] ?? 0, units: [0, 0], converted: [0, 0] }));
      for (; users < end; users += 1) {
        const own = open[random.float() < 0.7 ? 0 : 1] as (typeof open)[number];
        const arm = random.float() < own.share ? 1 : 0;
        own.units[arm] = (own.units[arm] ?? 0) + 1;
        if (random.float() < rates[own.segment]) own.converted[arm] = (own.converted[arm] ?? 0) + 1;
      }
      for (const { segment, share, units, converted } of open)
        strata.push({ ...of(segment, share, [units[0] ?? 0, converted[0] ?? 0], [units[1] ?? 0, converted[1] ?? 0]), generation: block, block });
      const bets = prepareBets({ strata, cap: 1 });
      found.worse ||= rejects(bets, { difference: 0, bet: 'below', alpha });
      found.better ||= rejects(bets, { difference: 0, bet: 'above', alpha });
      shares = segmentShares({ strata, cap: 0.5, capPerUnit: 1 });
      found.apart ||= shares.new !== shares.loyal;
    }
    return found;
  }

  it('the test keeps its error rates', () => {
    const runs = Array.from({ length: 400 }, (_, seed) => run(seed));
    const count = (key: 'worse' | 'better' | 'apart') => runs.filter((one) => one[key]).length;
    console.log(`two segments, A/A at ${alpha}: worse ${count('worse')}, better ${count('better')} of 400; shares apart in ${count('apart')} (seeds 0 to 399)`);
    expect(count('worse') / 400).toBeLessThanOrEqual(alpha);
    expect(count('better') / 400).toBeLessThanOrEqual(alpha);
    expect(count('apart')).toBeGreaterThan(100);
  });

  it('come from the log: one stratum a segment and block, each with its own share', () => {
    const counts = createArmTally({ releaseId: 'r', reward: { weights: { purchase: 1 }, attributionMs: 100, capPerUnit: 1 }, maxP99Ms: 50 });
    for (let user = 0; user < 100; user += 1) {
      const segment = user % 3 === 0 ? 'loyal' : 'new';
      const share = segment === 'loyal' ? 0.4 : 0.2;
      const variant = 0.3 < share ? 'challenger' : 'champion';
      counts.add([
        slate({ requestId: `q${user}`, unit: `u:${user}`, atMs: user, segment, variant, enrolment: { share, bucket: 0.3, atMs: user, generation: 3 } }),
      ]);
      if (segment === 'loyal') counts.addEvents([bought(`e${user}`, user + 1, { userId: String(user) })]);
    }
    const arms = counts.summarize({ nowMs: 1_000 });
    expect(arms.strata.map(({ block, segment, share, champion, challenger }) => [block, segment, share, champion.enrolled, challenger.enrolled])).toEqual([
      [0, 'loyal', 0.4, 0, 22],
      [0, 'new', 0.2, 42, 0],
      [1, 'new', 0.2, 11, 0],
      [1, 'loyal', 0.4, 0, 5],
      [2, 'new', 0.2, 13, 0],
      [2, 'loyal', 0.4, 0, 7],
    ]);
    expect(Object.keys(decide({ arms }).segmentShares ?? {})).toEqual(['loyal', 'new']);
  });
});
