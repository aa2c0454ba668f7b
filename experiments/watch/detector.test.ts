import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../models/random.ts';
import { normalQuantile } from '../normal.ts';
import { allowances, leastHours, normalResiduals, normalThreshold, thresholdsOf } from './calibrate.ts';
import { newDetector, type Step, step } from './detector.ts';
import { fitSignal } from './fit-signal.ts';
import { SignalHistory, sameHours, weekClock } from './signal-history.ts';
import { plainValue, restore, stabilise } from './stabilise.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const hourMs = 3_600_000;
const thresholds = thresholdsOf({ residuals: normalResiduals, direction: 'up', perHour: 1 / 20_000 });

function run(deviations: readonly (number | null)[], carry = 0): Step[] {
  let state = newDetector('slates//up');
  return deviations.flatMap((deviation, hour) => {
    if (deviation === null) return [];
    const done = step(state, { atMs: hour * hourMs, hourMs, deviation, carry, thresholds }, () => `a${hour}`);
    state = done.state;
    return done;
  });
}
const events = (steps: readonly Step[]) => steps.flatMap(({ event }) => event ?? []);

describe('a detector', () => {
  it('needs three hours, however wild they are, and closes when it is over, not after one good hour', () => {
    const broken = run([0, 0, 50, 50, 50, 50, 50, 50, 0, 50, 50, 0, 0, 0, 0, 0, 0]);
    expect(broken.findIndex(({ event }) => event === 'opens')).toBeGreaterThanOrEqual(1 + leastHours);
    expect(events(broken)).toEqual(['opens', 'closes']);
    expect(broken.findIndex(({ event }) => event === 'closes')).toBeGreaterThan(12);
  });

  it('never opens for two wild hours among quiet ones', () => {
    const wild = fc.integer({ min: 0, max: 60 });
    fc.assert(
      fc.property(wild, wild, fc.double({ min: 4, max: 1e6, noNaN: true }), (one, other, size) => {
        const quiet: number[] = Array.from({ length: 80 }, () => 0);
        for (const hour of [one, other]) quiet[hour] = size;
        expect(events(run(quiet))).toEqual([]);
      }),
    );
  });

  it('tells of what lasts once, and its hours without a measure change nothing', () => {
    fc.assert(
      fc.property(fc.double({ min: 2.5, max: 30, noNaN: true }), fc.array(fc.boolean(), { minLength: 200, maxLength: 200 }), (size, there) => {
        const lasting = there.map((is) => (is ? size : null));
        const steps = run([...lasting, ...Array.from({ length: 40 }, () => size)]);
        expect(events(steps)).toEqual(['opens']);
        expect(steps.at(-1)?.state.open?.sinceMs).toBe(there.indexOf(true) < 0 ? 200 * hourMs : there.indexOf(true) * hourMs);
      }),
    );
  });
});

it('a threshold is passed as often as was asked for by independent normal hours', () => {
  const random = createRandom(seed);
  for (const allowance of allowances) {
    const perHour = 1 / 500;
    const threshold = normalThreshold({ perHour, allowance });
    let [sum, passed] = [0, 0];
    for (let hour = 0; hour < 500_000; hour += 1) {
      sum = Math.max(0, sum + normalQuantile(Math.max(random.float(), 1e-12)) - allowance);
      if (sum < threshold) continue;
      passed += 1;
      sum = 0;
    }
    // 1000 are expected; the formula itself is good to some percent.
    expect(passed).toBeGreaterThan(800);
    expect(passed).toBeLessThan(1_200);
  }
});

it('where neighbours are alike thresholds are higher', () => {
  const random = createRandom(seed);
  const alone = Array.from({ length: 1_344 }, () => normalQuantile(Math.max(random.float(), 1e-12)));
  let last = 0;
  const alike = alone.map((one) => {
    last = 0.8 * last + 0.6 * one;
    return last;
  });
  const of = (residuals: readonly number[]) => thresholdsOf({ residuals, direction: 'up', perHour: 1e-4 });
  for (const [place, threshold] of of(alike).entries()) expect(threshold).toBeGreaterThan(2 * (of(alone)[place] as number));
});

describe('a fit', () => {
  const clock = (hour: number) => hour % 168;

  it('finds what the noise is made of', () => {
    const random = createRandom(seed);
    const normal = () => normalQuantile(Math.max(random.float(), 1e-12));
    const history = new SignalHistory('count');
    let wobble = 0;
    for (let hour = 0; hour < 12 * 168; hour += 1) {
      wobble = 0.7 * wobble + Math.sqrt(1 - 0.49) * normal();
      const mean = 4_000 * (1.2 - Math.cos((2 * Math.PI * hour) / 24)) * Math.exp(0.2 * wobble);
      history.add(hour, { total: Math.max(0, Math.round(mean + Math.sqrt(mean) * normal())), of: 1 });
    }
    const fit = fitSignal(history, { before: 12 * 168, weeks: 12, clock });
    if (typeof fit === 'string') throw new Error(fit);
    expect(Math.sqrt(fit.beyond)).toBeGreaterThan(0.15);
    expect(Math.sqrt(fit.beyond)).toBeLessThan(0.28);
    expect(fit.carry).toBeGreaterThan(0.5);
    expect(fit.carry).toBeLessThan(0.85);
  });

  it('says that there is not enough history, of two weeks and of one with holes', () => {
    const history = new SignalHistory('count');
    for (let hour = 0; hour < 2 * 168; hour += 1) history.add(hour, { total: 5, of: 1 });
    expect(fitSignal(history, { before: 336, weeks: 8, clock })).toContain('0 of 168 hours');
    const holes = new SignalHistory('share');
    for (let hour = 0; hour < 8 * 168; hour += 1) if (hour % 2 === 0) holes.add(hour, { total: 5, of: 10 });
    expect(fitSignal(holes, { before: 8 * 168, weeks: 8, clock })).toContain('84 of 168 hours');
  });

  it('of what never changes has the noise that counting has', () => {
    const history = new SignalHistory('count');
    for (let hour = 0; hour < 8 * 168; hour += 1) history.add(hour, { total: 100, of: 1 });
    expect(fitSignal(history, { before: 8 * 168, weeks: 8, clock })).toMatchObject({ counting: 1, beyond: 0 });
  });
});

it('the same hour of the week is the same on the clock, also where clocks were changed', () => {
  const clock = weekClock('Europe/Berlin');
  const history = new SignalHistory('count');
  // Clocks were put forward on 29 March 2026.
  const noon = (day: string, utcHour: number) => Date.parse(`${day}T${utcHour}:00:00Z`) / hourMs;
  history.add(noon('2026-03-18', 11), { total: 100, of: 1 });
  history.add(noon('2026-03-25', 11), { total: 400, of: 1 });
  history.add(noon('2026-03-25', 10), { total: 7, of: 1 });
  const found = sameHours(history, { hour: noon('2026-04-01', 10), weeks: 4, clock });
  expect(found.map((y) => Math.round(restore('count', y, { of: 1, weight: 1 })))).toEqual([400, 100]);
});

it('what is stabilised comes back', () => {
  const families = fc.constantFrom('count', 'share', 'rate', 'level', 'score');
  fc.assert(
    fc.property(families, fc.integer({ min: 1, max: 100_000 }), fc.double({ min: 0.001, max: 1, noNaN: true }), (family, of, share) => {
      const total = Math.round(of * share) + (family === 'level' ? 1 : 0);
      const { y } = stabilise(family, { total, of }, { weight: 1 }) ?? { y: Number.NaN };
      const back = restore(family, y, { of, weight: 1 });
      // A share and its stabilised neighbour differ by the 3/8 that are added.
      expect(Math.abs(back - plainValue(family, { total, of }))).toBeLessThan(family === 'share' ? 1 / of : 1e-6 * Math.max(1, back));
    }),
  );
});
