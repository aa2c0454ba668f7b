import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterEach, describe, expect, it, onTestFinished, test } from 'vitest';
import { weightsFile } from '../contracts/artifact.ts';
import { graphDigest } from './graph-files.ts';
import { elementCodes, OnnxBuilder, type Value } from './onnx-builder.ts';
import { declareAnswer, declareInputs } from './recommend-interface.ts';
import { checkOutsideWeights } from './outside-weights.ts';
import { openRecommendGraph, type RecommendGraph } from './session.ts';

const itemCount = 6;
const opened: RecommendGraph[] = [];
afterEach(async () => {
  for (const graph of opened.splice(0)) await graph.close();
});

/** Answers the items by fixed scores, plus the weight of each time the item stands in the history. */
function echoGraph(scores: readonly number[]): Uint8Array {
  const graph = new OnnxBuilder({ name: 'echo' });
  const inputs = declareInputs(graph, itemCount);
  const base = graph.constant(Float32Array.of(...scores, 0), [itemCount + 1]);
  const total = graph.node('ScatterElements', [base, inputs.history, inputs.historyWeight], { axis: { int: 0 }, reduction: { string: 'add' } });
  declareAnswer(graph, inputs, total, itemCount);
  return graph.build().bytes;
}

async function open(bytes: Uint8Array, maxHistory = 3): Promise<RecommendGraph> {
  const graph = await openRecommendGraph({ bytes, itemCount, maxHistory });
  opened.push(graph);
  return graph;
}

const ask = { history: [], historyWeight: [], exclude: [], count: 6 };

test('ties go to the lower index, at every count', async () => {
  const graph = await open(echoGraph([1, 2, 1, 2, 2, 1]));
  for (let count = 1; count <= itemCount; count += 1) expect((await graph.recommend({ ...ask, count })).items).toEqual([1, 3, 4, 0, 2, 5].slice(0, count));
});

test('ties go to the lower index among many items', async () => {
  const many = 5000;
  const graph = new OnnxBuilder({ name: 'ties' });
  const inputs = declareInputs(graph, many);
  declareAnswer(
    graph,
    inputs,
    graph.constant(
      Float32Array.from({ length: many + 1 }, (_, item) => item % 7),
      [many + 1],
    ),
    many,
  );
  const session = await openRecommendGraph({ ...graph.build(), itemCount: many, maxHistory: 1 });
  opened.push(session);
  for (const count of [1, 10, 100, 800, 3000]) {
    const expected = Array.from({ length: many }, (_, item) => item).sort((a, b) => (b % 7) - (a % 7) || a - b);
    expect((await session.recommend({ ...ask, count })).items).toEqual(expected.slice(0, count));
  }
});

test('reads the most recent history and cuts the answer at what is not allowed', async () => {
  const graph = await open(echoGraph([0, 0, 0, 0, 0, 0]));
  const scopeBias = Float32Array.of(0, 0, 0, 0, -1e9, 0);
  const answer = await graph.recommend({ history: [0, 1, 2, 3], historyWeight: [9, 1, 2, 3], exclude: [3, 3, itemCount], scopeBias, count: 6 });
  expect(answer).toEqual({ items: [2, 1, 0, 5], scores: [2, 1, 0, 0] });
  // The same array again: its contents count, not what they were the first time.
  expect((await graph.recommend({ ...ask, scopeBias })).items).toEqual([0, 1, 2, 3, 5]);
});

test.each([
  ['a negative index', { history: [-1], historyWeight: [1] }],
  ['an index behind the padding', { history: [itemCount + 1], historyWeight: [1] }],
  ['half an index', { history: [0.5], historyWeight: [1] }],
  ['a negative exclusion', { exclude: [-1] }],
  ['a weight too few', { history: [1, 2], historyWeight: [1] }],
  ['a weight that is no number', { history: [1], historyWeight: [Number.NaN] }],
  ['a negative weight', { history: [1], historyWeight: [-1] }],
  ['a bias for other items', { scopeBias: new Float32Array(3) }],
  ['a count of nothing', { count: 0 }],
])('refuses %s', async (_what, part) => {
  const graph = await open(echoGraph([1, 2, 3, 4, 5, 6]));
  await expect(graph.recommend({ ...ask, ...part })).rejects.toMatchObject({ code: 'UND-INPUT' });
});

test('refuses bytes that are no graph, and files that are not there', async () => {
  await expect(openRecommendGraph({ bytes: Uint8Array.of(1, 2, 3), itemCount, maxHistory: 1 })).rejects.toMatchObject({ code: 'UND-ARTIFACT' });
  await expect(openRecommendGraph({ bytes: echoGraph([1, 2, 3, 4, 5, 6]).slice(0, 200), itemCount, maxHistory: 1 })).rejects.toMatchObject({
    code: 'UND-ARTIFACT',
  });
  await expect(openRecommendGraph({ path: '/nowhere/recommend.onnx', itemCount, maxHistory: 1 })).rejects.toMatchObject({ code: 'UND-ARTIFACT' });
});

test('opens a file', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'graph-'));
  try {
    const path = join(directory, 'recommend.onnx');
    await writeFile(path, echoGraph([1, 2, 3, 4, 5, 6]));
    const graph = await openRecommendGraph({ path, itemCount, maxHistory: 1 });
    expect((await graph.recommend({ ...ask, count: 2 })).items).toEqual([5, 4]);
    await graph.close();
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('refuses a graph with other inputs and outputs, naming all that is wrong', async () => {
  const graph = new OnnxBuilder({ name: 'other' });
  const history = graph.input({ name: 'history', type: 'float32', shape: ['h'] });
  graph.input({ name: 'exclude', type: 'int64', shape: ['e', 2] });
  graph.input({ name: 'scope_bias', type: 'float32', shape: [itemCount + 1] });
  graph.input({ name: 'count', type: 'int64', shape: [1] });
  graph.input({ name: 'mood', type: 'float32', shape: [1] });
  graph.output({ name: 'scores', type: 'float32', shape: ['h'], value: history });
  const error = await openRecommendGraph({ ...graph.build(), itemCount, maxHistory: 1 }).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: 'UND-ARTIFACT' });
  for (const part of [
    "input 'history' is float32, not int64",
    "no input 'history_weight'",
    "'exclude' has 2 dimensions",
    'is for 7 items, not 6',
    "'mood' is not known",
    "no output 'items'",
  ]) {
    expect((error as Error).message).toContain(part);
  }
});

test('refuses scores that are no numbers', async () => {
  const graph = await open(echoGraph([1, Number.NaN, 3, 4, 5, 6]));
  await expect(graph.recommend(ask)).rejects.toMatchObject({ code: 'UND-ARTIFACT' });
});

test('the builder writes every kind of constant and attribute', async () => {
  const graph = new OnnxBuilder({ name: 'kinds' });
  const x = graph.input({ name: 'x', type: 'float32', shape: [2, 3] });
  const turned = graph.node('Transpose', [x], { perm: { ints: [1, 0] } });
  const leaky = graph.node('LeakyRelu', [turned], { alpha: { float: 0.5 } });
  const rows = graph.node('Gather', [leaky, graph.constant(Int32Array.of(2, 0), [2])]);
  const flat = graph.node('Reshape', [rows, graph.constant([-1], [1])]);
  graph.output({ name: 'y', type: 'float32', shape: [4], value: graph.node('Add', [flat, graph.float32(10)]) });
  const session = await InferenceSession.create(graph.build().bytes);
  const { y } = await session.run({ x: new Tensor('float32', Float32Array.of(1, 2, -3, 4, 5, -6), [2, 3]) });
  expect(Array.from((y as Tensor).data as Float32Array)).toEqual([8.5, 7, 11, 14]);
  await session.release();
  expect(() => graph.constant(Float32Array.of(1), [2])).toThrow('do not fill the shape');
});

describe('a graph with large tensors', () => {
  const many = 40_000;
  const large = () => {
    const graph = new OnnxBuilder({ name: 'large' });
    const inputs = declareInputs(graph, many);
    const [first, second] = [1, 2].map((turn) => Float32Array.from({ length: many + 1 }, (_, item) => (item === turn * 7 ? 5 : 0)));
    const [one, other] = [first, second].map((numbers, at) => graph.constant(numbers as Float32Array, [many + 1], `scores_${at}`)) as [Value, Value];
    const times = graph.node('Cast', [inputs.count], { to: { int: elementCodes.float32 } });
    declareAnswer(graph, inputs, graph.node('Add', [one, graph.node('Mul', [other, times])]), many);
    return graph.build();
  };
  const request = { history: [], historyWeight: [], exclude: [7], count: 1 };

  it('keeps them in a file beside it, each from the beginning of a page on, in the same bytes each time', () => {
    const { bytes, weights } = large();
    expect(bytes.length).toBeLessThan(2000);
    expect(weights).toHaveLength(4096 * Math.ceil((4 * (many + 1)) / 4096) + 4 * (many + 1));
    expect(graphDigest(large())).toBe(graphDigest({ bytes, weights }));
    expect(checkOutsideWeights(bytes, weights?.length)).toBe(true);
  });

  it('answers the same from bytes and from a folder, and from nowhere without its weights', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'understudy-graph-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { bytes, weights } = large();
    const path = join(folder, 'recommend.onnx');
    await writeFile(path, bytes);
    await expect(openRecommendGraph({ path, itemCount: many, maxHistory: 1 })).rejects.toMatchObject({ code: 'UND-ARTIFACT' });
    await expect(openRecommendGraph({ bytes, itemCount: many, maxHistory: 1 })).rejects.toMatchObject({ code: 'UND-ARTIFACT' });
    await writeFile(join(folder, weightsFile), weights as Uint8Array);
    for (const source of [{ path }, { bytes, weights }]) {
      const graph = await openRecommendGraph({ ...source, itemCount: many, maxHistory: 1 });
      opened.push(graph);
      expect(await graph.recommend(request)).toEqual({ items: [14], scores: [5] });
    }
    // Where the system tells what is mapped: the file itself, so that what another session has of it takes no more memory.
    const mapped = await readFile('/proc/self/maps', 'utf8').catch(() => undefined);
    if (mapped !== undefined) expect(mapped.includes(join(folder, weightsFile))).toBe(true);
  });
});
