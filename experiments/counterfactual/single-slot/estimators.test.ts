import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EstimatorName, estimatorNames } from './estimators.ts';
import { evaluateRows } from './evaluate-rows.ts';
import { type LoggedRows, weightsOf } from './logged-rows.ts';
import { anyWorld, mapColumns, parameters, population, sample, scoresOf } from './testing.ts';

const anySeed = fc.nat();
const estimateOf = (name: EstimatorName, rows: LoggedRows) => scoresOf(name, rows).value;

describe('what estimators of single decisions expect', () => {
  it('is the truth for IPS and DR, whatever the reward model', () => {
    fc.assert(
      fc.property(anyWorld, (world) => {
        const { rows, probability, truth } = population(world);
        for (const name of ['ips', 'dr'] as const) {
          const expectation = scoresOf(name, rows).scores.reduce((sum, score, row) => sum + score * (probability[row] as number), 0);
          expect(expectation).toBeCloseTo(truth, 10);
        }
      }),
    );
  });

  it('is the truth with the true reward model, however weights are cut; those that cut are IPS and DR where nothing is cut', () => {
    fc.assert(
      fc.property(anyWorld, (world) => {
        const right = { ...world, contexts: world.contexts.map((one) => ({ ...one, predicted: one.worth })) };
        const { rows, probability, truth } = population(right);
        for (const name of ['dm', 'dr', 'switch-dr', 'dr-os'] as const) {
          const expectation = scoresOf(name, rows).scores.reduce((sum, score, row) => sum + score * (probability[row] as number), 0);
          expect(expectation).toBeCloseTo(truth, 10);
        }
        const most = weightsOf(rows).reduce((all, one) => Math.max(all, one), 0);
        const uncut = { clip: most, switch: most, shrinkage: Number.MAX_VALUE };
        const { rows: wrong } = population(world);
        const equal = (name: EstimatorName, other: EstimatorName) => expect(scoresOf(name, wrong, uncut).value).toBeCloseTo(scoresOf(other, wrong).value, 10);
        equal('ips-clipped', 'ips');
        equal('switch-dr', 'dr');
        equal('dr-os', 'dr');
      }),
    );
  });

  it('is what they come near on a long log; their scores have them as mean', () => {
    fc.assert(
      fc.property(anyWorld, anySeed, (world, seed) => {
        const { truth } = population(world);
        const rows = sample(world, 4_000, seed);
        for (const name of estimatorNames) {
          const { scores, value } = scoresOf(name, rows);
          expect(scores.reduce((sum, score) => sum + score, 0) / scores.length).toBeCloseTo(value, 9);
        }
        for (const name of ['ips', 'snips', 'dr', 'sndr'] as const) {
          const estimate = evaluateRows(rows, { hyperparameters: parameters }).estimators[name];
          expect(Math.abs((estimate?.value ?? 0) - truth)).toBeLessThan(6 * (estimate?.standardError ?? 0) + 1e-9);
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe('estimators of single decisions do not care', () => {
  it('for the order of rows, the names of actions, of users and of rows', () => {
    fc.assert(
      fc.property(anyWorld, anySeed, (world, seed) => {
        const rows = sample(world, 300, seed);
        const cluster = Int32Array.from({ length: 300 }, (_, row) => row % 100);
        for (const name of estimatorNames)
          expect(
            estimateOf(
              name,
              mapColumns(rows, (values) => values.toReversed()),
            ),
          ).toBeCloseTo(estimateOf(name, rows), 10);
        const found = evaluateRows({ ...rows, cluster }, { hyperparameters: parameters });
        const renamed = evaluateRows({ ...rows, cluster: cluster.map((user) => (user * 37 + 5) % 100) }, { hyperparameters: parameters });
        for (const name of estimatorNames) expect(renamed.estimators[name]?.high).toBeCloseTo(found.estimators[name]?.high ?? 0, 10);
        expect(renamed.lift.low).toBeCloseTo(found.lift.low, 6);
        // Actions have no names in a log: a world whose actions stand in another order makes the same rows in another order.
        const turn = (values: readonly number[]) => [...values.slice(1), values[0] as number];
        const turned = {
          ...world,
          contexts: world.contexts.map((one) => ({
            logging: turn(one.logging),
            target: turn(one.target),
            worth: turn(one.worth),
            predicted: turn(one.predicted),
          })),
        };
        for (const name of estimatorNames) expect(estimateOf(name, population(turned).rows)).toBeCloseTo(estimateOf(name, population(world).rows), 10);
      }),
      { numRuns: 50 },
    );
  });

  it('for the unit of rewards; SNIPS, SNDR and DR follow a shift of them, IPS by its mean weight', () => {
    fc.assert(
      fc.property(
        anyWorld,
        anySeed,
        fc.double({ min: -3, max: 3, noNaN: true }),
        fc.double({ min: 0.1, max: 10, noNaN: true }),
        (world, seed, shift, factor) => {
          const rows = sample(world, 300, seed);
          const changed = (change: (value: number) => number): LoggedRows => ({
            ...rows,
            reward: rows.reward.map(change),
            qLogged: rows.qLogged?.map(change),
            qTarget: rows.qTarget?.map(change),
          });
          const [scaled, shifted] = [changed((value) => value * factor), changed((value) => value + shift)];
          for (const name of estimatorNames) expect(estimateOf(name, scaled)).toBeCloseTo(estimateOf(name, rows) * factor, 8);
          for (const name of ['snips', 'sndr', 'dr', 'dm', 'switch-dr', 'dr-os'] as const)
            expect(estimateOf(name, shifted)).toBeCloseTo(estimateOf(name, rows) + shift, 8);
          const meanWeight = weightsOf(rows).reduce((sum, one) => sum + one, 0) / 300;
          expect(estimateOf('ips', shifted)).toBeCloseTo(estimateOf('ips', rows) + shift * meanWeight, 8);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('for rows that are all there twice, but intervals do; rows of one user are one draw', () => {
    const rows = sample({ actions: 2, contexts: [{ logging: [0.5, 0.5], target: [0.9, 0.1], worth: [0.4, 0.2], predicted: [0.4, 0.2] }] }, 500, 3);
    const twice = mapColumns(rows, (values) => Float64Array.from([...values, ...values]));
    for (const name of estimatorNames) expect(estimateOf(name, twice)).toBeCloseTo(estimateOf(name, rows), 12);
    const cluster = Int32Array.from({ length: 1_000 }, (_, row) => row % 500);
    const once = evaluateRows(rows, { hyperparameters: parameters }).estimators.dr;
    const clustered = evaluateRows({ ...twice, cluster }, { hyperparameters: parameters }).estimators.dr;
    expect(clustered?.value).toBeCloseTo(once?.value ?? 0, 12);
    expect(clustered?.standardError).toBeCloseTo(once?.standardError ?? 0, 12);
    expect(evaluateRows(twice, { hyperparameters: parameters }).estimators.dr?.standardError).toBeLessThan(0.75 * (once?.standardError ?? 0));
  });

  it('for a log of one arm: all are its mean reward, and there is no lift', () => {
    const rows = sample({ actions: 1, contexts: [{ logging: [1], target: [1], worth: [0.3], predicted: [0.3] }] }, 400, 9);
    const found = evaluateRows(rows);
    const mean = rows.reward.reduce((sum, one) => sum + one, 0) / 400;
    for (const name of ['ips', 'snips', 'dr', 'sndr', 'switch-dr'] as const) expect(found.estimators[name]?.value).toBeCloseTo(mean, 12);
    expect(found.lift.value).toBeCloseTo(0, 12);
    // By rounding it is not quite 0, and no verdict may come of that.
    expect(found).toMatchObject({ verdict: 'not-enough-evidence', replay: { accepted: 400 } });
  });
});
