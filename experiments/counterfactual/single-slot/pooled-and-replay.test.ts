import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../models/random.ts';
import { evaluateRows } from './evaluate-rows.ts';
import { type LoggedRows, weightsOf } from './logged-rows.ts';
import { acceptedRows } from './replay.ts';
import { anyWorld, population, sample, type World } from './testing.ts';

type Pool = { logging: readonly (readonly number[])[]; rows: readonly number[]; target: readonly number[]; worth: readonly number[] };

/** Every (policy, action, reward) once with its probability, the policies with their parts of the rows. */
function pooledPopulation({ logging, rows, target, worth }: Pool): { log: LoggedRows; probability: number[]; truth: number } {
  const total = rows.reduce((sum, one) => sum + one, 0);
  const cells = logging.flatMap((policy, own) =>
    policy.flatMap((chance, action) =>
      [0, 1].map((reward) => ({
        own,
        action,
        reward,
        probability: ((rows[own] as number) / total) * chance * (reward === 1 ? (worth[action] as number) : 1 - (worth[action] as number)),
      })),
    ),
  );
  // Balanced weights are by the rows' counts: so many of each policy.
  const log = rowsOf({ logging, rows, target, worth }, cells);
  return {
    log,
    probability: cells.map((cell) => cell.probability),
    truth: target.reduce((sum, chance, action) => sum + chance * (worth[action] as number), 0),
  };
}

function rowsOf({ logging, target }: Pool, cells: readonly { own: number; action: number; reward: number }[]): LoggedRows {
  return {
    reward: Float64Array.from(cells, ({ reward }) => reward),
    propensity: Float64Array.from(cells, ({ own, action }) => logging[own]?.[action] as number),
    target: Float64Array.from(cells, ({ action }) => target[action] as number),
    pooled: {
      policy: Int32Array.from(cells, ({ own }) => own),
      propensities: logging.map((policy) => Float64Array.from(cells, ({ action }) => policy[action] as number)),
    },
  };
}

function draw(pool: Pool, seed: number): LoggedRows {
  const random = createRandom(seed);
  const cells = pool.rows.flatMap((count, own) =>
    Array.from({ length: count }, () => {
      let point = random.float();
      const action = (pool.logging[own] as readonly number[]).findIndex((chance) => {
        point -= chance;
        return point < 0;
      });
      return { own, action, reward: random.float() < (pool.worth[action] as number) ? 1 : 0 };
    }),
  );
  return rowsOf(pool, cells);
}

const ips = (log: LoggedRows) => weightsOf(log).reduce((sum, weight, row) => sum + weight * (log.reward[row] as number), 0) / log.reward.length;
const spread = (values: readonly number[]) => {
  const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
  return { mean, variance: values.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (values.length - 1) };
};

describe('a log of several policies', () => {
  const pool: Pool = {
    logging: [
      [0.8, 0.15, 0.05],
      [0.1, 0.1, 0.8],
    ],
    rows: [100, 100],
    target: [0.2, 0.2, 0.6],
    worth: [0.5, 0.2, 0.4],
  };

  it('gives the truth in expectation with balanced weights', () => {
    const { log, probability, truth } = pooledPopulation(pool);
    expect(weightsOf(log).reduce((sum, weight, row) => sum + weight * (log.reward[row] as number) * (probability[row] as number), 0)).toBeCloseTo(truth, 12);
  });

  it('varies less with balanced weights than with those of each policy by itself, and both are unbiased', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), (seed) => {
        const balanced: number[] = [];
        const plain: number[] = [];
        for (let round = 0; round < 400; round += 1) {
          const log = draw(pool, seed * 1_000 + round);
          balanced.push(ips(log));
          plain.push(ips({ ...log, pooled: undefined }));
        }
        const [one, other] = [spread(balanced), spread(plain)];
        const { truth } = pooledPopulation(pool);
        for (const { mean, variance } of [one, other]) expect(Math.abs(mean - truth)).toBeLessThan(5 * Math.sqrt(variance / 400));
        // By the figures above it is a sixth.
        expect(one.variance).toBeLessThan(0.5 * other.variance);
      }),
      { numRuns: 3 },
    );
  });

  it('needs support by one policy only, and does not take a change of policy for drift', () => {
    const alone: Pool = {
      logging: [
        [1, 0],
        [0.2, 0.8],
      ],
      rows: [2_000, 2_000],
      target: [0.3, 0.7],
      worth: [0.3, 0.5],
    };
    const found = evaluateRows(draw(alone, 4));
    expect(found.diagnostics.meanWeight).toBeCloseTo(1, 1);
    expect(found.diagnostics.driftP).toBeGreaterThan(0.001);
    expect(found.verdict).toBe('better');
    expect(found.replay).toMatchObject({ code: 'UND-INPUT', reason: expect.stringContaining('several') });
  });

  it('is refused where the policies do not fit the rows', () => {
    const log = draw(pool, 1);
    const { policy, propensities } = log.pooled as NonNullable<LoggedRows['pooled']>;
    const refusal = (pooled: LoggedRows['pooled']) => () => evaluateRows({ ...log, pooled });
    expect(refusal({ policy: policy.map(() => 2), propensities })).toThrow('Row 1: the logging policy is number 3 of 2');
    expect(refusal({ policy, propensities: [propensities[0] as Float64Array, new Float64Array(3)] })).toThrow(
      '3 propensities of logging policy 2 for 200 rows',
    );
    expect(refusal({ policy, propensities: propensities.map((values) => values.map((one) => one / 2)) })).toThrow('Row 1: the propensity is');
    expect(refusal({ policy, propensities: [propensities[0] as Float64Array, (propensities[1] as Float64Array).map(() => Number.NaN)] })).toThrow(
      expect.objectContaining({ code: 'UND-INPUT', message: expect.stringContaining('logging policy 2 is NaN') }),
    );
    expect(refusal({ policy: policy.slice(1), propensities })).toThrow('199 values of policy for 200 rows');
  });
});

describe('replay', () => {
  const uniform = (world: World): World => ({
    ...world,
    contexts: world.contexts.map((one) => ({ ...one, logging: one.logging.map(() => 1 / world.actions) })),
  });

  it('comes near the truth on a log that was drawn uniformly', () => {
    fc.assert(
      fc.property(anyWorld, fc.nat(), (world, seed) => {
        const { truth } = population(uniform(world));
        const { replay } = evaluateRows(sample(uniform(world), 3_000, seed), { seed: 1 + seed });
        if (!('accepted' in replay)) throw new Error(replay.reason);
        expect(replay.accepted / 3_000).toBeGreaterThan(0.7 / world.actions);
        expect(replay.accepted / 3_000).toBeLessThan(1.3 / world.actions);
        expect(Math.abs(replay.value - truth)).toBeLessThan(6 * replay.standardError + 1e-9);
      }),
      { numRuns: 25 },
    );
  });

  it('is refused with a code on a log of another policy, and where it leaves nothing', () => {
    const peaked: World = { actions: 2, contexts: [{ logging: [0.9, 0.1], target: [0.5, 0.5], worth: [0.1, 0.5], predicted: [0, 0] }] };
    expect(evaluateRows(sample(peaked, 200, 1)).replay).toEqual({ code: 'UND-INPUT', reason: expect.stringContaining('from 0.100 to 0.900') });
    // What it would have said: the log's own favourites.
    const { rows, probability, truth } = population(peaked);
    const replayed = rows.target.reduce((sum, chance, row) => sum + chance * (probability[row] as number) * (rows.reward[row] as number), 0);
    const accepted = rows.target.reduce((sum, chance, row) => sum + chance * (probability[row] as number), 0);
    expect(replayed / accepted).toBeLessThan(0.6 * truth);
    const nothing = { propensity: new Float64Array(5).fill(0.5), target: new Float64Array(5) };
    expect(() => acceptedRows(nothing, 1)).toThrow(expect.objectContaining({ code: 'UND-NO-DATA' }));
  });
});
