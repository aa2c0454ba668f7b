import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../models/random.ts';
import { evaluateRows } from './evaluate-rows.ts';
import { type EstimatorName, estimatorNames, scoreRows } from './estimators.ts';
import { clusterScores, type IntervalKind, intervalKinds, intervalOf } from './intervals.ts';
import { type LoggedRows, weightsOf } from './logged-rows.ts';

const parameters = { clip: 3, switch: 3, shrinkage: 4 };

type World = { actions: number; contexts: { logging: number[]; target: number[]; worth: number[]; predicted: number[] }[] };

/** Policies, true values and a wrong reward model, all at random. */
const anyWorld = fc
  .record({ actions: fc.integer({ min: 2, max: 5 }), contexts: fc.integer({ min: 1, max: 3 }), seed: fc.nat() })
  .map(({ actions, contexts, seed }): World => {
    const random = createRandom(seed);
    const policy = () => {
      const raw = Array.from({ length: actions }, () => random.float() + 0.05);
      const total = raw.reduce((sum, one) => sum + one, 0);
      return raw.map((one) => one / total);
    };
    const values = () => Array.from({ length: actions }, () => random.float());
    return { actions, contexts: Array.from({ length: contexts }, () => ({ logging: policy(), target: policy(), worth: values(), predicted: values() })) };
  });

/** Every (context, action, reward) once, with its probability: the expectation of an estimator that is a mean over rows is exact. */
function population({ contexts }: World): { rows: LoggedRows; probability: number[]; truth: number } {
  const columns = { reward: [] as number[], propensity: [] as number[], target: [] as number[], qLogged: [] as number[], qTarget: [] as number[] };
  const probability: number[] = [];
  let truth = 0;
  for (const { logging, target, worth, predicted } of contexts) {
    const qTarget = target.reduce((sum, chance, action) => sum + chance * (predicted[action] as number), 0);
    logging.forEach((propensity, action) => {
      truth += ((target[action] as number) * (worth[action] as number)) / contexts.length;
      for (const reward of [0, 1]) {
        columns.reward.push(reward);
        columns.propensity.push(propensity);
        columns.target.push(target[action] as number);
        columns.qLogged.push(predicted[action] as number);
        columns.qTarget.push(qTarget);
        probability.push((propensity * (reward === 1 ? (worth[action] as number) : 1 - (worth[action] as number))) / contexts.length);
      }
    });
  }
  const typed = Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, Float64Array.from(values)])) as unknown as LoggedRows;
  return { rows: typed, probability, truth };
}

const scoresOf = (name: EstimatorName, rows: LoggedRows) => {
  const scores = new Float64Array(rows.reward.length);
  const value = scoreRows(name, { rows, weights: weightsOf(rows), parameters, scores });
  return { scores, value };
};

/** A log of a world, in random order. */
function sample(world: World, count: number, seed: number): LoggedRows {
  const random = createRandom(seed);
  const { rows, probability } = population(world);
  const drawn = Array.from({ length: count }, () => {
    let point = random.float();
    const row = probability.findIndex((chance) => {
      point -= chance;
      return point < 0;
    });
    return row < 0 ? probability.length - 1 : row;
  });
  const take = (values: Float64Array | undefined) => Float64Array.from(drawn, (row) => values?.[row] as number);
  return { reward: take(rows.reward), propensity: take(rows.propensity), target: take(rows.target), qLogged: take(rows.qLogged), qTarget: take(rows.qTarget) };
}

describe('estimators of single decisions', () => {
  it('are unbiased where theory says so: IPS and DR, whatever the reward model', () => {
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

  it('have scores whose mean is the estimate, and come near the truth on a long log', () => {
    fc.assert(
      fc.property(anyWorld, fc.nat(), (world, seed) => {
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

  it('do not care for the order of rows; SNIPS, SNDR and DR follow a shift of the rewards', () => {
    fc.assert(
      fc.property(anyWorld, fc.nat(), fc.double({ min: -3, max: 3, noNaN: true }), (world, seed, shift) => {
        const rows = sample(world, 300, seed);
        const reversed = Object.fromEntries(Object.entries(rows).map(([name, values]) => [name, values.toReversed()])) as LoggedRows;
        const moved = (values: Float64Array | undefined) => values?.map((value) => value + shift);
        const shifted = { ...rows, reward: moved(rows.reward) as Float64Array, qLogged: moved(rows.qLogged), qTarget: moved(rows.qTarget) };
        for (const name of estimatorNames) expect(scoresOf(name, reversed).value).toBeCloseTo(scoresOf(name, rows).value, 10);
        for (const name of ['snips', 'sndr', 'dr'] as const) expect(scoresOf(name, shifted).value).toBeCloseTo(scoresOf(name, rows).value + shift, 8);
      }),
      { numRuns: 50 },
    );
  });

  it('count the rows of one cluster as one draw', () => {
    const rows = sample({ actions: 2, contexts: [{ logging: [0.5, 0.5], target: [0.9, 0.1], worth: [0.4, 0.2], predicted: [0.4, 0.2] }] }, 500, 3);
    const twice = Object.fromEntries(Object.entries(rows).map(([name, values]) => [name, Float64Array.from([...values, ...values])])) as unknown as LoggedRows;
    const cluster = Int32Array.from({ length: 1_000 }, (_, row) => row % 500);
    const once = evaluateRows(rows, { hyperparameters: parameters }).estimators.dr;
    const clustered = evaluateRows({ ...twice, cluster }, { hyperparameters: parameters }).estimators.dr;
    expect(clustered?.value).toBeCloseTo(once?.value ?? 0, 12);
    expect(clustered?.standardError).toBeCloseTo(once?.standardError ?? 0, 12);
    expect(evaluateRows(twice, { hyperparameters: parameters }).estimators.dr?.standardError).toBeLessThan(0.75 * (once?.standardError ?? 0));
  });
});

describe('intervals', () => {
  it('hold the truth about as often as they say; those that need no large sample at least so often', () => {
    const world: World = { actions: 3, contexts: [{ logging: [0.6, 0.3, 0.1], target: [0.2, 0.3, 0.5], worth: [0.3, 0.5, 0.6], predicted: [0.2, 0.6, 0.5] }] };
    const { truth } = population(world);
    const rounds = 200;
    const held = Object.fromEntries(intervalKinds.map((kind) => [kind, 0])) as Record<IntervalKind, number>;
    for (let round = 0; round < rounds; round += 1) {
      const { scores, value } = scoresOf('dr', sample(world, 400, 50 + round));
      const of = clusterScores({ scores, cluster: undefined, clusters: scores.length });
      // A priori: weights up to 5, residuals within 1.
      const bounds = { low: -5, high: 6 };
      for (const kind of intervalKinds) {
        const { low, high } = intervalOf(kind, { sample: of, value, level: 0.95, seed: round, replications: 200, bounds });
        if (low <= truth && truth <= high) held[kind] += 1;
      }
    }
    console.log(`95 % intervals of DR that held the truth, of ${rounds}: ${JSON.stringify(held)}`);
    for (const kind of ['normal', 'empirical-likelihood', 'bootstrap'] as const) expect(held[kind]).toBeGreaterThanOrEqual(0.9 * rounds);
    for (const kind of ['empirical-bernstein', 'betting'] as const) expect(held[kind]).toBeGreaterThanOrEqual(0.95 * rounds);
  });
});

describe('what the log can carry', () => {
  const even: World = { actions: 2, contexts: [{ logging: [0.5, 0.5], target: [0.9, 0.1], worth: [0.6, 0.2], predicted: [0.5, 0.3] }] };
  const verdictOf = (rows: LoggedRows) => evaluateRows(rows, { hyperparameters: parameters });

  it('is a verdict where there is support: better, worse, or either side of 0', () => {
    expect(verdictOf(sample(even, 4_000, 1))).toMatchObject({ verdict: 'better', reasons: [expect.stringContaining('sndr')] });
    const flipped: World = { ...even, contexts: even.contexts.map((one) => ({ ...one, worth: [0.2, 0.6] })) };
    expect(verdictOf(sample(flipped, 4_000, 1)).verdict).toBe('worse');
    const same: World = { ...even, contexts: even.contexts.map((one) => ({ ...one, target: one.logging })) };
    expect(verdictOf(sample(same, 4_000, 1))).toMatchObject({ verdict: 'not-enough-evidence', reasons: [expect.stringContaining('either side of 0')] });
  });

  it.each<[string, (rows: LoggedRows) => LoggedRows, string]>([
    ['few rows', (rows) => ({ ...rows, ...Object.fromEntries(Object.entries(rows).map(([name, values]) => [name, values.slice(0, 40)])) }), 'unweighted rows'],
    ['hardly any reward', (rows) => ({ ...rows, reward: rows.reward.map((value, row) => (row < 40 ? value : 0)) }), 'rewarded rows'],
    ['one weight above all', (rows) => ({ ...rows, propensity: rows.propensity.map((value, row) => (row === 0 ? 1e-4 : value)) }), 'of all weight'],
    ['wrong propensities', (rows) => ({ ...rows, propensity: rows.propensity.map((value) => value * 0.9) }), 'the mean weight is'],
    ['half of the target never logged', (rows) => ({ ...rows, target: rows.target.map((value) => value / 2) }), 'could never be logged'],
    ['drift', (rows) => ({ ...rows, propensity: rows.propensity.map((value, row) => (row < 2_000 ? value * 0.8 : value * 1.25)) }), 'drift'],
  ])('is nothing with %s, and the reason says so', (_, spoil, sentence) => {
    const found = verdictOf(spoil(sample(even, 4_000, 7)));
    expect(found.verdict).toBe('not-enough-evidence');
    expect(found.reasons.join('; ')).toContain(sentence);
  });

  it('never answers with a number that is none', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            reward: fc.double({ min: -5, max: 5, noNaN: true }),
            propensity: fc.double({ min: 1e-6, max: 1, noNaN: true }),
            target: fc.double({ min: 0, max: 1, noNaN: true }),
          }),
          { minLength: 1, maxLength: 30 },
        ),
        fc.constantFrom(...intervalKinds),
        (log, interval) => {
          const take = (name: 'reward' | 'propensity' | 'target') => Float64Array.from(log, (row) => row[name]);
          const rows = { reward: take('reward'), propensity: take('propensity'), target: take('target') };
          const text = JSON.stringify(evaluateRows(rows, { interval, replications: 20 }), (_, value) => {
            if (typeof value === 'number' && Number.isNaN(value)) throw new Error('NaN');
            return value;
          });
          expect(text).toContain('verdict');
        },
      ),
    );
  });

  it('is refused with a code where the log cannot be one', () => {
    const rows = sample(even, 10, 1);
    const codeOf = (one: LoggedRows) => {
      try {
        return String(evaluateRows(one).verdict);
      } catch (error) {
        return `${(error as { code: string }).code}: ${(error as Error).message}`;
      }
    };
    const broken = (name: keyof LoggedRows, value: number) => ({ ...rows, [name]: (rows[name] as Float64Array).map((one, row) => (row === 3 ? value : one)) });
    expect(codeOf({ reward: new Float64Array(), propensity: new Float64Array(), target: new Float64Array() })).toMatch(/^UND-NO-DATA/);
    expect(codeOf(broken('reward', Number.NaN))).toMatch(/^UND-INPUT: Row 4: the reward/);
    expect(codeOf(broken('propensity', 0))).toMatch(/^UND-INPUT: Row 4: the propensity is 0/);
    expect(codeOf(broken('propensity', 1.5))).toMatch(/^UND-INPUT: Row 4/);
    expect(codeOf(broken('target', -0.1))).toMatch(/^UND-INPUT: Row 4: the target/);
    expect(codeOf({ ...rows, qTarget: undefined })).toMatch(/^UND-INPUT: A reward model/);
    expect(codeOf({ ...rows, target: rows.target.slice(1) })).toMatch(/^UND-INPUT: 9 values of target for 10 rows/);
  });
});
