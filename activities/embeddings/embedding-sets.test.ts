import { expect, it, onTestFinished, vi } from 'vitest';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import { artifactManifest } from '../../models/contracts/artifact.ts';
import { canonicalJson, digestBytes } from '../../models/contracts/digest.ts';
import { type Recipe, recipe as recipeSchema, withoutStart } from '../../models/contracts/recipe.ts';
import { getDocument } from '../../stores/blobs.ts';
import { readLedger } from '../../stores/ledger.ts';
import { readEmbeddingSet } from '../../stores/embedding-sets.ts';
import type { PreparedRetrain } from '../api.ts';
import { quietBeat } from '../events/testing.ts';
import { openRanker } from '../evidence/ranker.ts';
import { sweepBlobs } from '../privacy/sweep.ts';
import { checkInputs } from '../rerun/check-inputs.ts';
import { trainCandidate } from '../training/train-candidate.ts';
import { addDays } from '../windows/days.ts';
import { givenEmbeddings } from './given-embeddings.ts';
import { openTrainings } from '../training/testing.ts';

vi.setConfig({ testTimeout: 120_000 });

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;
const days = 40;
const tastes = 3;
const window = { trainDays: 20, gapDays: 1, testDays: 3, rollingOrigins: 2 };
const happenings = [
  ...happeningsOf(drawPurchases({ users: 150, items: 60, tastes, faith: 0.9, perUser: 20, days, zipf: 0.5, fresh: 0, seed }), startMs),
  // Only the later window has it in its train part.
  ...Array.from({ length: 6 }, (_, number) => ({ user: `u${number * 3}`, item: 'novelty', atMs: startMs + 35.2 * dayMs })),
  { user: 'last', item: 'i1', atMs: startMs + (days - 0.01) * dayMs },
];
const candidates = [
  { name: 'factors', algorithm: 'ials', params: { factors: 8, sweeps: 5 } },
  { name: 'alike', algorithm: 'embedding-knn', embeddings: { of: 'factors' } },
];

/** A surface with a model that makes vectors and one that is made over them; something is live, so that both may be asked for. */
async function open() {
  const trainings = await openTrainings({ happenings, charter: { window, candidates, bootstrap: 'factors' }, nowMs: startMs + (days + 1) * dayMs });
  const { blobs, charterDigest, dataState, prepareAll } = trainings;
  const { generations } = trainings.context.state;
  await generations.create('deployment/home', 1, {
    ...{ kind: 'deployment', surface: 'home', generation: 1, replaces: 0, operationId: 'o', champion: charterDigest, championRelease: 'r' },
    ...{ previousChampion: null, canary: null, challenger: null, charter: charterDigest, catalog: dataState.catalog, fencedReleases: [], paused: false },
    ...{ createdAtMs: 0, author: { kind: 'bootstrap', name: 'test', reason: '' } },
  });
  const prepare = async (candidate: string) => (await prepareAll([candidate]))[0] as PreparedRetrain;
  const run = async (candidate: string) => {
    const work = await prepare(candidate);
    const trained = await trainings.train(work);
    return { work, trained, manifest: await getDocument(blobs, trained.artifact, artifactManifest) };
  };
  const recipeOf = ({ recipe }: PreparedRetrain): Promise<Recipe> => getDocument(blobs, recipe, recipeSchema);
  return { ...trainings, prepare, run, recipeOf };
}

it('one model makes a set, and another is made over it and names the same', async () => {
  const { context, until, run, recipeOf, blobs, measure, window: cut } = await open();
  await until(0);
  const factors = await run('factors');
  const version = factors.manifest.embeddings ?? '';
  const { set, ids, vectors } = await readEmbeddingSet(blobs, version);
  expect(set).toMatchObject({
    ...{ kind: 'embedding-set', surface: 'home', entity: 'item', dimensions: 8, count: ids.length, measure: 'dot' },
    ids: factors.manifest.files['vocabulary.json'],
    madeBy: { window: factors.work.window, recipe: factors.work.recipe, seed: 1 },
  });
  expect(version).toBe(digestBytes(canonicalJson(set)));
  expect(set.vectors).toBe(digestBytes(new Uint8Array(vectors.buffer)));
  expect(ids).toContain('novelty');
  expect(vectors).toHaveLength(ids.length * 8);

  const alike = await run('alike');
  expect((await recipeOf(alike.work)).embeddings).toEqual({ of: 'factors', set: version });
  expect(alike.manifest.embeddings).toBe(version);
  expect(alike.trained.parityPassed).toBe(true);
  // Again, it is the same to the bit.
  for (const { work, trained } of [factors, alike]) expect((await trainCandidate(context, work, quietBeat)).artifact).toBe(trained.artifact);
  const ranker = await openRanker(context.state, { artifact: alike.trained.artifact, allowed: () => true });
  onTestFinished(() => ranker.close());
  const ranked = await ranker.rank({ history: ['i0', 'i3', 'i6'], historyWeights: [1, 1, 1], exclude: ['i0', 'i3', 'i6'], count: 10 });
  expect(ranked.filter((item) => Number(item.slice(1)) % tastes === 0).length).toBeGreaterThanOrEqual(6);
  // What the vectors know of the days after an earlier split would be told there.
  const { origins } = await measure(alike.trained.artifact, factors.trained.artifact, { window: cut });
  expect(origins).toMatchObject({ splits: { length: 1 }, note: expect.stringContaining('one split') });
  const other = await measure(factors.trained.artifact, alike.trained.artifact, { window: cut });
  expect(other.origins).toMatchObject({ splits: { length: 2 }, note: expect.stringContaining('no lift') });
});

it('takes the newest set that knows nothing of what is to be foretold; a newer version of it is no other recipe', async () => {
  const { until, run, prepare, recipeOf, context, blobs } = await open();
  await until(3);
  await expect(prepare('alike')).rejects.toMatchObject({
    code: 'UND-INPUT',
    message: expect.stringMatching(/no run of factors .* has any: .*`understudy retrain home --candidate factors`/),
  });
  const older = await run('factors');
  const before = await run('alike');
  await until(0);
  const stale = await prepare('alike');
  expect((await recipeOf(stale)).embeddings?.set).toBe(older.manifest.embeddings);
  const newer = await run('factors');
  const after = await run('alike');
  expect((await recipeOf(after.work)).embeddings?.set).toBe(newer.manifest.embeddings);
  expect(newer.manifest.embeddings).not.toBe(older.manifest.embeddings);
  const [was, is] = [await recipeOf(before.work), await recipeOf(after.work)];
  expect(canonicalJson(withoutStart(is))).toBe(canonicalJson(withoutStart(was)));
  // Back at the older window, the newer set is no earlier one.
  await until(3);
  expect(await prepare('alike')).toEqual(before.work);
  // An item that is not in the set has no vector.
  const given = await givenEmbeddings(context.state, { set: older.manifest.embeddings ?? '', vocabulary: ['i0', 'novelty'] });
  const { ids, vectors } = await readEmbeddingSet(blobs, older.manifest.embeddings ?? '');
  const row = ids.indexOf('i0');
  expect([...given.vectors]).toEqual([...vectors.subarray(row * 8, row * 8 + 8), ...Array(8).fill(0)]);
});

it('a set that was learned from people who were erased since is given to nobody; one of days that are only too old is', async () => {
  const { context, until, run, prepare, prepareAll, recipeOf, blobs, dataState } = await open();
  await until(3);
  const older = await run('factors');
  await until(0);
  const newer = await run('factors');
  const alike = await run('alike');
  const sliceOf = (day: string) => dataState.slices.find((slice) => slice.day === day)?.digest ?? '';
  const windowFrom = (days: number) => sliceOf(addDays('2026-01-05', days));
  await blobs.erase(windowFrom(18), 'retention-home-2026-02-14');
  expect((await recipeOf(await prepare('alike'))).embeddings?.set).toBe(newer.manifest.embeddings);
  // In the train part of the newer window alone.
  await blobs.erase(windowFrom(35), 'er-0123456789abcdef01234567');
  expect((await recipeOf(await prepare('alike'))).embeddings?.set).toBe(older.manifest.embeddings);
  await expect(trainCandidate(context, alike.work, quietBeat)).rejects.toMatchObject({ code: 'UND-ERASED' });
  await blobs.erase(windowFrom(20), 'er-0123456789abcdef01234567');
  await expect(prepare('alike')).rejects.toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining('UND-ERASED') });
  // The others of the charter do not wait for it, and whoever asks for all is told.
  const all = await prepareAll();
  expect(all.map(({ candidate }) => candidate)).toEqual(['factors']);
  expect(await readLedger(context.state.generations, 'home')).toMatchObject([
    { action: 'candidate-left-out', detail: { candidate: 'alike', message: expect.stringContaining('understudy retrain home --candidate factors') } },
  ]);
});

it('nobody is in a set: the sweep for people leaves it, and a rerun says when it is not there', async () => {
  const { context, until, run, blobs, dataState } = await open();
  await until(0);
  const { manifest } = await run('factors');
  const { work } = await run('alike');
  const before = await readEmbeddingSet(blobs, manifest.embeddings ?? '');
  await blobs.drop(before.set.vectors);
  expect(await checkInputs(blobs, work)).toMatch(/^the vectors of factors: /);
  await expect(trainCandidate(context, work, quietBeat)).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
  await blobs.put(new Uint8Array(before.vectors.buffer));
  expect(await checkInputs(blobs, work)).toBeUndefined();
  const people = { userIds: happenings.map(({ user }) => user), sessionIds: happenings.map(({ user }) => `s-${user}`), deviceIds: [] };
  const gone = await sweepBlobs({ blobs, people, certificate: 'er-0123456789abcdef01234567', workDir: context.state.root });
  expect(gone).toContain(dataState.slices[0]?.digest);
  const found = await readEmbeddingSet(blobs, manifest.embeddings ?? '');
  expect(found.set.count).toBeGreaterThan(50);
});
