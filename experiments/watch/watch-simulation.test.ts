import { expect, it } from 'vitest';
import { detect, simulateWatch } from './simulate-watch.ts';
import type { Fault } from './simulated-traffic.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const settings = { weeks: 5, falseAlarms: 1, fitEveryHours: 168 };

/** The least count that so many happen with less often than `error`, where `mean` are expected. */
function poissonLimit(mean: number, error: number): number {
  let [term, below, count] = [Math.exp(-mean), Math.exp(-mean), 0];
  while (1 - below > error) {
    count += 1;
    term *= mean / count;
    below += term;
  }
  return count + 1;
}

it('chance opens no more alerts than were asked for on traffic that is overdispersed, autocorrelated and does not change', { timeout: 120_000 }, () => {
  let [alerts, months] = [0, 0];
  for (let surface = 0; surface < 8; surface += 1) {
    const watched = simulateWatch({ ...settings, slatesAnHour: [60, 1_000][surface % 2] as number, hours: 2 * 730, seed: seed + surface });
    alerts += watched.turns.filter(({ event }) => event === 'opens').length;
    months += watched.months;
  }
  // Those of one surface are alike, so that their number varies more than Poisson's: the mean is some way below what is asked for.
  expect(alerts).toBeLessThan(poissonLimit(months, 1e-7));
});

/** At 1000 slates an hour; of a segment's reward at 20,000. */
const faults: [Fault, { slatesAnHour: number; withinHours: number }][] = [
  ['events-halve', { slatesAnHour: 1_000, withinHours: 60 }],
  ['fallback-rises', { slatesAnHour: 1_000, withinHours: 24 }],
  ['p99-doubles', { slatesAnHour: 1_000, withinHours: 24 }],
  ['coverage-drops', { slatesAnHour: 1_000, withinHours: 60 }],
  ['client-falls-silent', { slatesAnHour: 1_000, withinHours: 30 }],
  ['reward-drops', { slatesAnHour: 20_000, withinHours: 160 }],
];

it.each(faults)('%s is found, once, and over when it is over', { timeout: 60_000 }, (name, { slatesAnHour, withinHours }) => {
  const planted = { name, fromHour: 30 + (seed % 24), toHour: 30 + (seed % 24) + withinHours };
  const found = detect({ ...settings, slatesAnHour, hours: planted.toHour + 120, seed, fault: planted });
  expect(found.hours).not.toBeNull();
  expect(found.still).toBe(false);
  // What is hardly above chance is now and then taken for over while it lasts.
  expect(found.alerts).toBeLessThanOrEqual(name === 'reward-drops' ? 5 : 2);
});
