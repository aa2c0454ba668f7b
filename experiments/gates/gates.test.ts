import { describe, expect, it } from 'vitest';
import { parseCharter } from '../../models/contracts/charter.ts';
import type { CounterfactualResult } from '../../models/contracts/counterfactual.ts';
import type { Report } from '../../models/contracts/report.ts';
import type { GateInput } from './gate.ts';
import { judgeReport } from './judge-report.ts';

const charterInput = {
  surface: 'home',
  title: 'Home',
  owners: ['me'],
  objective: 'conversion',
  reward: { weights: { purchase: 1 }, attributionMs: 1000 },
  confidence: { purchase: 1 },
  repeatPolicy: 'allow',
  window: { trainDays: 30, testDays: 7 },
  bootstrap: 'popularity',
  candidates: [{ name: 'popularity', algorithm: 'popularity' }],
  gates: { minCoverage: 0.05, minUsers: 100, maxArtifactMb: 10, refreshMargin: 0.05 },
  release: {
    approvers: [
      { name: 'a', role: 'lead' },
      { name: 'b', role: 'lead' },
    ],
    fourEyes: true,
    canary: { ladder: [0.1], minUnits: [10] },
  },
};
const charter = parseCharter(charterInput);
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const at = (value: number, spread = 0) => ({ value, low: value - spread, high: value + spread });
const counterfactual = (verdict: CounterfactualResult['verdict']): CounterfactualResult => ({
  slates: 1,
  users: 1,
  ips: at(0),
  snips: at(0),
  logged: at(0),
  lift: at(0),
  effectiveSampleSize: 500,
  maxWeight: 1,
  support: 1,
  voided: 0,
  verdict,
  reason: 'because',
});

function input(over: Partial<GateInput['draft']> = {}, artifactBytes = 1e6, gates = charter.gates): GateInput {
  return {
    charter: { gates },
    artifactBytes,
    draft: {
      kind: 'report',
      surface: 'home',
      candidate: 'ials',
      algorithm: 'ials',
      artifact: digest('a'),
      champion: digest('b'),
      window: digest('c'),
      charter: digest('d'),
      charterDiff: [],
      intent: 'replace',
      users: 500,
      metrics: { 'ndcg@10': at(0.2), 'coverage@10': at(0.3), 'diversity@10': at(0.6), 'novelty@10': at(5) },
      championMetrics: { 'ndcg@10': at(0.1) },
      lift: { 'ndcg@10': at(0.1, 0.02) },
      counterfactual: counterfactual('better'),
      parity: { requests: 20, largestError: 1e-7, passed: true },
      leak: [{ check: 'train-rows', passed: true, reason: 'none' }],
      ...over,
    },
  };
}
/** The weight .3 leaves so much of the .2 that there is without. */
function frontierWith(ndcg: number): NonNullable<Report['frontier']> {
  const point = (weight: number, value: number) => ({ weight, metrics: { 'ndcg@10': at(value) }, lift: { 'ndcg@10': at(value - 0.2) } });
  return { users: 500, depth: 50, chosen: 0.3, points: [point(0, 0.2), point(0.3, ndcg)] };
}
const refusedBy = (report: Report) => report.gates.filter((gate) => !gate.passed).map((gate) => gate.gate);

describe('gates', () => {
  it('lets a better candidate pass and says why', () => {
    const report = judgeReport(input());
    expect(report).toMatchObject({ passed: true, verdict: 'better' });
    expect(report.reasons.join()).toContain('offline-lift');
  });

  it.each([
    ['parity', input({ parity: { requests: 20, largestError: 0.5, passed: false } })],
    ['size', input({}, 11e6)],
    ['users', input({ users: 99 })],
    ['leak', input({ leak: [{ check: 'train-rows', passed: false, reason: 'some' }] })],
    ['coverage', input({ metrics: { 'ndcg@10': at(0.2), 'coverage@10': at(0.04) } })],
    ['beyond-accuracy', input({ frontier: frontierWith(0.17) })],
    ['beyond-accuracy', input({}, 1e6, { ...charter.gates, minDiversity: 0.61 })],
    ['beyond-accuracy', input({}, 1e6, { ...charter.gates, minNovelty: 5.1 })],
    ['offline-lift', input({ lift: { 'ndcg@10': at(0.01, 0.02) } })],
    ['counterfactual', input({ counterfactual: counterfactual('worse') })],
  ])('%s alone refuses', (gate, one) => {
    const report = judgeReport(one);
    expect(refusedBy(report)).toEqual([gate]);
    expect(report.passed).toBe(false);
    expect(report.reasons).toHaveLength(1);
  });

  it('asks of a refresh only that it is not worse than the margin', () => {
    expect(judgeReport(input({ intent: 'refresh', lift: { 'ndcg@10': at(0, 0.0049) } })).passed).toBe(true);
    expect(refusedBy(judgeReport(input({ intent: 'refresh', lift: { 'ndcg@10': at(0, 0.0051) } })))).toEqual(['offline-lift']);
  });

  it('asks of the first model nothing that needs a champion', () => {
    expect(judgeReport(input({ intent: 'bootstrap', champion: null, championMetrics: null, lift: null, counterfactual: null }))).toMatchObject({
      passed: true,
      verdict: 'not-enough-evidence',
    });
  });

  it('lets diversity cost what the charter allows, and says what it costs', () => {
    const report = judgeReport(input({ frontier: frontierWith(0.181) }));
    expect(report.passed).toBe(true);
    expect(report.gates.find(({ gate }) => gate === 'beyond-accuracy')?.reason).toBe(
      'diversity 0.600, novelty 5.00 bits; re-ranking with weight 0.3 costs 9.5 % of NDCG@10',
    );
  });

  it('lets the charter say what missing counterfactual evidence means', () => {
    const strict = { ...charter.gates, withoutCounterfactualSupport: 'refuse' as const };
    for (const evidence of [null, counterfactual('not-enough-evidence')]) {
      expect(judgeReport(input({ counterfactual: evidence })).passed).toBe(true);
      expect(refusedBy(judgeReport(input({ counterfactual: evidence }, 1e6, strict)))).toEqual(['counterfactual']);
    }
  });
});
