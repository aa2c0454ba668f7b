import { describe, expect, it } from 'vitest';
import type { DataSetRule } from '../contracts/charter.ts';
import type { UnderstudyError } from '../contracts/problem.ts';
import { applyDataSetRules, type BatchMeasures } from './data-set-rules.ts';

const measures: BatchMeasures = { input: 100, accepted: 70, quarantined: 25, nullUsers: 35, shiftDays: 0, freshnessDays: 3 };
const rule = (change: Partial<DataSetRule>): DataSetRule => ({ name: 'one', measure: 'rows', action: 'warn', ...change });

describe('data-set rules', () => {
  it('measure rows, null users, quarantine and freshness', () => {
    const rules = [
      rule({ name: 'rows', measure: 'rows', min: 71 }),
      rule({ name: 'users', measure: 'null-user-share', max: 0.49 }),
      rule({ name: 'quarantine', measure: 'quarantine-share', max: 0.24 }),
      rule({ name: 'fresh', measure: 'freshness-days', max: 2 }),
    ];
    expect(applyDataSetRules({ rules, measures }).map(({ rule: name, value }) => [name, value])).toEqual([
      ['rows', 70],
      ['users', 0.5],
      ['quarantine', 0.25],
      ['fresh', 3],
    ]);
  });

  it('take a limit as allowed', () => {
    expect(applyDataSetRules({ rules: [rule({ min: 70, max: 70, action: 'stop' })], measures })).toEqual([]);
  });

  it('name every rule that stops', () => {
    const rules = [
      rule({ name: 'first', min: 1_000, action: 'stop' }),
      rule({ name: 'mild', min: 1_000 }),
      rule({ name: 'second', measure: 'quarantine-share', max: 0, action: 'stop' }),
    ];
    const stopped = caught(() => applyDataSetRules({ rules, measures }));
    expect(stopped.code).toBe('UND-RULE-STOP');
    expect(stopped.mistakes.map(({ path }) => path)).toEqual(['/data/rules/first', '/data/rules/second']);
    expect(stopped.message).toContain('first: rows is 70, below 1000');
  });

  it('say that freshness does not apply to what was shifted', () => {
    const shifted = { ...measures, shiftDays: 700, freshnessDays: 707 };
    expect(applyDataSetRules({ rules: [rule({ measure: 'freshness-days', max: 2, action: 'stop' })], measures: shifted })).toEqual([
      { rule: 'one', message: 'does not apply: the timestamps were shifted by 700 days', value: 700 },
    ]);
  });

  it('do not pass a freshness rule that cannot be measured', () => {
    expect(
      caught(() => applyDataSetRules({ rules: [rule({ measure: 'freshness-days', max: 9 })], measures: { ...measures, freshnessDays: undefined } })).code,
    ).toBe('UND-INPUT');
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
