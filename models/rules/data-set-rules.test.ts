import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DataSetRule, dataSetRule } from '../contracts/data-set-rule.ts';
import type { UnderstudyError } from '../contracts/problem.ts';
import { judgeDataSet, populationStabilityIndex } from './data-set-rules.ts';

const rule = (change: Partial<DataSetRule>): DataSetRule => ({ name: 'one', measure: 'rows', action: 'warn', ...change });

describe('data-set rules', () => {
  it('take a limit as allowed', () => {
    expect(judgeDataSet([{ rule: rule({ min: 70, max: 70, action: 'stop' }), measured: [{ value: 70 }] }])).toEqual({ warnings: [], aside: [] });
  });

  it('say what is beyond them, and of which day', () => {
    const volume = rule({ name: 'usual', measure: 'weekday-volume', min: 0.5, max: 2, action: 'quarantine' });
    const measured = [
      { day: '2026-03-02', value: 0.4999, of: '5 rows, usually 10' },
      { day: '2026-03-03', value: 1 },
      { day: '2026-03-04', value: 3 },
    ];
    expect(judgeDataSet([{ rule: volume, measured }])).toEqual({
      warnings: [
        { rule: 'usual', message: 'weekday-volume on 2026-03-02 is 0.4999 (5 rows, usually 10), below 0.5', value: 0.4999 },
        { rule: 'usual', message: 'weekday-volume on 2026-03-04 is 3, above 2', value: 3 },
      ],
      aside: [
        { rule: 'usual', day: '2026-03-02' },
        { rule: 'usual', day: '2026-03-04' },
      ],
    });
  });

  it('name every rule that stops', () => {
    const stopped = caught(() =>
      judgeDataSet([
        { rule: rule({ name: 'first', min: 1_000, action: 'stop' }), measured: [{ value: 70 }] },
        { rule: rule({ name: 'mild', min: 1_000 }), measured: [{ value: 70 }] },
        { rule: rule({ name: 'second', measure: 'null-share', column: 'user_id', max: 0, action: 'stop' }), measured: [{ value: 0.25 }] },
      ]),
    );
    expect(stopped.code).toBe('UND-RULE-STOP');
    expect(stopped.mistakes.map(({ path }) => path)).toEqual(['/data/rules/first', '/data/rules/second']);
    expect(stopped.message).toContain('first: rows is 70, below 1000');
    expect(stopped.message).toContain('second: null-share of user_id is 0.2500, above 0');
  });

  it('say where one does not apply', () => {
    expect(
      judgeDataSet([
        { rule: rule({ measure: 'freshness-days', max: 2, action: 'stop' }), doesNotApply: 'the timestamps were shifted by 700 days', value: 700 },
      ]),
    ).toEqual({
      warnings: [{ rule: 'one', message: 'does not apply: the timestamps were shifted by 700 days', value: 700 }],
      aside: [],
    });
  });

  it.each([
    [{ measure: 'rows', column: 'kind', max: 1 }, 'column'],
    [{ measure: 'null-share', max: 1 }, 'column'],
    [{ measure: 'null-share', column: 'item_id; DROP TABLE judged', max: 1 }, 'column'],
    [{ measure: 'distribution-shift', column: 'user_id', max: 1 }, 'column'],
  ])('%j is none', (wrong, path) => {
    expect(dataSetRule.safeParse({ name: 'one', action: 'warn', ...wrong }).error?.issues.map((issue) => issue.path.join('/'))).toEqual([path]);
  });
});

describe('the population stability index', () => {
  it('is that of a worked example', () => {
    // Shares .5 .3 .2 against .4 .3 .3 of a million: .1 ln(5/4) + .1 ln(3/2).
    expect(populationStabilityIndex([500_000, 300_000, 200_000], [400_000, 300_000, 300_000])).toBeCloseTo(0.1 * Math.log(1.25) + 0.1 * Math.log(1.5), 5);
  });

  it('is nothing of the same, something of anything else, and never infinite', () => {
    const counts = fc.array(fc.nat(1_000), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(counts, counts, (one, other) => {
        const both = [one, one.map((_, bin) => other[bin] ?? 0)] as const;
        expect(populationStabilityIndex(one, one)).toBeCloseTo(0, 12);
        expect(populationStabilityIndex(...both)).toBeGreaterThanOrEqual(0);
        expect(Number.isFinite(populationStabilityIndex(...both))).toBe(true);
        expect(populationStabilityIndex(...both)).toBeCloseTo(populationStabilityIndex(both[1], both[0]), 9);
      }),
    );
  });
});

function caught(act: () => unknown): UnderstudyError {
  try {
    act();
  } catch (error) {
    return error as UnderstudyError;
  }
  throw new Error('nothing was thrown');
}
