import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../models/random.ts';
import { tailIndex } from './diagnostics.ts';
import { evaluateRows } from './evaluate-rows.ts';
import { intervalKinds } from './intervals.ts';
import type { LoggedRows } from './logged-rows.ts';
import { mapColumns, parameters, sample, type World } from './testing.ts';

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
    ['few rows', (rows) => mapColumns(rows, (values) => values.slice(0, 40)), 'unweighted rows'],
    ['hardly any reward', (rows) => ({ ...rows, reward: rows.reward.map((value, row) => (row < 40 ? value : 0)) }), 'rewarded rows'],
    ['one weight above all', (rows) => ({ ...rows, propensity: rows.propensity.map((value, row) => (row === 0 ? 1e-4 : value)) }), 'of all weight'],
    ['wrong propensities', (rows) => ({ ...rows, propensity: rows.propensity.map((value) => value * 0.9) }), 'the mean weight is'],
    ['half of the target never logged', (rows) => ({ ...rows, target: rows.target.map((value) => value / 2) }), 'could never be logged'],
    ['drift', (rows) => ({ ...rows, propensity: rows.propensity.map((value, row) => (row < 2_000 ? value * 0.8 : value * 1.25)) }), 'drift'],
    [
      'probabilities that do not sum to one',
      (rows) => ({ ...rows, propensitySum: rows.reward.map((_, row) => (row < 400 ? 1.1 : 1)) }),
      '10.0 % of the rows do not sum',
    ],
    ['rows that are there twice', (rows) => ({ ...rows, id: Int32Array.from(rows.reward, (_, row) => row >> 1) }), '50.0 % of the rows are there twice'],
    ['rows without a propensity', (rows) => ({ ...rows, withoutPropensity: 1_000 }), '20.0 % of the rows have no propensity'],
  ])('is nothing with %s, and the reason says so', (_, spoil, sentence) => {
    const found = verdictOf(spoil(sample(even, 4_000, 7)));
    expect(found.verdict).toBe('not-enough-evidence');
    expect(found.reasons.join('; ')).toContain(sentence);
  });

  it('sees drift in time, whatever users are numbered by', () => {
    const rows = sample(even, 4_000, 7);
    const drifting = { ...rows, propensity: rows.propensity.map((value, row) => (row < 2_000 ? value * 0.8 : value * 1.25)) };
    // Users of two rows each, numbered from all over the log.
    const cluster = Int32Array.from({ length: 4_000 }, (_, row) => ((row >> 1) * 37) % 2_000);
    expect(verdictOf({ ...drifting, cluster }).reasons.join()).toContain('drift');
    expect(verdictOf({ ...rows, cluster }).diagnostics.driftP).toBeGreaterThan(0.001);
    // Users who come back in both halves.
    const returning = Int32Array.from({ length: 4_000 }, (_, row) => row % 2_000);
    expect(verdictOf({ ...drifting, cluster: returning }).reasons.join()).toContain('drift');
  });

  it('is judged by the rewards of what the target does otherwise, not by their luck', () => {
    // The target differs in one action of a hundredth; the log is rich in rewards of the others.
    const rare: World = { actions: 2, contexts: [{ logging: [0.99, 0.01], target: [0.9, 0.1], worth: [0.3, 0.3], predicted: [0.3, 0.3] }] };
    const found = verdictOf(sample(rare, 4_000, 2));
    expect(found.diagnostics.essRewarded).toBeGreaterThan(100);
    // 40 rows carry it, of which .3 are rewarded and .7 are not.
    expect(found.diagnostics.essLift).toBeGreaterThan(15);
    expect(found.diagnostics.essLift).toBeLessThan(60);
    const seldom = verdictOf(sample({ ...rare, contexts: rare.contexts.map((one) => ({ ...one, worth: [0.02, 0.02], predicted: [0.02, 0.02] })) }, 20_000, 2));
    expect(seldom.diagnostics.essRewarded).toBeGreaterThan(20);
    expect(seldom.diagnostics.essLift).toBeLessThan(10);
    expect(seldom.reasons.join()).toContain('the difference between the policies rests on as much as');
    // Rewards of other rows, as many of them: the same judgement.
    const rows = sample(rare, 4_000, 2);
    const essOf = (reward: Float64Array) => verdictOf({ ...rows, reward, qLogged: undefined, qTarget: undefined }).diagnostics.essLift;
    expect(essOf(rows.reward.toReversed())).toBeCloseTo(essOf(rows.reward), 6);
  });

  it('is a heavy tail where there is one: of Pareto weights, not of those that have an end', () => {
    const random = createRandom(5);
    const weights = (of: () => number) => Float64Array.from({ length: 20_000 }, of);
    for (const shape of [0.3, 0.7, 1.2]) expect(Math.abs(tailIndex(weights(() => (1 - random.float()) ** -shape)) - shape)).toBeLessThan(0.2);
    expect(tailIndex(weights(() => random.float()))).toBeLessThan(0);
    expect(tailIndex(weights(() => [0.8, 1, 2, 11][random.below(4)] as number))).toBeLessThan(0.1);
  });

  it('never answers with a number that is none', () => {
    const anyNumber = fc.oneof(fc.double(), fc.double({ min: -5, max: 5, noNaN: true }), fc.constant(0));
    const anyChance = fc.oneof(
      { weight: 5, arbitrary: fc.double({ min: 1e-6, max: 1, noNaN: true }) },
      { weight: 1, arbitrary: fc.double({ min: 0, max: 1 }) },
    );
    let answered = 0;
    fc.assert(
      fc.property(
        fc.array(fc.record({ reward: anyNumber, propensity: anyChance, target: anyChance, q: anyNumber }), { minLength: 1, maxLength: 8 }),
        fc.constantFrom(...intervalKinds),
        fc.boolean(),
        (log, interval, hasModel) => {
          const take = (name: 'reward' | 'propensity' | 'target' | 'q') => Float64Array.from(log, (row) => row[name]);
          const model = hasModel ? { qLogged: take('q'), qTarget: take('q') } : {};
          const rows = { reward: take('reward'), propensity: take('propensity'), target: take('target'), ...model };
          try {
            JSON.stringify(evaluateRows(rows, { interval, replications: 20 }), (name, value) => {
              if (typeof value === 'number' && !Number.isFinite(value)) throw new Error(`${name} is ${value}`);
              return value;
            });
            answered += 1;
          } catch (error) {
            expect(error).toMatchObject({ code: 'UND-INPUT' });
          }
        },
      ),
      { numRuns: 1_000 },
    );
    expect(answered).toBeGreaterThan(100);
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
    expect(codeOf(broken('reward', Number.NEGATIVE_INFINITY))).toMatch(/^UND-INPUT: Row 4: the reward/);
    expect(codeOf(broken('qLogged', Number.NaN))).toMatch(/^UND-INPUT: Row 4: a predicted reward/);
    expect(codeOf(broken('propensity', Number.NaN))).toMatch(/^UND-INPUT: Row 4: the propensity is NaN/);
    expect(codeOf(broken('propensity', 1e-20))).toMatch(/^UND-INPUT: Row 4: .*no log can carry/);
    expect(codeOf(broken('propensity', 0))).toMatch(/^UND-INPUT: Row 4: the propensity is 0/);
    expect(codeOf(broken('propensity', 1.5))).toMatch(/^UND-INPUT: Row 4/);
    expect(codeOf(broken('target', -0.1))).toMatch(/^UND-INPUT: Row 4: the target/);
    expect(codeOf({ ...rows, qTarget: undefined })).toMatch(/^UND-INPUT: A reward model/);
    expect(codeOf({ ...rows, target: rows.target.slice(1) })).toMatch(/^UND-INPUT: 9 values of target for 10 rows/);
    expect(codeOf({ ...rows, cluster: new Int32Array(10).fill(-1) })).toMatch(/^UND-INPUT: Row 1: the cluster is -1/);
    expect(codeOf({ ...rows, id: new Int32Array(10).fill(-1) })).toMatch(/^UND-INPUT: Row 1: the id is -1/);
  });
});
