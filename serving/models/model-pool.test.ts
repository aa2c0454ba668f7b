import { graphFiles } from '../../models/graph/graph-files.ts';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recommendGraphInterface, weightsFile } from '../../models/contracts/artifact.ts';
import { digestBytes, digestJson } from '../../models/contracts/digest.ts';
import { slateRecord } from '../../models/contracts/slate.ts';
import { rankScores } from '../../models/algorithms/rank.ts';
import { OnnxBuilder } from '../../models/graph/onnx-builder.ts';
import { makeParityRecord } from '../../models/graph/parity.ts';
import { declareAnswer, declareInputs } from '../../models/graph/recommend-interface.ts';
import { loadArtifact, putArtifact } from '../../stores/artifacts.ts';
import { openBlobDirectory } from '../../stores/blobs-directory.ts';
import { openLogReader } from '../../stores/event-log-files.ts';
import { call, canaryOf, makeServedState, type ServedState, startReplica, until } from '../testing.ts';
import { createModelHost } from './model-host.ts';
import { type ModelAnswer, noAnswer } from './model-messages.ts';
import { type ModelPool, openModelPool } from './model-pool.ts';

let root: string;
let state: ServedState;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-pool-'));
  state = await makeServedState({ stateDir: root });
});
afterAll(() => rm(root, { recursive: true, force: true }));

const question = (artifact: string) => ({ artifact, history: [1], historyWeight: [1], exclude: [], count: 5 });

describe('a pool of threads', () => {
  it('starts a thread again however often it is refused, with the other at work', async () => {
    const digest = await state.train('item-knn');
    const { graphPath, manifest, parity } = await loadArtifact({ blobs: state.blobs, generations: state.generations, digest });
    const artifact = { digest, graphPath, itemCount: manifest.itemCount, maxHistory: manifest.maxHistory, parity, scopeBias: new Float32Array(60) };
    const events: string[] = [];
    const pool = await openModelPool({
      artifact,
      scope: 'all',
      threads: 2,
      deadlineMs: 2_000,
      restartDelaysMs: [0, 5],
      onEvent: ({ type }) => events.push(type),
    });
    await rename(graphPath, `${graphPath}.gone`);
    pool.crash();
    await until(
      () => events.filter((type) => type === 'refused').length,
      (refusals) => refusals >= 5,
    );
    await rename(`${graphPath}.gone`, graphPath);
    await until(
      () => pool.readyThreads(),
      (threads) => threads === 2,
    );
    expect((await pool.ask(question(digest))).error).toBeNull();
    pool.release();
    await pool.closed;
  });

  it('gives up a loading that nobody wants any more', async () => {
    const digest = await state.train('item-knn', {}, 3);
    const { graphPath, manifest, parity } = await loadArtifact({ blobs: state.blobs, generations: state.generations, digest });
    const artifact = { digest, graphPath, itemCount: manifest.itemCount, maxHistory: manifest.maxHistory, parity, scopeBias: new Float32Array(60) };
    const stop = new AbortController();
    const lingering = new Set<Promise<void>>();
    const opening = openModelPool({ artifact, scope: 'all', threads: 1, deadlineMs: 100, lingering, signal: stop.signal });
    stop.abort();
    await expect(opening).rejects.toMatchObject({ code: 'UND-TIMEOUT' });
    // It is not ended in the middle of what it does, and ends by itself.
    expect(lingering.size).toBe(1);
    await Promise.all(lingering);
  });
});

it('a model with weights beside its graph is served from one folder by all who serve it, and not where they were altered', async () => {
  const digest = await putSlowModel(200);
  const { graphPath, manifest, parity } = await loadArtifact({ ...state, digest });
  expect((await readdir(dirname(graphPath))).sort()).toEqual(['recommend.onnx', weightsFile]);
  const artifact = { digest, graphPath, itemCount: manifest.itemCount, maxHistory: manifest.maxHistory, parity, scopeBias: new Float32Array(60) };
  const pools = await Promise.all([1, 2].map((threads) => openModelPool({ artifact, scope: 'all', threads, deadlineMs: 10_000 })));
  for (const pool of pools) {
    expect(await pool.ask(question(digest))).toMatchObject({ error: null, items: [0, 1, 2, 3, 4] });
    pool.release();
    await pool.closed;
  }
  const path = join(dirname(graphPath), weightsFile);
  const bytes = await readFile(path);
  await writeFile(path, bytes.fill(0, 0, 100));
  await expect(loadArtifact({ ...state, blobs: openBlobDirectory({ root: join(root, 'blobs') }), digest })).rejects.toMatchObject({ code: 'UND-DIGEST' });
});

it('a thread that hangs is left to itself, and another takes its place', async () => {
  const digest = await putSlowModel(1_600);
  const { graphPath, manifest, parity } = await loadArtifact({ blobs: state.blobs, generations: state.generations, digest });
  const artifact = { digest, graphPath, itemCount: manifest.itemCount, maxHistory: manifest.maxHistory, parity, scopeBias: new Float32Array(60) };
  const events: string[] = [];
  const lingering = new Set<Promise<void>>();
  const onEvent = ({ type }: { type: string }) => void events.push(type);
  const pool = await openModelPool({ artifact, scope: 'all', threads: 1, deadlineMs: 20, hungAfterMs: 50, lingering, onEvent });
  const long = { ...question(digest), history: Array(50).fill(1), historyWeight: Array(50).fill(1) };
  await until(
    () => pool.ask(long).then(() => lingering.size),
    (size) => size > 0,
  );
  expect(events).toContain('hung');
  await until(
    () => pool.readyThreads(),
    (threads) => threads === 1,
  );
  pool.release();
  await pool.closed;
  await Promise.all(lingering);
});

describe('an extra that is slow', () => {
  function fakePool(artifact: string) {
    let answers: ((answer: ModelAnswer) => void)[] = [];
    const pool: ModelPool = {
      artifact,
      scope: 'all',
      ask: () => new Promise((resolve) => answers.push(resolve)),
      waiting: () => answers.length,
      readyThreads: () => 1,
      crash: () => undefined,
      retain: () => undefined,
      release: () => undefined,
      closed: Promise.resolve(),
    };
    return {
      pool,
      asked: () => answers.length,
      answerAll(answer: ModelAnswer) {
        for (const resolve of answers) resolve(answer);
        answers = [];
      },
    };
  }
  const good: ModelAnswer = { items: [1], scores: [1], latencyMs: 1, error: null };

  it('is waited for briefly, then not asked for a while unless it is needed, and tried again', async () => {
    const { pool, asked, answerAll } = fakePool('x');
    const host = createModelHost({ pools: [pool], extraWaitMs: 1 });
    for (let late = 0; late < 5; late += 1) expect((await host.askExtra(question('x'), { needed: false }).soon).error).toMatch(/no answer within 1 ms/);
    expect(asked()).toBe(5);
    expect((await host.askExtra(question('x'), { needed: false }).soon).error).toMatch(/too slow lately/);
    expect(asked()).toBe(5);
    const needed = host.askExtra(question('x'), { needed: true });
    expect((await needed.soon).error).toMatch(/too slow lately/);
    answerAll(good);
    expect(await needed.whole).toEqual(good);
    await until(
      () => {
        const tried = host.askExtra(question('x'), { needed: false });
        answerAll(good);
        return tried.soon;
      },
      ({ error }) => error === null,
    );
  });

  it('has an answer also where nothing is loaded', async () => {
    const host = createModelHost({ pools: [], extraWaitMs: 1 });
    expect(await host.ask(question('x'))).toEqual(noAnswer('not loaded'));
    expect((await host.askExtra(question('x'), { needed: true }).whole).error).toMatch(/not loaded/);
  });

  it('costs no visitor the champion’s answer, and its own are recorded when they come', async () => {
    const [champion, slow] = [await state.train('popularity'), await putSlowModel()];
    await state.publish({ champion, challenger: slow, canary: canaryOf(slow, { mode: 'shadow', stage: -1, share: 0 }) });
    const serving = await startReplica(root, { modelDeadlineMs: 1_000 });
    const history = Array.from({ length: 40 }, (_, index) => ({ itemId: state.itemIds[index], kind: 'click' }));
    const ask = async (visitor: number) =>
      (await call(`${serving.url}/v1/recommend`, { surface: 'home', sessionId: `v${visitor}`, context: { history } })).body;
    for (let round = 0; round < 3; round += 1) {
      const answers = await Promise.all(Array.from({ length: 20 }, (_, visitor) => ask(round * 20 + visitor)));
      expect(answers.map(({ rung, artifact }) => [rung, artifact])).toEqual(answers.map(() => ['model', champion]));
    }
    await serving.close();
    const { records } = await openLogReader({ directory: join(root, 'log', 'home', 'slates') }).tail({});
    const shadows = records.map((record) => slateRecord.parse(record).shadow);
    expect(shadows).toHaveLength(60);
    for (const shadow of shadows) expect(shadow?.artifact).toBe(slow);
    expect(shadows.some((shadow) => shadow?.error === null && shadow.items.length === 10)).toBe(true);
  });
});

/** Popularity that multiplies large matrices in vain, the longer the history the larger: some 0.1 s for forty items. */
async function putSlowModel(size = 320): Promise<string> {
  const itemCount = 60;
  const scores = Float32Array.from({ length: itemCount + 1 }, (_, index) => (index === itemCount ? 0 : (itemCount - index) / (itemCount + 1)));
  const graph = new OnnxBuilder({ name: 'slow' });
  const inputs = declareInputs(graph, itemCount);
  const rows = graph.node('Mul', [graph.node('Shape', [inputs.history]), graph.constant([size], [1], 'rows')]);
  const shape = graph.node('Concat', [rows, graph.constant([size], [1], 'columns')], { axis: { int: 0 } });
  const large = graph.node('Expand', [graph.node('ReduceSum', [inputs.historyWeight]), shape]);
  const product = graph.node('MatMul', [large, graph.constant(new Float32Array(size * size).fill(1e-9), [size, size], 'matrix')]);
  const nothing = graph.node('Reshape', [graph.node('Mul', [graph.node('ReduceMax', [product]), graph.float32(0)]), graph.int64(1)]);
  declareAnswer(graph, inputs, graph.node('Add', [graph.constant(scores, [itemCount + 1], 'item_scores'), nothing]), itemCount);
  const exported = graph.build();
  const maxHistory = 50;
  const model = {
    maxHistory,
    recommend: (request: Parameters<typeof rankScores>[0]['request']) => rankScores({ scores, itemCount, request }),
    exportGraph: () => exported,
  };
  const parity = makeParityRecord({ model, itemCount, maxHistory, seed: 1, histories: [{ history: [1], historyWeight: [1] }] });
  const files = { ...graphFiles(exported), 'vocabulary.json': Buffer.from(JSON.stringify(state.itemIds)) };
  const none = digestJson(null);
  const manifest = {
    kind: 'artifact',
    interface: recommendGraphInterface,
    surface: 'home',
    candidate: 'slow',
    algorithm: 'guest',
    params: {},
    window: none,
    recipe: none,
    seed: 1,
    itemCount,
    maxHistory,
    files: Object.fromEntries(Object.entries(files).map(([file, content]) => [file, digestBytes(content)])),
  } as const;
  return putArtifact({ blobs: state.blobs, generations: state.generations, manifest, files, parity });
}
