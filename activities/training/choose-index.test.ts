import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import type { Interactions, Model } from '../../models/algorithms/algorithm.ts';
import { checkCandidates } from '../../models/algorithms/registry.ts';
import { artifactManifest, type IndexConstraint, indexChoice, type RetrievalWay } from '../../models/contracts/artifact.ts';
import { makeParityRecord, mixedHistories } from '../../models/graph/parity.ts';
import { openRecommendGraph } from '../../models/graph/session.ts';
import { createRandom } from '../../models/random.ts';
import { loadArtifact } from '../../stores/artifacts.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import { chooseIndex, findIndexMeasurements, listedParity, measureIndexes } from './choose-index.ts';
import { openTrainings } from './testing.ts';
import { productModel } from './testing-product-model.ts';

vi.setConfig({ testTimeout: 120_000 });

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const days = 20;
const happenings = happeningsOf(drawPurchases({ users: 80, items: 60, tastes: 6, faith: 0.9, perUser: 20, days, zipf: 0.3, fresh: 0, seed }), startMs);
const lenient: IndexConstraint = { recallAt100: 0.99, p99Ms: 10_000, memoryMb: 500 };

async function open(index?: IndexConstraint) {
  const candidates = [{ name: 'ials', algorithm: 'ials', params: { factors: 8, sweeps: 3 }, ...(index && { index }) }];
  const window = { trainDays: 14, gapDays: 1, testDays: 3 };
  const trainings = await openTrainings({ happenings, charter: { window, candidates, bootstrap: 'ials' }, nowMs: startMs + (days + 1) * 86_400_000 });
  await trainings.until(0);
  const [work] = await trainings.prepareAll();
  if (work === undefined) throw new Error('nothing was prepared');
  return { ...trainings, work, state: trainings.context.state };
}

type Opened = Awaited<ReturnType<typeof open>>;
const manifestOf = async ({ state }: Opened, artifact: string) => getDocument(state.blobs, artifact, artifactManifest);
const choiceOf = async (opened: Opened, artifact: string) =>
  getDocument(opened.state.blobs, (await manifestOf(opened, artifact)).files['index.json'] ?? '', indexChoice);

describe('an artifact', () => {
  it('has no index where nobody asked for one', async () => {
    const opened = await open();
    const { artifact } = await opened.train(opened.work);
    expect(Object.keys((await manifestOf(opened, artifact)).files).sort()).toEqual(['recommend.onnx', 'vocabulary.json']);
    expect(await findIndexMeasurements(opened.state, opened.work)).toBeUndefined();
    expect(await opened.state.generations.series('index/')).toEqual([]);
  });

  it('finds its items in the way that was chosen, the table of what was measured stands beside it, and trained again it is the same', async () => {
    const opened = await open(lenient);
    const { artifact, parityPassed } = await opened.train(opened.work);
    expect(parityPassed).toBe(true);
    const table = await findIndexMeasurements(opened.state, opened.work);
    expect(table).toMatchObject({ constraint: lenient, items: 60, window: opened.work.window, recipe: opened.work.recipe });
    expect(table?.measured.map(({ way, name }) => way?.way ?? name.split(',')[0])).toEqual(['exact', 'exact-8bit', 'exact-4bit', 'usearch HNSW']);
    expect(table?.measured.at(-1)?.objections).toContain('no graph holds it');
    for (const one of table?.measured.slice(0, 3) ?? []) expect(one).toMatchObject({ recallAt100: 1, agreementAt20: 1, objections: [] });
    expect(await choiceOf(opened, artifact)).toEqual({ kind: 'index', retrieval: table?.chosen });
    expect((await opened.train(opened.work)).artifact).toBe(artifact);
    expect(await findIndexMeasurements(opened.state, opened.work)).toEqual(table);
  });

  it('is trained again with what was chosen then, whatever would be chosen now', async () => {
    const first = await open(lenient);
    await first.train(first.work);
    const table = await findIndexMeasurements(first.state, first.work);
    const [series] = await first.state.generations.series('index/');
    // As another machine would have measured it.
    const other: RetrievalWay = table?.chosen.way === 'exact-4bit' ? { way: 'exact-8bit', rerank: 2 } : { way: 'exact-4bit', rerank: 5 };
    const again = await open(lenient);
    expect(again.work).toEqual(first.work);
    const measurements = await putDocument(again.state.blobs, { ...table, chosen: other });
    await again.state.generations.create(series ?? '', 1, { kind: 'index', measurements });
    const { artifact, parityPassed } = await again.train(again.work);
    expect(parityPassed).toBe(true);
    expect(await choiceOf(again, artifact)).toEqual({ kind: 'index', retrieval: other });
    const { graphPath, manifest, parity } = await loadArtifact({ ...again.state, digest: artifact });
    const graph = await openRecommendGraph({ path: graphPath, itemCount: manifest.itemCount, maxHistory: manifest.maxHistory });
    onTestFinished(() => graph.close());
    const [request] = parity.requests;
    expect((await graph.recommend({ history: [], historyWeight: [], exclude: [], count: 20 })).items).toEqual(request?.items);
  });

  it('looks at every item in float32 where nothing gives what was asked for, and the table says why', async () => {
    const opened = await open({ ...lenient, p99Ms: 1e-6 });
    const { artifact } = await opened.train(opened.work);
    expect(await choiceOf(opened, artifact)).toEqual({ kind: 'index', retrieval: { way: 'exact' } });
    const table = await findIndexMeasurements(opened.state, opened.work);
    expect(table?.why).toBe('no way gives what was asked for');
    for (const { objections } of table?.measured ?? []) expect(objections.join()).toContain('ms at the 99th percentile');
  });
});

it('a charter that asks for an index where there is nothing to choose is refused', () => {
  const mistakes = checkCandidates({
    candidates: ['popularity', 'ials', 'guest'].map((algorithm) => ({ name: algorithm, algorithm, index: lenient, params: { folder: 'f' } })),
  });
  expect(mistakes.filter(({ path }) => path.endsWith('/index')).map(({ path }) => path)).toEqual(['/candidates/0/index', '/candidates/2/index']);
});

/** Large enough for cells, trained in no time: the items' vectors lie around points, and a history asks for what is like it. */
function largeModel(itemCount = 21_000, width = 12): { model: Model; interactions: Interactions } {
  const random = createRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float());
  const centers = Float64Array.from({ length: 100 * width }, normal);
  const vectors = Float32Array.from({ length: (itemCount + 1) * width }, (_, place) =>
    place < itemCount * width ? (centers[(Math.floor(place / width) % 100) * width + (place % width)] as number) + 0.3 * normal() : 0,
  );
  const users = 100;
  const items = Uint32Array.from({ length: users * 6 }, (_, entry) => random.below(itemCount / 100) * 100 + (Math.floor(entry / 6) % 100));
  const indptr = Uint32Array.from({ length: users + 1 }, (_, user) => user * 6);
  return {
    model: productModel({ vectors, width }),
    interactions: { userCount: users, itemCount, indptr, items, weights: new Float32Array(items.length).fill(1), atMs: new Float64Array(items.length) },
  };
}

it('measures cells where there are many items, and holds replicas to what a graph with lists answers as long as that is what its trainer does', async () => {
  const { model, interactions } = largeModel();
  const { itemCount } = interactions;
  const { measured } = await measureIndexes({ constraint: lenient, model, interactions, seed });
  const lists = measured.filter(({ way }) => way?.way === 'inverted-lists');
  expect(lists.length).toBeGreaterThan(0);
  const enough = lists.at(-1);
  expect(enough?.recallAt100).toBeGreaterThanOrEqual(0.99);
  expect(measured.find(({ way }) => way === null)).toMatchObject({ objections: ['no graph holds it'] });

  const histories = mixedHistories({ interactions, maxHistory: 10, seed, count: 20 });
  const record = makeParityRecord({ model, itemCount, maxHistory: 10, seed, histories });
  const held = async (retrieval: RetrievalWay, of = record) => {
    const graph = await openRecommendGraph({ ...model.exportGraph({ retrieval }), itemCount, maxHistory: 10 });
    try {
      return await listedParity(graph, of);
    } finally {
      await graph.close();
    }
  };
  const way: RetrievalWay = enough?.way ?? { way: 'exact' };
  expect((await held(way)).requests).toHaveLength(record.requests.length);
  expect(await held(way)).not.toBe(record);
  // One that finds too little, and one whose scores are others, have their trainer's answers against them.
  expect(await held({ way: 'inverted-lists', cellItems: 128, probes: 1, seed: 1 })).toBe(record);
  const wrong = { ...record, requests: record.requests.map((request) => ({ ...request, scores: request.scores.map((score) => 1.1 * score) })) };
  expect(await held(way, wrong)).toBe(wrong);
});

it('who comes second with a choice is given the first one', async () => {
  const opened = await open(lenient);
  const { model, interactions } = largeModel(300);
  const choose = () => chooseIndex({ state: opened.state, work: opened.work, constraint: lenient, model, interactions, seed });
  const [first, second] = await Promise.all([choose(), choose()]);
  expect(second).toEqual(first);
  expect((await findIndexMeasurements(opened.state, opened.work))?.chosen).toEqual(first.retrieval);
});
