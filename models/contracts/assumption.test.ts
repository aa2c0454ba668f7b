import { expect, it } from 'vitest';
import { assumption, charterAssumption, checkBehind } from './assumption.ts';

const measured = {
  claim: 'users come again',
  check: 'returning-share',
  params: { withinDays: 28 },
  value: 0.27,
  unit: 'share',
  interval: { low: 0.26, high: 0.29 },
  min: 0.1,
  supports: '/candidates',
  measuredAt: { generation: 1, from: '2026-01-01', to: '2026-03-01' },
};
const mistakes = (change: Record<string, unknown>) => charterAssumption.safeParse({ ...measured, ...change }).error?.issues.map(({ path }) => path.join('/'));

it('what was measured and what was written by hand stand beside each other', () => {
  const written = { claim: 'Most lines have a known customer', measure: 'null-user-share', max: 0.35 };
  expect(charterAssumption.array().parse([measured, written])).toEqual([measured, written]);
  expect(checkBehind(charterAssumption.parse(measured))).toEqual({ check: 'returning-share', params: { withinDays: 28 } });
  expect(checkBehind(charterAssumption.parse(written))).toEqual({ check: 'null-user-share', params: {} });
  expect(checkBehind(charterAssumption.parse({ ...written, measure: 'moon-phase' }))).toBeUndefined();
});

it('names what is wrong in either', () => {
  expect(mistakes({ check: 'moon-phase' })).toEqual(['check']);
  expect(mistakes({ min: undefined })).toEqual(['max']);
  expect(mistakes({ min: 0.3, max: 0.2 })).toEqual(['max']);
  expect(mistakes({ supports: 'objective', unit: 'kilos' })).toEqual(['unit', 'supports']);
  expect(charterAssumption.safeParse({ claim: 'x', max: 1 }).error?.issues.map(({ path }) => path.join('/'))).toEqual(['measure']);
  expect(assumption.safeParse({ claim: 'x', measure: 'null-user-share' }).success).toBe(false);
});
