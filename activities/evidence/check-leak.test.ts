import { weightsFile } from '../../models/contracts/artifact.ts';
import type { GraphFiles } from '../../models/graph/graph-files.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawPurchases } from '../../experiments/ranking/testing-purchases.ts';
import { judgeReport } from '../../experiments/gates/judge-report.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { Report } from '../../models/contracts/report.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import { loadArtifact, putArtifact } from '../../stores/artifacts.ts';
import { putDocument } from '../../stores/blobs.ts';
import { quietBeat } from '../events/testing.ts';
import { readTest } from '../windows/read-test.ts';
import { readTrain } from '../windows/read-window.ts';
import { checkLeak } from './check-leak.ts';
import { openRanker } from './ranker.ts';
import { openEvidence } from './testing.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;
const days = 60;

/** Days 0 to 44 train, day 45 is the gap, 46 to 59 test. */
const window = { trainDays: 45, gapDays: 1, testDays: 14 };
const purchases = drawPurchases({ users: 700, items: 600, tastes: 10, faith: 0.6, perUser: 14, days, zipf: 0.9, fresh: 0.2, seed });
const happenings = purchases.map(({ user, item, day }) => ({ user: `u${user}`, item: `i${item}`, atMs: startMs + Math.floor(day * dayMs) }));

let evidence: Awaited<ReturnType<typeof openEvidence>>;
let honest: string;
let leaked: string;
/** All that there is, as one train part. */
let everything: WindowManifest;

beforeAll(async () => {
  const times = Map.groupBy(happenings, ({ item }) => item);
  const catalog = [...times].map(([itemId, own]): CatalogItem => {
    const all = own.map(({ atMs }) => atMs);
    return { itemId, title: itemId, inStock: true, availableFromMs: Math.min(...all), availableUntilMs: Math.max(...all) };
  });
  evidence = await openEvidence({ happenings, catalog, charter: { window }, nowMs: startMs + (days + 1) * dayMs });
  const { window: split } = evidence;
  everything = {
    ...split,
    train: { from: split.train.from, to: split.test.to },
    trainSlices: evidence.dataState.slices,
    testSlices: [],
  };
  const params = { factors: 32, sweeps: 5 };
  honest = await evidence.train('ials', params);
  leaked = await evidence.train('ials', params, everything);
}, 60_000);
afterAll(() => evidence.close());

/** The artifact as somebody else's: nothing tells when it was trained. */
async function asGuest(artifact: string, vocabularyOf: (itemId: string) => string = (itemId) => itemId): Promise<string> {
  const { state } = evidence.context;
  const { manifest, parity, vocabulary } = await loadArtifact({ ...state, digest: artifact });
  const names = Buffer.from(JSON.stringify(vocabulary.map(vocabularyOf)));
  const graph = await Promise.all(
    ['recommend.onnx', weightsFile].flatMap((name) => {
      const digest = manifest.files[name];
      return digest === undefined ? [] : [state.blobs.get(digest).then((bytes) => [name, bytes] as const)];
    }),
  );
  const files = { ...(Object.fromEntries(graph) as GraphFiles), 'vocabulary.json': names };
  const own = {
    ...manifest,
    algorithm: 'guest',
    window: await putDocument(state.blobs, evidence.window),
    files: { ...manifest.files, 'vocabulary.json': await state.blobs.put(names) },
  };
  return putArtifact({ ...state, manifest: own, files, parity });
}

const failedIn = (leak: Report['leak']) => leak?.filter(({ passed }) => !passed).map(({ check }) => check);

/** What the checks say of a split that was tampered with after it was read. */
async function check(change: {
  train?: Partial<Awaited<ReturnType<typeof readTrain>>>;
  test?: Partial<Awaited<ReturnType<typeof readTest>>>;
  window?: Partial<WindowManifest>;
}) {
  const { context, charter, catalog } = evidence;
  const split = { ...evidence.window, ...change.window };
  const source = { window: split, blobs: context.state.blobs, charter };
  const train = { ...(await readTrain(source)), ...change.train };
  const test = { ...(await readTest({ ...source, ...train })), ...change.test };
  const ranker = await openRanker(context.state, { artifact: honest, allowed: () => true });
  try {
    return await checkLeak(context.state, { window: split, charter, catalog, train, test, artifact: honest, ranker, seed: 1, ...quietBeat });
  } finally {
    await ranker.close();
  }
}

describe('what the model knows', () => {
  it('an honest model passes, as our own and as a guest', async () => {
    for (const artifact of [honest, await asGuest(honest)]) {
      const { leak, metrics } = await evidence.measure(artifact);
      expect(failedIn(leak)).toEqual([]);
      expect(leak?.map(({ check: name }) => name)).toEqual(['train-rows', 'test-rows', 'histories', 'scope', 'artifact-window', 'vocabulary', 'foreknowledge']);
      const foreknowledge = leak?.find(({ check: name }) => name === 'foreknowledge');
      console.log(`ndcg@10 ${metrics['ndcg@10']?.value.toFixed(4)}; ${foreknowledge?.reason}`);
      expect(foreknowledge?.value).toBeLessThan(0.7);
    }
  });

  it('one that was trained on the test part too is told by its window, its vocabulary and what it foretells', async () => {
    const { leak } = await evidence.measure(leaked);
    expect(failedIn(leak)).toEqual(['artifact-window', 'vocabulary', 'foreknowledge']);
    expect(leak?.find(({ check: name }) => name === 'artifact-window')?.reason).toContain(`through ${evidence.window.test.to}`);
  });

  it('a guest that was trained on the test part is told by what it foretells, though its vocabulary shows nothing', async () => {
    const old = new Set((await readTrain({ window: evidence.window, blobs: evidence.context.state.blobs, charter: evidence.charter })).vocabulary);
    const guest = await asGuest(leaked, (itemId) => (old.has(itemId) ? itemId : `other-${itemId}`));
    const { leak, metrics } = await evidence.measure(guest);
    const [found] = leak?.filter(({ passed }) => !passed) ?? [];
    console.log(`ndcg@10 ${metrics['ndcg@10']?.value.toFixed(4)}; ${found?.reason}`);
    expect(failedIn(leak)).toEqual(['foreknowledge']);
    expect(found?.reason).toContain('cannot, beyond 75 %');
  });

  it('the gate refuses it, naming the check', async () => {
    const [good, bad] = [await evidence.measure(honest), await evidence.measure(await asGuest(leaked))];
    const digest = `sha256:${'a'.repeat(64)}`;
    const judge = (offline: typeof good) =>
      judgeReport({
        charter: evidence.charter,
        artifactBytes: 1,
        draft: {
          ...{ kind: 'report', surface: 'home', candidate: 'guest', algorithm: 'guest', artifact: digest, champion: null, window: digest, charter: digest },
          ...{ charterDiff: [], intent: 'bootstrap', counterfactual: null, parity: { requests: 1, largestError: 0, passed: true } },
          ...offline,
        },
      });
    expect(judge(good).passed).toBe(true);
    expect(judge(bad)).toMatchObject({
      passed: false,
      reasons: [expect.stringMatching(/^leak: vocabulary: .*; foreknowledge: of items that looked alike on 2026-02-18/)],
    });
    expect(judge({ ...good, leak: [] }).reasons).toEqual(['leak: it was not looked for']);
  });
});

describe('how it is asked', () => {
  it('rows on the wrong side of the split', async () => {
    const { trainSlices, testSlices } = evidence.window;
    const gap = evidence.dataState.slices.filter(({ day }) => day === '2026-02-19');
    expect(failedIn(await check({ window: { trainSlices: [...trainSlices, ...gap] } }))).toEqual(['train-rows']);
    const early = await check({ window: { testSlices: [...trainSlices.slice(-1), ...testSlices] } });
    expect(failedIn(early)).toEqual(['test-rows']);
    expect(early[1]?.reason).toBe('there are test events of 2026-02-18, and the test part begins with 2026-02-20');
  });

  it('a history that holds what the user went on to want', async () => {
    const source = { window: evidence.window, blobs: evidence.context.state.blobs, charter: evidence.charter };
    const { users } = await readTest({ ...source, ...(await readTrain(source)) });
    const [first, ...others] = users;
    if (first === undefined) throw new Error('nobody is tested');
    const knowing = { ...first, history: [...first.history, ...first.relevant], historyWeight: [...first.historyWeight, ...first.relevant.map(() => 1)] };
    const found = await check({ test: { users: [knowing, ...others] } });
    expect(failedIn(found)).toEqual(['histories']);
    expect(found[2]?.reason).toContain('1 users');
  });

  it("a stock of today's", async () => {
    const source = { window: { ...evidence.window, inStockDays: 10 }, blobs: evidence.context.state.blobs, charter: evidence.charter };
    const { scopeBias } = await readTest({ ...source, ...(await readTrain(source)) });
    expect(failedIn(await check({ window: { inStockDays: 10 } }))).toEqual([]);
    expect(scopeBias.some((bias) => bias !== 0)).toBe(true);
    // All in stock, as the catalog says now; and one that was there then and is not any more.
    const everywhere = await check({ window: { inStockDays: 10 }, test: { scopeBias: new Float32Array(scopeBias.length) } });
    expect(failedIn(everywhere)).toEqual(['scope']);
    const without = scopeBias.slice();
    without[scopeBias.indexOf(0)] = -1e9;
    const missing = await check({ window: { inStockDays: 10 }, test: { scopeBias: without } });
    expect(missing[3]?.reason).toBe('the scope is not that of the split: 0 items were not on sale then, 1 that were are left out');
  });
});
