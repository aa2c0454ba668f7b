import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { defaultLimits } from '../experiments/counterfactual/single-slot/limits.ts';
import { makeDecisionWorld } from '../experiments/simulator/decision-world.ts';
import { canaryCells } from '../experiments/study/canary-cells.ts';
import { decisionCells } from '../experiments/study/decision-cells.ts';
import { renderStudy } from '../experiments/study/render-study.ts';
import { slateCells } from '../experiments/study/slate-cells.ts';
import { failuresOf, formatResults, type StudyResults } from '../experiments/study/study-results.ts';
import { digestOf } from './study-rules.ts';

const docs = (name: string) => readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8');
const results = JSON.parse(docs('study.json')) as StudyResults;

it('the page is what the command writes of its results, of all cells, each with the replications that are promised', () => {
  expect(docs('study.md')).toBe(renderStudy(results));
  expect(docs('study.json')).toBe(formatResults(results));
  expect(results.limits).toEqual(defaultLimits);
  const ids = (cells: readonly { id: string }[]) => cells.map(({ id }) => id).sort();
  expect(Object.keys(results.decisions).sort()).toEqual(ids(decisionCells));
  expect(Object.keys(results.slates).sort()).toEqual(ids(slateCells));
  expect(Object.keys(results.canaries).sort()).toEqual(ids(canaryCells));
  for (const { tally } of Object.values(results.decisions)) expect(tally.replications).toBe(10_000);
  for (const { id, replications } of slateCells) expect(results.slates[id]?.tally.replications).toBe(replications);
  for (const { id, runs } of canaryCells) expect(results.canaries[id]?.tally.runs).toBe(runs);
});

it.each(['few-items', 'common-better', 'short', 'slates-short', 'worse-50'])('the page is not stale in %s (else: npm run study -- --stale)', async (id) => {
  const cells: Record<string, { digest: string }> = { ...results.decisions, ...results.slates, ...results.canaries };
  expect(await digestOf(id, results.seed)).toBe(cells[id]?.digest);
});

it('the page is of the worlds that the cells make now', () => {
  for (const cell of decisionCells) {
    const { lift, essShare } = makeDecisionWorld(cell.settings).truth;
    expect(results.decisions[cell.id]?.truth.lift).toBeCloseTo(lift, 9);
    expect(results.decisions[cell.id]?.truth.essShare).toBeCloseTo(essShare, 6);
  }
});

it('what is asked of verdicts on single decisions and on slates holds', () => {
  expect(failuresOf({ ...results, canaries: {} })).toEqual([]);
});
