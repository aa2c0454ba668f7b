import { describe, expect, it, vi } from 'vitest';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import type { Interactions, Model } from '../../models/algorithms/algorithm.ts';
import { checkCandidates } from '../../models/algorithms/registry.ts';
import { artifactManifest, type IndexConstraint, indexChoice, weightsFile } from '../../models/contracts/artifact.ts';
import type { CharterInput } from '../../models/contracts/charter.ts';
import { graphWeights } from '../../models/graph/graph-weights.ts';
import { createRandom } from '../../models/random.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import { chooseIndex, findIndexMeasurements } from './choose-index.ts';
import { openTrainings } from './testing.ts';
import { productModel } from './testing-product-model.ts';

vi.setConfig({ testTimeout: 120_000 });

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const days = 20;
/** Tastes that are easily told apart, so that what a vector is rounded by changes little. */
const shop = { users: 600, items: 1000, tastes: 20, faith: 0.95, perUser: 40, days, zipf: 1, fresh: 0, seed };
const happenings = happeningsOf(drawPurchases(shop), startMs);
const lenient: IndexConstraint = { recallAt100: 0.9, p99Ms: 10_000, memoryMb: 500 };
type Candidate = NonNullable<CharterInput['candidates']>[number];

async function open(more: Partial<Candidate>) {
  const candidates = [{ name: 'ials', algorithm: 'ials', params: { factors: 64, sweeps: 3 }, ...more }];
  const window = { trainDays: 14, gapDays: 1, testDays: 3 };
  const trainings = await openTrainings({ happenings, charter: { window, candidates, bootstrap: 'ials' }, nowMs: startMs + (days + 1) * 86_400_000 });
  await trainings.until(0);
  const [work] = await trainings.prepareAll();
  if (work === undefined) throw new Error('nothing was prepared');
  return { ...trainings, work, state: trainings.context.state };
}

type Opened = Awaited<ReturnType<typeof open>>;

async function trained(opened: Opened) {
  const { blobs } = opened.state;
  const { artifact, parityPassed, bytes } = await opened.train(opened.work);
  expect(parityPassed).toBe(true);
  const { files } = await getDocument(blobs, artifact, artifactManifest);
  const choice = files['index.json'] && (await getDocument(blobs, files['index.json'], indexChoice));
  const graph = await blobs.get(files['recommend.onnx'] ?? '');
  const beside = files[weightsFile] === undefined ? 0 : (await blobs.get(files[weightsFile])).length;
  return {
    artifact,
    bytes,
    choice,
    graphBytes: graph.length + beside,
    weights: graphWeights(graph),
    table: await findIndexMeasurements(opened.state, opened.work),
  };
}

describe('an artifact', () => {
  it('is a quarter of the size where its charter says so, what stayed the same is recorded, and trained again it is the same', async () => {
    const float = await trained(await open({ weights: 'float32' }));
    expect(float).toMatchObject({ choice: undefined, table: undefined });
    const opened = await open({ weights: '8-bit' });
    const small = await trained(opened);
    expect(small.choice).toEqual({ kind: 'index', retrieval: { way: 'exact-8bit', rerank: 2 }, weights: '8-bit' });
    expect(small.graphBytes).toBeLessThan(0.3 * float.graphBytes);
    expect(small.bytes).toBeLessThan(float.bytes - 0.7 * float.graphBytes);
    expect(small.weights.find(({ name }) => name === 'item_factors_codes')).toMatchObject({ type: 'uint8' });
    expect(small.table).toMatchObject({ weights: '8-bit', chosen: { way: 'exact-8bit' }, measured: [{ way: { way: 'exact' } }, { weights: '8-bit' }] });
    expect(small.table?.constraint).toBeUndefined();
    const [before, after] = small.table?.measured ?? [];
    expect([before?.bytes, after?.bytes]).toEqual([float.graphBytes, small.graphBytes]);
    expect(after?.agreementAt20).toBeGreaterThanOrEqual(0.99);
    expect((await trained(opened)).artifact).toBe(small.artifact);
  });

  it('is found its items in by the way that is chosen among those over 8 bits, where its charter asks for an index too', async () => {
    const { choice, table } = await trained(await open({ weights: '8-bit', index: lenient }));
    const kept = table?.measured.map(({ way, weights }) => [way?.way ?? 'library', weights ?? 'float32']);
    expect(kept).toEqual([
      ['exact', 'float32'],
      ['exact-8bit', '8-bit'],
      ['exact-4bit', '8-bit'],
      ['library', 'float32'],
    ]);
    expect(choice).toEqual({ kind: 'index', retrieval: table?.chosen, weights: '8-bit' });
    expect(['exact-8bit', 'exact-4bit']).toContain(table?.chosen.way);
  });

  it('is trained again in what it was kept in then, whatever would be chosen now', async () => {
    const first = await open({ weights: '8-bit' });
    const { table } = await trained(first);
    const [series] = await first.state.generations.series('index/');
    const again = await open({ weights: '8-bit' });
    expect(again.work).toEqual(first.work);
    const { weights: _, ...refused } = { ...table, chosen: { way: 'exact' }, why: 'it lost too much there' };
    await again.state.generations.create(series ?? '', 1, { kind: 'index', measurements: await putDocument(again.state.blobs, refused) });
    const { choice, weights } = await trained(again);
    expect(choice).toEqual({ kind: 'index', retrieval: { way: 'exact' } });
    expect(weights.find(({ name }) => name === 'item_factors')).toMatchObject({ type: 'float32' });
  });
});

/** Items that differ by what is far smaller than what they have in common: 8 bits of a block whose largest number is 20 hold nothing below .07. */
function plantedModel({ alike, width = 32, itemCount = 800 }: { alike: number; width?: number; itemCount?: number }): {
  model: Model;
  interactions: Interactions;
} {
  const random = createRandom(seed);
  const vectors = Float32Array.from({ length: (itemCount + 1) * width }, (_, place) => {
    if (place >= itemCount * width) return 0;
    return place % width === 0 ? alike : 0.14 * random.float() - 0.07;
  });
  const users = 60;
  const items = Uint32Array.from({ length: users * 5 }, () => random.below(itemCount));
  const indptr = Uint32Array.from({ length: users + 1 }, (_, user) => user * 5);
  const entries = { items, weights: new Float32Array(items.length).fill(1), atMs: new Float64Array(items.length) };
  return { model: productModel({ vectors, width }), interactions: { userCount: users, itemCount, indptr, ...entries } };
}

describe('the gate', () => {
  const choose = async (alike: number, index?: IndexConstraint) => {
    const { state, work } = await open({ weights: '8-bit' });
    const { model, interactions } = plantedModel({ alike });
    const choice = await chooseIndex({ state, work, model, interactions, seed, weights: '8-bit', constraint: index });
    return { model, choice, table: await findIndexMeasurements(state, work) };
  };

  it('leaves a model in float32 whose answers 8 bits would change, and says so', async () => {
    const { model, choice, table } = await choose(20);
    expect(choice).toEqual({ retrieval: { way: 'exact' }, model });
    expect(table?.measured.map(({ weights }) => weights)).toEqual([undefined, '8-bit']);
    const lost = table?.measured.at(-1);
    expect(lost?.agreementAt20).toBeLessThan(0.5);
    expect(lost?.objections.join()).toMatch(/^has 0\.\d+ of the best 20, not 0\.99$/);
    expect(table?.why).toMatch(/^in float32, since 8 bits leave 0\.\d+ of the best 20 as they were, not 0\.99;/);
    expect(table?.weights).toBeUndefined();
  });

  it('then measures the ways over float32, where an index was asked for', async () => {
    const { choice, table } = await choose(20, { recallAt100: 0.5, p99Ms: 10_000, memoryMb: 500 });
    expect(choice.weights).toBeUndefined();
    expect(table?.measured.map(({ way, weights }) => `${way?.way} ${weights}`)).toEqual([
      'exact undefined',
      'exact-8bit 8-bit',
      'exact-8bit undefined',
      'exact-4bit undefined',
      'undefined undefined',
    ]);
  });

  it('lets the same items through without what they have in common', async () => {
    const { choice, table } = await choose(0, undefined);
    expect(table?.measured.at(-1)?.agreementAt20).toBeGreaterThan(0.9);
    expect(choice.weights === '8-bit').toBe((table?.measured.at(-1)?.agreementAt20 ?? 0) >= 0.99);
  });

  it('asks for people who have nothing yet or of whom nothing is known here, besides those there are', async () => {
    const { table } = await choose(0);
    expect(table?.requests).toBe(62);
  });
});

it('a charter that asks for 8 bits where there are no items to keep so is refused', () => {
  const mistakes = (weights: string) =>
    checkCandidates({
      candidates: ['popularity', 'ials', 'ease', 'guest'].map((algorithm) => ({ name: algorithm, algorithm, weights, params: { folder: 'f' } })),
    })
      .map(({ path }) => path)
      .filter((path) => path.endsWith('/weights'));
  expect(mistakes('8-bit')).toEqual(['/candidates/0/weights', '/candidates/2/weights', '/candidates/3/weights']);
  expect(mistakes('float32')).toEqual(['/candidates/3/weights']);
});
