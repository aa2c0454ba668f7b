import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LoggedRows } from '../counterfactual/single-slot/logged-rows.ts';
import { type DecisionWorldSettings, makeDecisionWorld } from './decision-world.ts';
import { decisionLogs } from './draw-decisions.ts';

const settings = (over: Partial<DecisionWorldSettings> = {}): DecisionWorldSettings => ({
  rows: 40_000,
  rate: 0.1,
  temperature: 1,
  distance: 0.3,
  lift: 0.1,
  modelError: 0.5,
  ...over,
});

const anySettings = fc.record({
  temperature: fc.constantFrom(Number.POSITIVE_INFINITY, 2, 1, 0.6),
  distance: fc.double({ min: 0.05, max: 0.4, noNaN: true }),
  lift: fc.constantFrom(-0.05, 0, 0.05),
  items: fc.integer({ min: 5, max: 30 }),
  drift: fc.constantFrom(0, 0.5),
  seed: fc.integer({ min: 1, max: 1_000_000 }),
});

const sum = (values: Float64Array) => values.reduce((total, one) => total + one, 0);
const meanOf = (log: LoggedRows, of: (row: number) => number) => {
  const values = Float64Array.from(log.reward, (_, row) => of(row));
  const mean = sum(values) / values.length;
  return { mean, error: Math.sqrt(values.reduce((total, one) => total + (one - mean) ** 2, 0) / values.length / (values.length - 1)) };
};
const weight = (log: LoggedRows, row: number) => (log.target[row] as number) / (log.propensity[row] as number);

describe('a world of single decisions', () => {
  it('has policies that are policies, at the distance and with the lift that were asked for', () => {
    fc.assert(
      fc.property(anySettings, (over) => {
        let world: ReturnType<typeof makeDecisionWorld>;
        try {
          world = makeDecisionWorld(settings(over));
        } catch (error) {
          expect(error).toMatchObject({ code: 'UND-INPUT' });
          return;
        }
        let distance = 0;
        let value = 0;
        for (let context = 0; context < world.contexts; context += 1) {
          const own = (table: Float64Array) => table.subarray(context * world.items, (context + 1) * world.items);
          expect(sum(own(world.logging))).toBeCloseTo(1, 12);
          expect(sum(own(world.target))).toBeCloseTo(1, 12);
          // All periods are of one length.
          const share = (world.segmentShares[context % world.segments] as number) / world.periods;
          own(world.target).forEach((chance, item) => {
            distance += (share * Math.abs(chance - (own(world.logging)[item] as number))) / 2;
            value += share * chance * (own(world.worth)[item] as number) * ((1 + 0.7 + 0.5) / 3);
          });
        }
        expect(distance).toBeCloseTo(over.distance, 9);
        expect(value).toBeCloseTo(world.truth.target, 9);
        expect(world.truth.logging).toBeCloseTo(0.1, 9);
        expect(world.truth.target).toBeCloseTo(0.1 * (1 + over.lift), 9);
      }),
      { numRuns: 60 },
    );
  });

  it.each<[string, Partial<DecisionWorldSettings>]>([
    ['uniform logging', { temperature: Number.POSITIVE_INFINITY }],
    ['peaked logging', { temperature: 0.6 }],
    ['users of many rows, some of them keen', { rowsPerUser: 5, rate: 0.05 }],
    ['amounts', { amounts: [0.5, 2, 6].map((amount, place) => ({ amount, probability: [0.8, 0.15, 0.05][place] as number })) }],
    ['drift', { drift: 0.5 }],
    ['delay, what is ripe', { drift: 0.5, delay: { mean: 0.05, window: 0.2, counted: 'ripe' } }],
  ])('draws logs whose means are the values that it knows: %s', (_, over) => {
    const world = makeDecisionWorld(settings(over));
    const log = decisionLogs(world)(11);
    const near = ({ mean, error }: { mean: number; error: number }, truth: number) => expect(Math.abs(mean - truth)).toBeLessThan(5 * error);
    near(
      meanOf(log, (row) => log.reward[row] as number),
      world.truth.logging,
    );
    near(
      meanOf(log, (row) => weight(log, row) * (log.reward[row] as number)),
      world.truth.target,
    );
    near(
      meanOf(log, (row) => weight(log, row)),
      1,
    );
    near(
      meanOf(log, (row) => weight(log, row) ** 2),
      1 / world.truth.essShare,
    );
    // The model's word for the target is what its word for the logged action comes to.
    near(
      meanOf(log, (row) => weight(log, row) * (log.qLogged?.[row] as number) - (log.qTarget?.[row] as number)),
      0,
    );
  });

  it('is the same for the same seed, and other for another', () => {
    const draw = decisionLogs(makeDecisionWorld(settings({ rows: 2_000, rate: 0.05, rowsPerUser: 3 })));
    const copy = (log: LoggedRows) => JSON.stringify(log);
    const first = copy(draw(5));
    expect(copy(draw(6))).not.toBe(first);
    expect(copy(draw(5))).toBe(first);
  });

  it('makes the rows of a user alike, and looks at first slots most', () => {
    const log = decisionLogs(makeDecisionWorld(settings({ rate: 0.05, rowsPerUser: 10, keen: { share: 0.1, factor: 5 } })))(3);
    const cluster = log.cluster as Int32Array;
    const users = new Float64Array((cluster.at(-1) as number) + 1);
    cluster.forEach((user, row) => {
      users[user] = (users[user] as number) + (log.reward[row] as number) - 0.05;
    });
    expect(40_000 / users.length).toBeGreaterThan(9);
    expect(40_000 / users.length).toBeLessThan(11);
    // Of independent rows it would be .05 .95 a row.
    expect(users.reduce((all, one) => all + one * one, 0) / 40_000).toBeGreaterThan(1.15 * 0.05 * 0.95);
    const rate = (slot: number) => {
      const own = [...log.reward].filter((_, row) => log.position?.[row] === slot);
      return own.reduce((all, one) => all + one, 0) / own.length;
    };
    expect(rate(0)).toBeGreaterThan(1.2 * rate(1));
    expect(rate(1)).toBeGreaterThan(1.1 * rate(2));
  });

  it('has logs that are wrong where that is asked for: unripe rewards, missing actions, propensities of another policy', () => {
    const world = (over: Partial<DecisionWorldSettings>) => makeDecisionWorld(settings(over));
    const unripe = world({ delay: { mean: 0.2, window: 0.5, counted: 'all' } });
    const log = decisionLogs(unripe)(1);
    expect(meanOf(log, (row) => log.reward[row] as number).mean).toBeLessThan(0.95 * unripe.truth.logging);
    const missing = world({ neverLogged: 2 });
    expect(missing.truth.unsupportedMass).toBeGreaterThan(0.1);
    const incomplete = decisionLogs(missing)(1);
    expect(meanOf(incomplete, (row) => weight(incomplete, row)).mean).toBeCloseTo(1 - missing.truth.unsupportedMass, 1);
    const misstated = decisionLogs(world({ recordedTemperature: 1.5 }))(1);
    expect(Math.abs(meanOf(misstated, (row) => weight(misstated, row)).mean - 1)).toBeGreaterThan(0.03);
  });

  it('is refused where it cannot be', () => {
    expect(() => makeDecisionWorld(settings({ distance: 0.99 }))).toThrow(expect.objectContaining({ code: 'UND-INPUT' }));
    expect(() => makeDecisionWorld(settings({ distance: 0.05, lift: 3 }))).toThrow(expect.objectContaining({ code: 'UND-INPUT' }));
    expect(() => makeDecisionWorld(settings({ keen: { share: 0.5, factor: 4 } }))).toThrow(expect.objectContaining({ code: 'UND-INPUT' }));
  });
});
