import { expect, it, onTestFinished, vi } from 'vitest';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import { putDocument } from '../../stores/blobs.ts';
import { retrainWorkflowId } from '../../models/contracts/messages.ts';
import { recipe as recipeSchema } from '../../models/contracts/recipe.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { PreparedRetrain } from '../api.ts';
import { openRanker } from '../evidence/ranker.ts';
import { openEvidence } from '../evidence/testing.ts';
import { quietBeat } from '../events/testing.ts';
import { evaluateCandidate } from '../evidence/evaluate-candidate.ts';
import { findRunRecord } from '../registry/runs.ts';
import { prepareRetrain } from '../windows/prepare-retrain.ts';
import { addDays } from '../windows/days.ts';
import { trainCandidate } from './train-candidate.ts';
import { warmFile } from './warm-start.ts';
import { artifactManifest } from '../../models/contracts/artifact.ts';
import { openTrainings } from './testing.ts';

vi.setConfig({ testTimeout: 120_000 });

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;
const days = 40;
const window = { trainDays: 20, gapDays: 1, testDays: 3 };
const params = { factors: 8, sweeps: 10 };
/** In the last days that are trained on, somebody new buys what nobody had seen, and things of one taste. */
const late = (item: string) => ({ user: 'newcomer', item, atMs: startMs + 35 * dayMs });
const happenings = [
  ...happeningsOf(drawPurchases({ users: 150, items: 60, tastes: 3, faith: 0.9, perUser: 20, days, zipf: 0.5, fresh: 0, seed }), startMs),
  ...['i0', 'i3', 'i6', 'novelty'].map(late),
  ...Array.from({ length: 12 }, (_, number) => ({ user: `u${number * 3}`, item: 'novelty', atMs: startMs + 35.2 * dayMs })),
  { user: 'last', item: 'i1', atMs: startMs + (days - 0.01) * dayMs },
];

/** A surface whose only candidate begins from earlier runs; `until` is how its data stood some days before. */
async function open(warmStart: Record<string, number> = {}) {
  const candidates = [{ name: 'ials', algorithm: 'ials', params, warmStart }];
  const trainings = await openTrainings({ happenings, charter: { window, candidates, bootstrap: 'ials' }, nowMs: startMs + (days + 1) * dayMs });
  const prepare = async () => (await trainings.prepareAll())[0] as PreparedRetrain;
  const startOf = async (work: PreparedRetrain) => (await getDocument(trainings.blobs, work.recipe, recipeSchema)).warmStart;
  return { ...trainings, prepare, run: trainings.train, startOf };
}

it('a later window begins where the run before it ended, and the same work is the same run', async () => {
  const { context, until, prepare, run, startOf, blobs, dataState } = await open();
  await until(3);
  const first = await prepare();
  expect(await startOf(first)).toEqual({ from: null, params: {} });
  const cold = await run(first);
  expect(cold.start).toMatchObject({ kind: 'cold', reason: 'no-earlier-run' });
  // Asked again, it is the run that there is, and does not begin from itself.
  expect(await prepare()).toEqual(first);

  await until(0);
  const second = await prepare();
  expect(await startOf(second)).toEqual({ from: cold.artifact, params: {} });
  const warm = await run(second);
  // What is new is the item that nobody had seen.
  expect(warm.start).toMatchObject({ kind: 'warm', from: cold.artifact, added: 1 });
  expect(await prepare()).toEqual(second);
  expect(retrainWorkflowId('home', second.window, second.recipe)).not.toBe(retrainWorkflowId('home', second.window, first.recipe));
  expect(warm.parityPassed).toBe(true);
  // The run says where it began; and it is a refresh of the one before, wherever that began.
  expect((await findRunRecord(context, retrainWorkflowId('home', second.window, second.recipe)))?.start).toEqual(warm.start);
  await context.state.generations.create('deployment/home', 1, {
    ...{
      kind: 'deployment',
      surface: 'home',
      generation: 1,
      replaces: 0,
      operationId: 'o',
      champion: cold.artifact,
      championRelease: 'r',
      previousChampion: null,
    },
    ...{ canary: null, challenger: null, charter: second.charter, catalog: dataState.catalog, fencedReleases: [], paused: false, createdAtMs: 0 },
    author: { kind: 'bootstrap', name: 'test', reason: '' },
  });
  const log = { segments: null, slates: 0 };
  expect((await evaluateCandidate(context, { retrain: second, trained: warm, log, sinceGeneration: 0 }, quietBeat)).intent).toBe('refresh');
  // A rerun gives the same bytes; what is kept serves nobody and does not count, nor do vectors.
  expect((await trainCandidate(context, second, quietBeat)).artifact).toBe(warm.artifact);
  const { files } = await getDocument(blobs, warm.artifact, artifactManifest);
  const served = Object.entries(files).filter(([name]) => name === 'vocabulary.json' || name.startsWith('recommend.'));
  const sizes = await Promise.all(served.map(async ([, file]) => (await blobs.get(file)).length));
  expect(warm.bytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
  expect(Object.keys(files)).toContain(warmFile);
});

it('who and what came only since is served by their own deeds: in the newer model, and a new user in the older one too', async () => {
  const { context, until, prepare, run } = await open();
  await until(3);
  const older = await run(await prepare());
  await until(0);
  const newer = await run(await prepare());
  const ask = async (artifact: string, history: string[]) => {
    const ranker = await openRanker(context.state, { artifact, allowed: () => true });
    onTestFinished(() => ranker.close());
    return ranker.rank({ history, historyWeights: history.map(() => 1), exclude: history, count: 10 });
  };
  const tasteOf = (item: string) => (item === 'novelty' ? 0 : Number(item.slice(1)) % 3);
  const ofTaste = (items: string[]) => items.filter((item) => tasteOf(item) === 0).length;
  for (const { artifact } of [older, newer]) {
    // The newcomer is in neither vocabulary of users: the graph folds the history in.
    expect(ofTaste(await ask(artifact, ['i0', 'i3', 'i6', 'novelty']))).toBeGreaterThanOrEqual(6);
    expect(await ask(artifact, ['i0', 'i3', 'i6', 'novelty'])).toHaveLength(10);
  }
  // What the older model has never seen says nothing to it, and is not answered; the newer one knows whose taste it is.
  expect(await ask(older.artifact, ['novelty'])).toEqual(await ask(older.artifact, []));
  expect(await ask(older.artifact, ['i0', 'i3'])).not.toContain('novelty');
  expect(ofTaste(await ask(newer.artifact, ['novelty']))).toBeGreaterThanOrEqual(6);
  const everything = await openRanker(context.state, { artifact: newer.artifact, allowed: () => true });
  onTestFinished(() => everything.close());
  const all = await everything.rank({ history: ['i0', 'i3', 'i6'], historyWeights: [1, 1, 1], exclude: [], count: 60 });
  expect(all.indexOf('novelty')).toBeGreaterThanOrEqual(0);
  expect(all.indexOf('novelty')).toBeLessThan(30);
});

it.each([
  ['source-missing', (artifact: string) => artifact.replace(/.{8}$/, '00000000')],
  ['source-erased', undefined],
] as const)('begins anew, and says %s, where there is nothing to begin from', async (reason, other) => {
  const { context, until, prepare, run, blobs } = await open();
  await until(3);
  const first = await run(await prepare());
  await until(0);
  const second = await prepare();
  const recipe = await getDocument(blobs, second.recipe, recipeSchema);
  let work = second;
  if (other !== undefined) work = { ...second, recipe: await putDocument(blobs, { ...recipe, warmStart: { from: other(first.artifact), params: {} } }) };
  else await blobs.erase(first.artifact, 'er-0123456789abcdef01234567');
  const trained = await trainCandidate(context, work, quietBeat);
  expect(trained.start).toMatchObject({ kind: 'cold', reason, why: expect.stringMatching(/^UND-(ERASED|NOT-FOUND): /) });
  // As if there had never been an earlier run.
  const { warmStart: _, ...plain } = recipe;
  const cold = await trainCandidate(context, { ...second, recipe: await putDocument(blobs, plain) }, quietBeat);
  const graphOf = async (artifact: string) => {
    const { files } = await getDocument(blobs, artifact, artifactManifest);
    return [files['recommend.onnx'], files['recommend.weights']];
  };
  expect(await graphOf(trained.artifact)).toEqual(await graphOf(cold.artifact));
});

it('does not begin from what was learned of people who were erased since; what is only too old does not matter', async () => {
  const { context, until, prepare, run, blobs, dataState } = await open();
  await until(3);
  await run(await prepare());
  await until(0);
  const second = await prepare();
  const old = dataState.slices.filter(({ day }) => day <= '2026-01-25');
  // Of the days that the second window does not have any more.
  const [aged, erased] = [old.find(({ day }) => day === addDays('2026-01-05', 13)), old.find(({ day }) => day === addDays('2026-01-05', 14))];
  await blobs.erase(aged?.digest ?? '', 'retention-home-2026-02-14');
  expect((await trainCandidate(context, second, quietBeat)).start).toMatchObject({ kind: 'warm' });
  await blobs.erase(erased?.digest ?? '', 'er-0123456789abcdef01234567');
  expect((await trainCandidate(context, second, quietBeat)).start).toMatchObject({ kind: 'cold', reason: 'source-erased' });
});

it('begins anew where most of what happened is of other items', async () => {
  const { context, until, prepare, run, blobs } = await open();
  await until(3);
  const first = await run(await prepare());
  await until(0);
  const second = await prepare();
  // An artifact of the same recipe that knew two items.
  const manifest = await getDocument(blobs, first.artifact, artifactManifest);
  const recipe = await getDocument(blobs, second.recipe, recipeSchema);
  const small = await putDocument(blobs, {
    ...manifest,
    itemCount: 2,
    files: { ...manifest.files, 'vocabulary.json': await blobs.put(JSON.stringify(['i0', 'i1'])) },
  });
  const hex = small.slice('sha256:'.length);
  const record = await context.state.generations.latest(`parity/${first.artifact.slice('sha256:'.length)}`);
  await context.state.generations.create(`parity/${hex}`, 1, { ...(record?.document as object), artifact: small });
  const work = { ...second, recipe: await putDocument(blobs, { ...recipe, warmStart: { from: small, params: {} } }) };
  expect((await trainCandidate(context, work, quietBeat)).start).toMatchObject({ kind: 'cold', reason: 'little-in-common' });
});

it('a charter that asks it of an algorithm that cannot, or with parameters that do not fit, is refused', async () => {
  const { until, prepare } = await open({ sweeps: 0 });
  await until(0);
  await expect(prepare()).rejects.toMatchObject({ code: 'UND-INPUT' });
  const evidence = await openEvidence({
    happenings,
    charter: { window, candidates: [{ name: 'popularity', algorithm: 'popularity', warmStart: {} }], bootstrap: 'popularity' },
    nowMs: startMs + (days + 1) * dayMs,
  });
  onTestFinished(() => evidence.close());
  await evidence.context.state.generations.create('data/home', 1, evidence.dataState);
  const charter = await putDocument(evidence.context.state.blobs, evidence.charter);
  const request = { surface: 'home', charter, candidates: null, guest: null };
  await expect(prepareRetrain(evidence.context, request, quietBeat)).rejects.toMatchObject({
    code: 'UND-INPUT',
    message: expect.stringContaining('popularity'),
  });
});
