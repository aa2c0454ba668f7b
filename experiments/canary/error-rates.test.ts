import { describe, expect, it } from 'vitest';
import type { CanaryInput } from './decide-canary.ts';
import { type Rates, type SimulatedCanary, simulateCanary } from './canary-simulation.ts';

const alpha = 0.05;
const charter = (over: Partial<CanaryInput['charter']['release']['canary']> = {}): CanaryInput['charter'] => ({
  reward: { weights: { purchase: 1 }, attributionMs: 1_000, capPerUnit: 1 },
  release: {
    canary: {
      shadowSlates: 0,
      ladder: [0.01, 0.05, 0.1, 0.25, 0.5],
      minUnits: [20, 60, 150, 300, 600],
      lookEveryMs: 1_000,
      maxDurationMs: 1,
      alpha,
      refreshMargin: 0.3,
      maxErrorShare: 0.01,
      maxFallbackShare: 0.05,
      maxP99Ms: 250,
      ...over,
    },
  },
});
const always = (champion: number, challenger: number): Rates => ({ champion: () => champion, challenger: () => challenger });
type Options = {
  intent: CanaryInput['intent'];
  rates: Rates;
  runs: number;
  maxUsers: number;
  lost?: number;
  over?: Parameters<typeof charter>[0];
  usersPerLook?: number;
};
const simulate = ({ over, runs, usersPerLook = 250, ...rest }: Options): SimulatedCanary[] =>
  Array.from({ length: runs }, (_, seed) => simulateCanary({ ...rest, charter: charter(over), seed: seed + 1, usersPerLook }));
const count = (runs: SimulatedCanary[], action: 'promote' | 'roll-back', verdict?: string) =>
  runs.filter((run) => run.decision.action === action && (verdict === undefined || run.decision.verdict === verdict)).length;
const srm = (runs: SimulatedCanary[]) => runs.filter((run) => run.decision.reasons.some((reason) => reason.startsWith('sample ratio'))).length;
const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
const tell = (what: string, runs: SimulatedCanary[]) =>
  console.log(
    `${what}: ${runs.length} canaries, ${count(runs, 'promote')} promoted, ${count(runs, 'roll-back', 'worse')} rolled back as worse, ` +
      `${count(runs, 'roll-back') - count(runs, 'roll-back', 'worse')} without verdict, median ${median(runs.map((run) => run.users))} users, ${median(runs.map((run) => run.challengerUsers))} of them the challenger's`,
  );

describe('an equal challenger', () => {
  it('is rolled back as worse, and promoted as better, in at most alpha of 500 canaries', () => {
    const runs = simulate({ intent: 'replace', rates: always(0.2, 0.2), runs: 500, maxUsers: 8_000 });
    tell('A/A, replace', runs);
    expect(count(runs, 'roll-back', 'worse') / runs.length).toBeLessThanOrEqual(alpha);
    expect(count(runs, 'promote') / runs.length).toBeLessThanOrEqual(alpha);
    expect(srm(runs)).toBe(0);
  });

  it('is so on a single rung of one half, where the bets are highest', () => {
    const runs = simulate({
      intent: 'replace',
      rates: always(0.5, 0.5),
      runs: 200,
      maxUsers: 4_000,
      usersPerLook: 100,
      over: { ladder: [0.5], minUnits: [20] },
    });
    tell('A/A, replace, one rung', runs);
    expect(count(runs, 'roll-back', 'worse') / runs.length).toBeLessThanOrEqual(alpha);
    expect(count(runs, 'promote') / runs.length).toBeLessThanOrEqual(alpha);
  });

  it('is so with rare rewards too, where the first users of the challenger nearly all earn nothing', () => {
    const runs = simulate({ intent: 'replace', rates: always(0.02, 0.02), runs: 150, maxUsers: 8_000, over: { ladder: [0.01, 0.5], minUnits: [5, 20] } });
    tell('A/A, replace, 2 % convert', runs);
    expect(count(runs, 'roll-back', 'worse') / runs.length).toBeLessThanOrEqual(alpha);
    expect(count(runs, 'promote') / runs.length).toBeLessThanOrEqual(alpha);
  });

  it('passes as a refresh when there are enough users for the margin', () => {
    const runs = simulate({ intent: 'refresh', rates: always(0.2, 0.2), runs: 100, maxUsers: 30_000 });
    tell('A/A, refresh with a margin of 30 %', runs);
    expect(count(runs, 'promote')).toBeGreaterThanOrEqual(90);
    expect(count(runs, 'roll-back', 'worse') / runs.length).toBeLessThanOrEqual(alpha);
  });
});

describe('a worse challenger', () => {
  it('is promoted as a refresh in at most alpha of the canaries when it lies on the margin', () => {
    const runs = simulate({ intent: 'refresh', rates: always(0.2, 0.14), runs: 200, maxUsers: 12_000 });
    tell('refresh, on the margin: -30 % at .2', runs);
    expect(count(runs, 'promote') / runs.length).toBeLessThanOrEqual(alpha);
    expect(count(runs, 'roll-back', 'worse') / runs.length).toBeGreaterThan(0.8);
  });

  it('is found at -30 % of a conversion of .2, and a better one at +67 % of .12', () => {
    const worse = simulate({ intent: 'replace', rates: always(0.2, 0.14), runs: 50, maxUsers: 40_000 });
    const better = simulate({ intent: 'replace', rates: always(0.12, 0.2), runs: 50, maxUsers: 40_000 });
    tell('replace .2 -> .14', worse);
    tell('replace .12 -> .2', better);
    expect(count(worse, 'roll-back', 'worse')).toBeGreaterThanOrEqual(48);
    expect(count(better, 'promote')).toBeGreaterThanOrEqual(48);
  });
});

describe('a trend in time', () => {
  // Nobody buys at first and many do later, when the share is high: pooled over time, the challenger's users look far better.
  const trend = (user: number) => 0.02 + 0.4 * Math.min(1, user / 8_000);
  const fading = (user: number) => 0.42 - 0.4 * Math.min(1, user / 8_000);

  it.each([
    ['rising', trend, 1],
    ['falling', fading, -1],
  ])('that is %s while the share moves does not pass for a difference', (name, rate, sign) => {
    const runs = simulate({ intent: 'replace', rates: { champion: rate, challenger: rate }, runs: 100, maxUsers: 10_000 });
    tell(`A/A under a ${name} trend`, runs);
    expect(count(runs, 'roll-back', 'worse') / runs.length).toBeLessThanOrEqual(alpha);
    expect(count(runs, 'promote') / runs.length).toBeLessThanOrEqual(alpha);
    const full = runs.filter((run) => run.users >= 10_000);
    const naive = full.map(({ decision: { champion, challenger } }) => challenger.rewardSum / challenger.ripe - champion.rewardSum / champion.ripe);
    const stratified = full.map((run) => run.decision.lift.value);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    console.log(`  true lift 0: pooled over time ${mean(naive).toFixed(4)}, stratified ${mean(stratified).toFixed(4)}`);
    expect(sign * mean(naive)).toBeGreaterThan(0.05);
    expect(Math.abs(mean(stratified))).toBeLessThan(0.004);
  });
});

describe('the sample ratio', () => {
  it("shows that 10 % of the challenger's users get lost", () => {
    const runs = simulate({ intent: 'replace', rates: always(0.2, 0.2), runs: 20, maxUsers: 40_000, lost: 0.1, usersPerLook: 1_000 });
    console.log(`10 % lost: found in ${srm(runs)} of ${runs.length} canaries, median ${median(runs.map((run) => run.users))} users`);
    expect(srm(runs)).toBeGreaterThanOrEqual(18);
  });
});
