import { cp, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { expect, it, onTestFinished, vi } from 'vitest';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import type { CandidateRecipe } from '../../models/contracts/charter.ts';
import { windowManifest } from '../../models/contracts/window.ts';
import { OnnxBuilder } from '../../models/graph/onnx-builder.ts';
import { declareAnswer, declareInputs } from '../../models/graph/recommend-interface.ts';
import { loadArtifact } from '../../stores/artifacts.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import type { PreparedRetrain, Trained } from '../api.ts';
import { openEvidence } from '../evidence/testing.ts';
import { text, withDuck } from '../events/duckdb.ts';
import { quietBeat } from '../events/testing.ts';
import { awaitTrainings } from '../privacy/await-trainings.ts';
import { freezeRecipe } from '../windows/prepare-retrain.ts';
import { readTrain } from '../windows/read-window.ts';
import { clearCheckpoints } from './checkpoints.ts';
import { closeTraining, openTraining } from './open-training.ts';
import { trainCandidate } from './train-candidate.ts';

vi.setConfig({ testTimeout: 60_000 });

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const candidate: CandidateRecipe = { name: 'mine', algorithm: 'trainer', params: { deep: { as: ['you', 'like'] } }, taskQueue: 'training-python' };
const beat = { ...quietBeat, workflowId: 'retrain/one' };
const dimensions = 6;

async function open() {
  const happenings = happeningsOf(drawPurchases({ users: 60, items: 30, tastes: 3, faith: 0.9, perUser: 10, days: 10, zipf: 0.5, fresh: 0, seed }), startMs);
  const window = { trainDays: 6, gapDays: 1, testDays: 2 };
  const evidence = await openEvidence({ happenings, charter: { window, candidates: [candidate], bootstrap: 'mine' }, nowMs: startMs + 11 * 86_400_000 });
  onTestFinished(() => evidence.close());
  const { context, charter } = evidence;
  const { blobs, root } = context.state;
  const work: PreparedRetrain = {
    surface: 'home',
    candidate: 'mine',
    window: await putDocument(blobs, evidence.window),
    recipe: await putDocument(blobs, await freezeRecipe(context, charter, candidate)),
    charter: await putDocument(blobs, charter),
  };
  const train = await readTrain({ window: evidence.window, blobs, charter });
  const order = await openTraining(context, work, beat);
  const folder = join(root, 'checkpoints', order.folder);
  const answer = { contract: order.contract, folder: order.folder, seconds: 1.5, resumedFrom: 2 };
  const take = (change: object = {}): Promise<Trained> => trainCandidate(context, { ...work, answer: { ...answer, ...change } } as PreparedRetrain, beat);
  return { ...evidence, blobs, root, work, train, order, folder, out: join(folder, 'out'), take };
}
type Opened = Awaited<ReturnType<typeof open>>;

const factorsJson = { interface: 'understudy.factors/1', name: 'mine', dimensions, alpha: 5, lambda: 0.1, frequencyScaling: 0 };

async function leaveFactors({ out, train }: Opened, change: object = {}): Promise<void> {
  const numbers = new DataView(new ArrayBuffer(4 * dimensions * train.vocabulary.length));
  for (let place = 0; place < numbers.byteLength / 4; place += 1) numbers.setFloat32(4 * place, Math.sin(place * place), true);
  await writeFile(join(out, 'factors.f32'), numbers);
  await writeFile(join(out, 'guest.json'), JSON.stringify({ ...factorsJson, ...change }));
}

/** A graph that answers the first items first. */
async function leaveGraph({ out }: Opened, itemCount: number): Promise<void> {
  const builder = new OnnxBuilder({ name: 'mine' });
  const inputs = declareInputs(builder, itemCount);
  const scores = Float32Array.from({ length: itemCount + 1 }, (_, item) => itemCount - item);
  declareAnswer(builder, inputs, builder.constant(scores, [itemCount + 1]), itemCount);
  await writeFile(join(out, 'recommend.onnx'), builder.build().bytes);
  await writeFile(join(out, 'guest.json'), JSON.stringify({ interface: 'understudy.recommend/1', name: 'mine', maxHistory: 9 }));
}

it('a job holds what is known of the train part, and nobody by name', async () => {
  const { folder, train, window, charter, root } = await open();
  const { interactions, vocabulary } = train;
  const json = async (name: string) => JSON.parse(await readFile(join(folder, name), 'utf8'));
  expect(await json('job.json')).toEqual({
    contract: 'understudy.train/1',
    ...{ surface: 'home', candidate: 'mine', params: candidate.params, seed: charter.seed },
    ...{ confidence: charter.confidence, repeatPolicy: charter.repeatPolicy },
    days: { ...window.train, timeZone: 'Europe/London' },
    counts: { users: interactions.userCount, items: interactions.itemCount, entries: interactions.items.length },
  });
  expect(await json('vocabulary.json')).toEqual(vocabulary);
  expect(await json('catalog.json')).toEqual(vocabulary.map((title) => ({ title })));
  const rows = await withDuck({ workDir: root }, (duck) =>
    duck.columns(`SELECT "user"::INTEGER, item::INTEGER, weight, at_ms::DOUBLE FROM read_parquet(${text(join(folder, 'interactions.parquet'))})`),
  );
  const users = [...interactions.items.keys()].map((entry) => interactions.indptr.findLastIndex((start) => start <= entry));
  expect(rows.map((column) => [...column])).toEqual([users, [...interactions.items], [...interactions.weights], [...interactions.atMs]]);
  for (const name of await readdir(folder, { recursive: true })) {
    const bytes = await readFile(join(folder, name)).catch(() => Buffer.alloc(0));
    for (const unit of train.userIds) expect(bytes.includes(`"${unit.slice(2)}"`) || bytes.includes(unit), `${unit} in ${name}`).toBe(false);
  }
});

it('an attempt after another finds its work/ and an empty out/', async () => {
  const opened = await open();
  await writeFile(join(opened.folder, 'work', 'epoch'), '3');
  await leaveFactors(opened);
  expect(await openTraining(opened.context, opened.work, beat)).toEqual(opened.order);
  expect(await readFile(join(opened.folder, 'work', 'epoch'), 'utf8')).toBe('3');
  expect(await readdir(opened.out)).toEqual([]);
});

it('vectors of items become the graph of a fold-in, and a graph is taken as it is; both go the way of every artifact', async () => {
  const opened = await open();
  const itemCount = opened.train.vocabulary.length;
  await leaveFactors(opened);
  const factors = await opened.take();
  expect(factors).toMatchObject({ parityPassed: true, trainSeconds: 1.5, resumedFrom: 2 });
  await rm(join(opened.out, 'factors.f32'));
  await leaveGraph(opened, itemCount);
  const graph = await opened.take();
  expect(graph).toMatchObject({ parityPassed: true });
  for (const { artifact } of [factors, graph]) {
    const { manifest } = await loadArtifact({ ...opened.context.state, digest: artifact });
    expect(manifest).toMatchObject({ algorithm: 'trainer', candidate: 'mine', params: candidate.params, itemCount });
    const report = await opened.measure(artifact);
    expect(report.metrics['ndcg@10']?.value ?? report).toBeGreaterThan(0);
  }
});

type Spoil = (opened: Opened) => Promise<unknown>;
const spoiled: { what: string; spoil: Spoil; says: RegExp; answer?: object }[] = [
  { what: 'nothing', spoil: ({ out }) => rm(join(out, 'factors.f32')), says: /lacks recommend.onnx or factors.f32/ },
  { what: 'no manifest', spoil: ({ out }) => rm(join(out, 'guest.json')), says: /lacks guest.json/ },
  { what: 'no folder', spoil: ({ out }) => rm(out, { recursive: true }), says: /left no folder out/ },
  { what: 'too few numbers', spoil: ({ out }) => truncate(join(out, 'factors.f32'), 40), says: /factors.f32 has 40 bytes, and \d+ items of 6 float32 are \d+/ },
  { what: 'an empty file', spoil: ({ out }) => truncate(join(out, 'factors.f32'), 0), says: /has 0 bytes/ },
  {
    what: 'no numbers',
    spoil: ({ out, train }) => writeFile(join(out, 'factors.f32'), Buffer.alloc(24 * train.vocabulary.length, 0xff)),
    says: /item 0 hold NaN/,
  },
  { what: 'other dimensions than it says', spoil: (opened) => leaveFactors(opened, { dimensions: 7 }), says: /items of 7 float32/ },
  { what: 'a manifest with mistakes', spoil: (opened) => leaveFactors(opened, { alpha: -1, magic: 1 }), says: /guest.json has 2 mistakes: .*alpha.*magic/ },
  { what: 'a manifest that is none', spoil: ({ out }) => writeFile(join(out, 'guest.json'), '{'), says: /guest.json is not JSON/ },
  { what: 'two models', spoil: ({ out }) => cp(join(out, 'factors.f32'), join(out, 'recommend.onnx')), says: /recommend.onnx and factors.f32/ },
  {
    what: 'a graph of other items',
    spoil: async (opened) => {
      await rm(join(opened.out, 'factors.f32'));
      await leaveGraph(opened, 5);
    },
    says: /item|scope_bias|failed/,
  },
  { what: 'a folder of another name', spoil: async () => undefined, answer: { folder: 'ab~job.cd' }, says: /of the folder ab~job.cd; its job's is/ },
  {
    what: 'an answer of another contract',
    spoil: async () => undefined,
    answer: { contract: 'understudy.train/2' },
    says: /trainer answered has 1 mistake: \/contract/,
  },
  {
    what: 'a link to a file elsewhere',
    spoil: async ({ out, folder }) => {
      await cp(join(out, 'factors.f32'), join(folder, '..', 'elsewhere'));
      await rm(join(out, 'factors.f32'));
      await symlink('../../elsewhere', join(out, 'factors.f32'));
    },
    says: /factors.f32 is a link/,
  },
  {
    what: 'weights beside its graph that are a link to a file elsewhere',
    spoil: async (opened) => {
      await rm(join(opened.out, 'factors.f32'));
      await leaveGraph(opened, opened.train.vocabulary.length);
      await symlink('/etc/passwd', join(opened.out, 'recommend.weights'));
    },
    says: /recommend.weights is a link/,
  },
  {
    what: 'a graph whose weights are not there',
    spoil: async ({ out }) => {
      await rm(join(out, 'factors.f32'));
      const builder = new OnnxBuilder({ name: 'mine' });
      builder.constant(new Float32Array(2 ** 15), [2 ** 15]);
      await writeFile(join(out, 'recommend.onnx'), builder.build().bytes);
      await writeFile(join(out, 'guest.json'), JSON.stringify({ interface: 'understudy.recommend/1', name: 'mine', maxHistory: 9 }));
    },
    says: /stands in recommend.weights, which is not there/,
  },
  {
    what: 'a folder that is a link elsewhere',
    spoil: async ({ out, folder }) => {
      await cp(out, join(folder, '..', 'elsewhere-too'), { recursive: true });
      await rm(out, { recursive: true });
      await symlink('../elsewhere-too', out);
    },
    says: /out\/ is no folder of its own/,
  },
  {
    what: 'a pipe that nobody writes to',
    spoil: async ({ out }) => {
      await rm(join(out, 'factors.f32'));
      spawnSync('mkfifo', [join(out, 'factors.f32')]);
    },
    says: /factors.f32 is no file/,
  },
  {
    what: 'a folder in place of a file',
    spoil: async ({ out }) => {
      await rm(join(out, 'guest.json'));
      await mkdir(join(out, 'guest.json'));
    },
    says: /guest.json is no file/,
  },
];

it('what is left otherwise is refused with what is wrong', async () => {
  const opened = await open();
  for (const { what, spoil, says, answer } of spoiled) {
    await rm(opened.out, { recursive: true, force: true });
    await mkdir(opened.out);
    await leaveFactors(opened);
    await spoil(opened);
    await expect(opened.take(answer), what).rejects.toMatchObject({ code: 'UND-ARTIFACT', message: expect.stringMatching(says) });
  }
});

it('its folder is kept while its workflow goes on, is waited for by an erasure, and goes with it or with the next training', async () => {
  const opened = await open();
  const { context, blobs, work, folder } = opened;
  const left = () => readdir(dirname(folder));
  const { trainSlices } = await getDocument(blobs, work.window, windowManifest);
  const gone = new Set([trainSlices[0]?.digest ?? '']);
  let running = true;
  context.isRunning = async (workflowId) => workflowId === 'retrain/one' && running;
  await clearCheckpoints(context);
  expect(await left()).toEqual([opened.order.folder]);
  await expect(awaitTrainings(context, gone)).rejects.toMatchObject({ code: 'UND-OVERLOADED' });
  // The same training, wanted by another workflow, has a folder of its own.
  context.isRunning = async () => running;
  const again = await openTraining(context, work, { ...beat, workflowId: 'rerun/one' });
  expect(again.folder).not.toBe(opened.order.folder);
  await closeTraining(context, work, { workflowId: 'rerun/one' });
  expect(await left()).toEqual([opened.order.folder]);
  running = false;
  await awaitTrainings(context, gone);
  expect(await left()).toEqual([]);
  await openTraining(context, work, beat);
  await clearCheckpoints(context);
  expect(await left()).toEqual([]);
  // Closed twice is closed.
  await closeTraining(context, work, beat);
});
