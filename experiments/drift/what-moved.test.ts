import { expect, it } from 'vitest';
import type { DriftReport } from '../../models/contracts/drift.ts';
import { answersAbout, costOfItems } from './what-moved.ts';

const change = (value: number, half = 0.05) => ({ value, low: value - half, high: value + half });
const report = (isMoved: boolean, listed: number | null, all: number | null): Pick<DriftReport, 'answers' | 'cost'> => ({
  answers: [
    { what: 'item-vectors', p: 0.01, adjusted: 0.01, moved: isMoved, says: '', units: [3, 1] },
    { what: 'label-rate', p: 0.01, adjusted: 0.01, moved: true, says: '', units: [30, 30] },
  ],
  cost: { listed: listed === null ? null : change(listed), all: all === null ? null : change(all) },
});

it('what moved cost something only where it moved beyond retraining, earns less, and more so than all', () => {
  expect(costOfItems(report(true, -0.3, 0))).toBe('own');
  expect(costOfItems(report(true, -0.3, -0.28))).toBe('as-all');
  expect(costOfItems(report(true, -0.04, 0.3))).toBe('none');
  expect(costOfItems(report(true, 0.3, 0))).toBe('none');
  expect(costOfItems(report(false, -0.3, 0))).toBe('none');
  expect(costOfItems(report(true, null, null))).toBe('unknown');
  // Without retrainings nobody knows what moved beyond them.
  const unasked = { ...report(true, -0.3, 0), answers: answersAbout(report(true, -0.3, 0), 'days') };
  expect(unasked.answers.map(({ what }) => what)).toEqual(['label-rate']);
  expect(costOfItems(unasked)).toBe('unknown');
});
