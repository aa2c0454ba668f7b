import { describe, expect, it } from 'vitest';
import { alpha, always, count, median, simulate, srm, tell } from './testing-canaries.ts';

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
