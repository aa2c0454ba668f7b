import { expect, it, onTestFinished, vi } from 'vitest';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import type { CharterInput } from '../../models/contracts/charter.ts';
import type { CandidateSubmission } from '../../models/contracts/release.ts';
import { report as reportSchema } from '../../models/contracts/report.ts';
import { tournament } from '../../models/contracts/tournament.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import { readLedger } from '../../stores/ledger.ts';
import type { PreparedRetrain } from '../api.ts';
import { quietBeat } from '../events/testing.ts';
import { evaluateCandidate } from '../evidence/evaluate-candidate.ts';
import { openEvidence } from '../evidence/testing.ts';
import { recordRun } from '../registry/runs.ts';
import { readRecipe, trainCandidate } from '../training/train-candidate.ts';
import { freezeRecipe } from '../windows/prepare-retrain.ts';
import { chooseContenders } from './contenders.ts';

vi.setConfig({ testTimeout: 120_000 });

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const days = 30;
const happenings = happeningsOf(drawPurchases({ users: 150, items: 60, tastes: 6, faith: 0.9, perUser: 20, days, zipf: 0.3, fresh: 0, seed }), startMs);
const candidates = [
  { name: 'small', algorithm: 'ials', params: { factors: 8, sweeps: 4 } },
  { name: 'large', algorithm: 'ials', params: { factors: 12, sweeps: 40 } },
  { name: 'popularity', algorithm: 'popularity' },
];

/** Three candidates that were trained, evaluated and recorded as runs are, by a charter with these gates. */
async function open({ gates = {}, challengers = 1 }: { gates?: CharterInput['gates']; challengers?: number } = {}) {
  const release = { approvers: [{ name: 'test', role: 'ml-lead' }], canary: { ladder: [0.5], minUnits: [1] }, challengers };
  const charter: Partial<CharterInput> = { window: { trainDays: 24, gapDays: 1, testDays: 5 }, candidates, gates, release };
  const evidence = await openEvidence({ happenings, charter, nowMs: startMs + (days + 1) * 86_400_000 });
  onTestFinished(() => evidence.close());
  const { context, window } = evidence;
  const { blobs } = context.state;
  const work = { surface: 'home', window: await putDocument(blobs, window), charter: await putDocument(blobs, evidence.charter) };
  const log = { segments: null, slates: 0 };
  const submissions: CandidateSubmission[] = [];
  for (const candidate of evidence.charter.candidates) {
    const recipe = await freezeRecipe(context, evidence.charter, candidate);
    const retrain: PreparedRetrain = { ...work, candidate: candidate.name, recipe: await putDocument(blobs, recipe) };
    const trained = await trainCandidate(context, retrain, quietBeat);
    const evaluated = await evaluateCandidate(context, { retrain, trained, log, sinceGeneration: 0 }, quietBeat);
    // So much they took, by the clock of no machine.
    const timed = { ...trained, trainSeconds: { small: 2, large: 50 }[candidate.name] ?? 1 };
    const registered = { mlflowRunId: 'm', modelVersion: '1' };
    const { runId, artifact, report } = await recordRun(
      context,
      { retrain, trained: timed, log, evaluated, registered },
      await readRecipe(context, retrain.recipe),
    );
    submissions.push({ surface: 'home', runId, candidate: candidate.name, artifact, report });
  }
  const nameOf = (runId: string) => submissions.find((one) => one.runId === runId)?.candidate;
  const choose = async () => {
    const { chosen, left } = await chooseContenders(context, { submissions });
    return { chosen: chosen.map(nameOf), left: Object.fromEntries(left.map(({ runId, why }) => [nameOf(runId), why])) };
  };
  const scores = Object.fromEntries(
    await Promise.all(submissions.map(async ({ candidate, report }) => [candidate, await getDocument(blobs, report, reportSchema)] as const)),
  );
  return { context, choose, reports: scores, ledger: () => readLedger(context.state.generations, 'home') };
}

it('with a tournament in the charter the cheapest of those near the best goes on, and the ledger says why with the figures; asked again it says the same', async () => {
  // Wide enough that the two of a kind are near each other whatever the seed, and popularity near neither.
  const { choose, ledger, reports } = await open({ gates: { tournament: { margin: 0.4 } } });
  const choice = await choose();
  expect(choice.chosen).toEqual(['small']);
  const [entry, ...more] = await ledger();
  expect(more).toEqual([]);
  expect(entry).toMatchObject({ action: 'tournament', surface: 'home' });
  const held = tournament.parse(entry?.detail);
  expect(choice.left).toEqual({
    large: `one candidate of a request goes on (gates.tournament): ${held.message}`,
    popularity: `one candidate of a request goes on (gates.tournament): ${held.message}`,
  });
  expect(held.message).toMatch(/^small 0\.\d{4} \[.*\]; .*large 0\.\d{4} is not better.* and costs 25 times the training.*: small$/);
  expect(held.message).toMatch(/popularity 0\.\d{4} may be worse than (small|large) by more than/);
  for (const { candidate, quality, trainSeconds, bytes, p50Ms, p99Ms } of held.entries) {
    expect(quality).toEqual(reports[candidate]?.metrics['ndcg@10']);
    expect(trainSeconds).toBe({ small: 2, large: 50, popularity: 1 }[candidate]);
    expect(bytes).toBeGreaterThan(1_000);
    expect(p50Ms).toBeGreaterThan(0);
    expect(p99Ms).toBeGreaterThanOrEqual(p50Ms);
  }
  expect(await choose()).toEqual(choice);
  expect(await ledger()).toHaveLength(1);
});

it('where several go on they are the best ones, and the table stands there too', async () => {
  const { choose, ledger } = await open({ gates: { tournament: { margin: 0.4 } }, challengers: 2 });
  expect((await choose()).chosen.toSorted()).toEqual(['large', 'small']);
  expect(tournament.parse((await ledger())[0]?.detail).entries.map(({ isTaken }) => isTaken)).toEqual([true, true, false]);
});

it('without one the best goes on, reports say nothing of it, and neither does the ledger', async () => {
  const { choose, ledger, reports } = await open();
  const scoreOf = (name: string) => reports[name]?.metrics['ndcg@10']?.value ?? 0;
  const best = scoreOf('large') > scoreOf('small') ? 'large' : 'small';
  const { chosen, left } = await choose();
  expect(chosen).toEqual([best]);
  expect(left.popularity).toBe(
    `one candidate of a request goes on (release.challengers): ${best} has ${scoreOf(best).toFixed(4)} of ndcg@10, and this one ${scoreOf('popularity').toFixed(4)}`,
  );
  for (const one of Object.values(reports)) expect(Object.keys(one)).not.toContain('userSums');
  expect(await ledger()).toEqual([]);
});
