import { expect, it } from 'vitest';
import { fairnessRules } from '../../models/contracts/fairness.ts';
import type { Report } from '../../models/contracts/report.ts';
import { fairnessGate } from './fairness.ts';
import type { GateInput } from './gate.ts';

const at = (value: number) => ({ value, low: value, high: value });
const group = { name: 'small-makers', by: 'brand', values: ['b'] };
const exposure = fairnessRules.parse({ method: 'exposure', groups: [{ ...group, minShare: 0.2 }], limits: { ndcgCost: 0.05 } });
const fair = fairnessRules.parse({ method: 'fa-ir', group, share: 0.2 });

function ask(fairness: typeof exposure | undefined, full: { loss: number; exposure: number; fair?: number } | null) {
  const points = [0, 1].map((scale) => ({
    scale,
    metrics: { 'ndcg@10': at(0.4) },
    lift: { 'ndcg@10': at(scale === 0 ? 0 : -(full?.loss ?? 0)) },
    exposure: { 'small-makers': at(scale === 0 ? 0.02 : (full?.exposure ?? 0)) },
    ...(full?.fair === undefined ? {} : { fair: at(full.fair) }),
  }));
  const measured: Report['fairness'] = {
    users: 100,
    method: fairness?.method ?? 'exposure',
    depth: 100,
    asked: [{ name: 'small-makers', share: 0.2 }],
    points,
  };
  const input = { charter: { fairness }, draft: full === null ? {} : { fairness: measured } } as unknown as GateInput;
  return fairnessGate(input);
}

it('lets pass what is there at the price that may be, and says what it is', () => {
  expect(ask(exposure, { loss: 0.02, exposure: 0.19 })).toEqual({
    ...{ gate: 'fairness', passed: true, value: expect.closeTo(0.05, 12), threshold: 0.05 },
    reason: expect.stringMatching(/costs 5(\.0+)? ?% of NDCG@10; small-makers has 19(\.0+)? ?% of the exposure/),
  });
  expect(ask(fair, { loss: 0, exposure: 0.1, fair: 0.96 }).passed).toBe(true);
  expect(ask(undefined, null).passed).toBe(true);
});

it.each([
  ['too dear', exposure, { loss: 0.021, exposure: 0.3 }, /at most 5\.0 % may be/],
  ['not reached', exposure, { loss: 0, exposure: 0.189 }, /small-makers has 18.9 ?% of the exposure, at least 19(\.0+)? ?% is asked for/],
  [
    'too few slates',
    fair,
    { loss: 0, exposure: 0.9, fair: 0.94 },
    /94(\.0+)? ?% of the slates hold as many of small-makers as is asked, at least 95(\.0+)? ?% must/,
  ],
  ['not measured', exposure, null, /was not measured/],
])('refuses what is %s', (_what, rules, full, why) => {
  const { passed, reason } = ask(rules, full);
  expect(passed).toBe(false);
  expect(reason).toMatch(why);
});
