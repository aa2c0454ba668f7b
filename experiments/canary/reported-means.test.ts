import { expect, it } from 'vitest';
import type { CanaryDecision } from '../../models/contracts/canary.ts';
import { simulateCanary } from './canary-simulation.ts';
import { reportedMeans } from './reported-means.ts';
import { always, charter } from './testing-canaries.ts';
import { stratum } from './testing.ts';

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Canaries whose share moves and that nothing ends before their time, so that no estimate is picked by what it says. */
function finished(runs: number, rates: Parameters<typeof simulateCanary>[0]['rates']): CanaryDecision[] {
  return Array.from({ length: runs }, (_, seed) => {
    const { decision, moves } = simulateCanary({
      charter: charter({ alpha: 1e-12 }),
      intent: 'replace',
      rates,
      seed: seed + 1,
      usersPerLook: 500,
      maxUsers: 12_000,
    });
    expect(moves).toBeGreaterThan(2);
    return decision;
  });
}

it('the estimate is nearly unbiased under moving shares, and its interval covers about as often as it says', () => {
  const runs = 200;
  const truth = { champion: 0.2, challenger: 0.22, difference: 0.02 };
  const reported = finished(runs, always(truth.champion, truth.challenger)).map((decision) => decision.reported as NonNullable<CanaryDecision['reported']>);
  for (const what of ['champion', 'challenger', 'difference'] as const) {
    const values = reported.map((one) => one[what].value);
    const error = Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)) / runs);
    const covered = reported.filter((one) => one[what].low <= truth[what] && truth[what] <= one[what].high).length;
    console.log(
      `${what}: bias ${(mean(values) - truth[what]).toFixed(5)} (standard error ${error.toFixed(5)}), 95 % interval covers ${covered} of ${runs} (seeds 1 to ${runs})`,
    );
    // Its weights move with what was seen, so it is consistent and not exactly unbiased: a fifth of its own spread at most.
    expect(Math.abs(mean(values) - truth[what])).toBeLessThan((Math.sqrt(runs) * error) / 5);
    // 95 % of 200 is 190, with a standard deviation of 3.1.
    expect(covered).toBeGreaterThan(179);
  }
});

it('a trend while the share moves does not part the two means', () => {
  const rising = (user: number) => 0.02 + 0.4 * Math.min(1, user / 8_000);
  const decisions = finished(100, { champion: rising, challenger: rising });
  const naive = mean(decisions.map(({ champion, challenger }) => challenger.rewardSum / challenger.ripe - champion.rewardSum / champion.ripe));
  const weighted = mean(decisions.map(({ reported }) => reported?.difference.value ?? Number.NaN));
  console.log(`true difference 0: pooled over time ${naive.toFixed(4)}, reported ${weighted.toFixed(4)}`);
  expect(naive).toBeGreaterThan(0.05);
  expect(Math.abs(weighted)).toBeLessThan(0.008);
});

it('with one share it is the mean of each arm as seen from its share, and without outcomes there is none', () => {
  expect(reportedMeans([])).toBeNull();
  const found = reportedMeans([stratum({ share: 0.5, champion: { units: 100, converted: 20 }, challenger: { units: 100, converted: 30 } })]);
  expect(found?.champion.value).toBeCloseTo(0.2, 12);
  expect(found?.challenger.value).toBeCloseTo(0.3, 12);
  expect(found?.difference.value).toBeCloseTo(0.1, 12);
});
