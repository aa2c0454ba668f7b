import { describe, expect, it } from 'vitest';
import { parseCharter } from '../../models/contracts/charter.ts';
import { diffCharters } from './charter-diff.ts';

type Json = { [key: string]: unknown };

const base: Json = {
  surface: 'home',
  title: 'Home',
  owners: ['me'],
  objective: 'conversion',
  reward: { weights: { purchase: 1 }, attributionMs: 1000 },
  confidence: { purchase: 1 },
  repeatPolicy: 'allow',
  scope: { inStockOnly: true, itemIdPattern: '^[0-9]+$', excludeItems: ['1', '2'], excludeCategories: ['alcohol'] },
  window: { trainDays: 30, gapDays: 2, testDays: 7 },
  data: { rules: [{ name: 'enough', measure: 'rows', min: 10, action: 'stop' }] },
  bootstrap: 'popularity',
  candidates: [{ name: 'popularity', algorithm: 'popularity' }],
  gates: {
    primaryMetric: 'ndcg@10',
    refreshMargin: 0.05,
    replaceLift: 0.1,
    minCoverage: 0.05,
    minUsers: 100,
    maxArtifactMb: 10,
    tournament: { margin: 0.01, cheapest: 'size' },
    minEffectiveSampleSize: 100,
    minDiversity: 0.5,
    minNovelty: 4,
    maxReplayedSlates: 8_000,
    withoutCounterfactualSupport: 'refuse',
  },
  release: {
    approvers: [
      { name: 'a', role: 'lead' },
      { name: 'b', role: 'lead' },
    ],
    fourEyes: true,
    rehearsal: { slates: 100, maxDurationMs: 60_000 },
    freezeWindows: [{ fromMs: 1_000, toMs: 2_000, reason: 'the sales of spring' }],
    canary: {
      shadowSlates: 50,
      ladder: [0.1, 0.5],
      minUnits: [10, 100],
      lookEveryMs: 100,
      maxDurationMs: 10_000,
      alpha: 0.01,
      refreshMargin: 0.1,
      maxErrorShare: 0.01,
      maxFallbackShare: 0.05,
      maxP99Ms: 150,
    },
  },
};

/** The base with one field set, or removed by `undefined`. */
function withField(path: string, value: unknown): Json {
  const copy = structuredClone(base);
  const keys = path.slice(1).split('/');
  let inner = copy;
  for (const key of keys.slice(0, -1)) inner = inner[key] as Json;
  const last = keys.at(-1) as string;
  if (value === undefined) delete inner[last];
  else inner[last] = value;
  return copy;
}
const diff = (path: string, value: unknown) => diffCharters(parseCharter(base), parseCharter(withField(path, value)));
const freeze = (...spans: [fromMs: number, toMs: number, reason?: string][]) =>
  spans.map(([fromMs, toMs, reason = 'a reason that is longer than the one before']) => ({ fromMs, toMs, reason }));

describe('a change that loosens', () => {
  it.each<[path: string, value: unknown, why: string]>([
    ['/scope/inStockOnly', false, 'sold out items are shown'],
    ['/scope/itemIdPattern', '.', 'other items match'],
    ['/scope/itemIdPattern', undefined, 'all items match'],
    ['/scope/excludeItems', ['1', '3'], 'an item comes back, though as many are excluded'],
    ['/scope/excludeCategories', [], 'a category comes back'],
    ['/window/gapDays', 1, 'the test comes nearer to what was trained on'],
    ['/window/testDays', 6, 'the test is shorter'],
    ['/reward/attributionMs', 2000, 'another measure'],
    ['/reward/weights/purchase', 2, 'another measure'],
    ['/data/rules', [], 'a rule is gone'],
    ['/gates/primaryMetric', 'mrr@20', 'another measure'],
    ['/gates/refreshMargin', 0.06, 'more may be lost'],
    ['/gates/replaceLift', 0.05, 'less must be won'],
    ['/gates/minCoverage', 0.01, 'fewer items'],
    ['/gates/minUsers', 99, 'fewer users'],
    ['/gates/maxArtifactMb', 11, 'larger'],
    ['/gates/tournament/margin', 0.02, 'one that is worse by more is taken'],
    ['/gates/minEffectiveSampleSize', 99, 'less support'],
    ['/gates/maxReplayedSlates', 7_000, 'less of the log is asked'],
    ['/gates/maxForeknowledge', 0.8, 'a model may know more of what came'],
    ['/gates/maxDiversityLoss', 0.2, 'diversity may cost more'],
    ['/gates/minDiversity', undefined, 'slates of much the same'],
    ['/gates/minNovelty', undefined, 'what everybody knows'],
    ['/gates/withoutCounterfactualSupport', 'pass', 'no support will do'],
    ['/release/fourEyes', false, 'one person'],
    ['/release/approvers', [...(base.release as { approvers: unknown[] }).approvers, { name: 'c', role: 'lead' }], 'another person'],
    ['/release/rehearsal/slates', 99, 'a shorter rehearsal'],
    ['/release/rehearsal/maxDurationMs', 59_000, 'a rehearsal that is cut short'],
    ['/release/freezeWindows', freeze([1_000, 1_001]), 'a millisecond is left of the freeze'],
    ['/release/freezeWindows', freeze([1_001, 5_000]), 'an instant at the begin has thawed'],
    ['/release/freezeWindows', freeze([1_000, 1_500], [1_501, 2_000]), 'an instant in between has thawed'],
    ['/release/freezeWindows', [], 'no freeze'],
    ['/release/canary/shadowSlates', 49, 'a shorter shadow'],
    ['/release/canary/ladder', [0.1, 0.4], 'another ladder'],
    ['/release/canary/minUnits', [9, 100_000], 'less at the first rung, more in the sum'],
    ['/release/canary/alpha', 0.02, 'more false alarms, more wrong promotions'],
    ['/release/canary/refreshMargin', 0.2, 'more may be lost'],
    ['/release/canary/maxErrorShare', 0.02, 'more errors'],
    ['/release/canary/maxFallbackShare', 0.06, 'more fallbacks'],
    ['/release/canary/maxP99Ms', 151, 'slower'],
  ])('%s %j: %s', (path, value) => {
    expect(diff(path, value)).toEqual([expect.objectContaining({ path, loosens: true })]);
  });
});

describe('a change that does not', () => {
  it.each<[path: string, value: unknown, why: string]>([
    ['/title', 'Other', 'limits nothing'],
    ['/scope/excludeItems', ['2', '1', '3'], 'one more, in another order'],
    ['/scope/excludeCategories', ['alcohol', 'knives'], 'one more'],
    ['/window/gapDays', 3, 'more distance'],
    ['/window/testDays', 8, 'a longer test'],
    ['/gates/minCoverage', 0.5, 'a higher bar'],
    ['/gates/maxReplayedSlates', 9_000, 'more of the log is asked'],
    ['/release/rehearsal/maxDurationMs', 70_000, 'more time'],
    ['/release/freezeWindows', freeze([1_000, 2_000, '']), 'a shorter reason'],
    ['/release/freezeWindows', freeze([1_500, 2_500], [900, 1_500]), 'the same time and more, in two spans'],
    ['/release/canary/minUnits', [10, 101], 'more at one rung, less at none'],
    ['/release/canary/maxDurationMs', 1_000, 'a canary that is cut short is rolled back'],
    ['/release/canary/maxDurationMs', 100_000, 'a canary may take its time'],
  ])('%s %j: %s', (path, value) => {
    expect(diff(path, value)).toEqual([expect.objectContaining({ path, loosens: false })]);
  });

  it('is a pattern for items where there was none', () => {
    expect(diffCharters(parseCharter(withField('/scope/itemIdPattern', undefined)), parseCharter(base))).toEqual([
      { path: '/scope/itemIdPattern', before: null, now: '^[0-9]+$', loosens: false },
    ]);
  });

  it('is none at all', () => expect(diffCharters(parseCharter(base), parseCharter(base))).toEqual([]));
});

it('what groups are owed and what is held back may be asked for at any time; what is asked already may only be changed with consent', () => {
  const asked = {
    fairness: { method: 'fa-ir', group: { name: 'small', by: 'brand', values: ['b'] }, share: 0.2 },
    guardrails: { sources: [{ name: 'classifier', staleAfterMinutes: 60 }], thresholds: [{ kind: 'hate', atLeast: 0.5 }] },
  };
  const loosened = (before: Json, now: Json) =>
    diffCharters(parseCharter({ ...base, ...before }), parseCharter({ ...base, ...now })).filter((one) => one.loosens);
  const { fairness, guardrails } = asked;
  expect(loosened({}, asked)).toEqual([]);
  expect(loosened({ guardrails: { sources: [] } }, { guardrails })).toEqual([]);
  expect(loosened(asked, {}).length).toBeGreaterThan(5);
  expect(loosened(asked, { ...asked, fairness: { ...fairness, share: 0.1 } }).map(({ path }) => path)).toEqual(['/fairness/share']);
  expect(loosened(asked, { ...asked, guardrails: { ...guardrails, thresholds: [{ kind: 'hate', atLeast: 0.9 }] } }).map(({ path }) => path)).toEqual([
    '/guardrails/thresholds',
  ]);
  expect(loosened(asked, { ...asked, guardrails: { ...guardrails, flags: [{ flag: 'alcohol', regions: ['SA'] }] } }).map(({ path }) => path)).toEqual([
    '/guardrails/flags',
  ]);
});

it('a ladder with fewer rungs asks less, by its own name and by that of the units', () => {
  const canary = { ...((base.release as Json).canary as Json), ladder: [0.1], minUnits: [10] };
  expect(diff('/release/canary', canary).map(({ path, loosens }) => [path, loosens])).toEqual([
    ['/release/canary/ladder', true],
    ['/release/canary/minUnits', true],
  ]);
});
