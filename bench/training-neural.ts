import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Interactions, ItemAttributes, TrainHooks } from '../models/algorithms/algorithm.ts';
import { sasrec } from '../models/algorithms/sasrec/sasrec.ts';
import { twoTower } from '../models/algorithms/two-tower/two-tower.ts';
import { OnnxBuilder } from '../models/graph/onnx-builder.ts';
import { fullSoftmax, Panels } from '../models/neural/full-softmax.ts';
import { type Flow, Network } from '../models/neural/network.ts';
import { RowTable } from '../models/neural/row-table.ts';
import { inWorkspace } from '../models/neural/workspace.ts';
import { createRandom } from '../models/random.ts';

export type TrainingNeuralBench = {
  entries: number;
  items: number;
  width: number;
  /** Least of several rounds, on one thread. */
  softmaxMs: number;
  gigaflops: number;
  peer: { name: string; softmaxMs: number };
  /** `peerMs`: of PyTorch, where it was asked for. */
  steps: ({ loss: string; arithmetic: Arithmetic; peerMs: number | null } & Steps)[];
  /** Version of PyTorch. */
  torch: string | null;
  /** The same events over catalogs of different sizes, each item with three attributes. */
  twoTower: (Steps & { takenMb: number })[];
};
type Arithmetic = 'exact' | 'fused';
type Steps = { items: number; ms: number; stepsPerGrowth: number; grownMb: number };

const entries = 3264;
const items = 12_000;
const width = 64;
/** Of a history, its first row included. */
const length = 51;

/**
 * In processor time, so that what else runs counts for less. Loss and gradients of a full softmax, which is most of a step, against ONNX Runtime over the same products on one thread: scores, softmax, and the two
 * products back. Whole steps against PyTorch's on one thread, where there is one.
 * @param python an interpreter that has torch
 */
export async function benchTrainingNeural({ rounds = 7, python }: { rounds?: number; python?: string | undefined } = {}): Promise<TrainingNeuralBench> {
  const ours = softmaxStep();
  const theirs = await peerStep();
  const [mine, peer]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    mine.push(await timed(ours));
    peer.push(await timed(theirs));
  }
  const softmaxMs = least(mine);
  const steps = [];
  let torch: string | null = null;
  for (const [loss, of] of [
    ['softmax', items],
    ['sampled-softmax', items],
    ['gbce', 200_000],
  ] as const) {
    const theirStep = python === undefined || loss === 'gbce' ? undefined : torchSteps(python, { loss, items: of });
    torch = theirStep?.version ?? torch;
    const peerMs = theirStep === undefined ? null : least(theirStep.milliseconds);
    for (const arithmetic of ['exact', 'fused'] as const) steps.push({ ...(await trainingStep({ loss, items: of, arithmetic })), peerMs });
  }
  const towers = [];
  for (const size of [10_000, 1_000_000]) towers.push(await twoTowerStep(size));
  const gigaflops = (6 * entries * items * width) / softmaxMs / 1e6;
  return { entries, items, width, softmaxMs, gigaflops, peer: { name: 'ONNX Runtime, one thread', softmaxMs: least(peer) }, steps, torch, twoTower: towers };
}

export function printTrainingNeuralBench({ softmaxMs, gigaflops, peer, steps, torch, twoTower: towers }: TrainingNeuralBench): string {
  return [
    `full softmax, ${entries} entries, ${items} items, ${width} dimensions, forward and back: ${softmaxMs.toFixed(0)} ms (${gigaflops.toFixed(1)} GFLOP/s)`,
    `${peer.name}: ${peer.softmaxMs.toFixed(0)} ms; ratio ${(softmaxMs / peer.softmaxMs).toFixed(2)}`,
    ...steps.map(
      ({ loss, arithmetic, items: of, ms, grownMb, stepsPerGrowth, peerMs }) =>
        `whole step, ${loss}, ${arithmetic}, ${of} items: ${ms.toFixed(0)} ms${peerMs === null ? '' : `, PyTorch ${torch} ${peerMs.toFixed(0)} ms, ratio ${(ms / peerMs).toFixed(2)} (promised: 2, ${ms <= 2 * peerMs ? 'held' : 'missed'})`}; memory grown over ${stepsPerGrowth} steps: ${grownMb.toFixed(1)} MB`,
    ),
    ...towers.map(
      ({ items: of, ms, grownMb, stepsPerGrowth, takenMb }) =>
        `whole step, two-tower, ${of} items with attributes: ${ms.toFixed(0)} ms (${(1000 / ms).toFixed(1)} a second); memory taken ${takenMb.toFixed(0)} MB, grown over ${stepsPerGrowth} steps: ${grownMb.toFixed(1)} MB`,
    ),
  ].join('\n');
}

const drawn = (length: number, seed: number): Float32Array => {
  const random = createRandom(seed);
  return Float32Array.from({ length }, () => random.float() - 0.5);
};

function softmaxStep(): () => void {
  const built = inWorkspace((workspace) => {
    const network = new Network({ workspace, mostRows: entries });
    const table = new RowTable({ workspace, rows: Panels.rowsFor(items), width });
    const from: Flow = network.flow(width);
    return { network, table, from, loss: fullSoftmax({ network, from, table, panels: new Panels({ workspace: network.workspace, table, items }) }) };
  });
  built.from.value.set(drawn(entries * width, 1));
  built.table.value.set(drawn(items * width, 2));
  const targets = { items: Int32Array.from({ length: entries }, (_, row) => (row * 31) % items), weights: new Float32Array(entries).fill(1) };
  return () => {
    built.table.clear();
    built.network.forward({ rows: entries, training: true });
    built.loss.run(targets);
  };
}

async function peerStep(): Promise<() => Promise<unknown>> {
  const graph = new OnnxBuilder({ name: 'softmax' });
  const vectors = graph.input({ name: 'vectors', type: 'float32', shape: [entries, width] });
  const table = graph.input({ name: 'table', type: 'float32', shape: [items, width] });
  const scores = graph.node('MatMul', [vectors, graph.node('Transpose', [table], { perm: { ints: [1, 0] } })]);
  const shares = graph.node('Softmax', [scores], { axis: { int: -1 } });
  graph.output({ name: 'to_vectors', type: 'float32', shape: [entries, width], value: graph.node('MatMul', [shares, table]) });
  const back = graph.node('Gemm', [shares, vectors], { transA: { int: 1 } });
  graph.output({ name: 'to_table', type: 'float32', shape: [items, width], value: back });
  const session = await InferenceSession.create(graph.build().bytes, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const feeds = {
    vectors: new Tensor('float32', drawn(entries * width, 1), [entries, width]),
    table: new Tensor('float32', drawn(items * width, 2), [items, width]),
  };
  return () => session.run(feeds);
}

type Step = { loss: 'softmax' | 'sampled-softmax' | 'gbce'; items: number; arithmetic: Arithmetic };

async function trainingStep({ loss, items: itemCount, arithmetic }: Step) {
  const params = sasrec.params.parse({ loss, arithmetic, batchEntries: entries, heldOutShare: 0, epochs: 2 });
  return {
    loss,
    arithmetic,
    items: itemCount,
    ...(await measuredSteps((hooks) => sasrec.train({ interactions: drawnHistories(itemCount), params, seed: 1 }, hooks))),
  };
}

type TorchSteps = { version: string; milliseconds: number[] };

/** As many rows of the same network with the same loss; those that are sampled, 1024 a step, are drawn uniformly. */
function torchSteps(python: string, { loss, items: itemCount }: { loss: 'softmax' | 'sampled-softmax'; items: number }): TorchSteps {
  const { heads, blocks, dropout, negatives } = sasrec.params.parse({});
  const shape = { items: itemCount, users: entries / length, length, width, heads, blocks, dropout, negatives: loss === 'softmax' ? 0 : negatives, steps: 20 };
  const script = fileURLToPath(new URL('./torch_training.py', import.meta.url));
  const run = spawnSync(python, [script, JSON.stringify(shape)], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`PyTorch's steps failed: ${run.stderr.slice(-500)}`);
  return JSON.parse(run.stdout) as TorchSteps;
}

async function twoTowerStep(itemCount: number) {
  const [perItem, values] = [3, 2000];
  const random = createRandom(4);
  const attributes: ItemAttributes = {
    ...{ indptr: Uint32Array.from({ length: itemCount + 1 }, (_, item) => item * perItem), fields: ['category', 'brand', 'word'] },
    attributes: Uint32Array.from({ length: itemCount * perItem }, (_, entry) => (entry % perItem) * values + random.below(values)),
    fieldOf: Uint8Array.from({ length: perItem * values }, (_, attribute) => Math.floor(attribute / values)),
  };
  const params = twoTower.params.parse({ epochs: 2 });
  const before = process.memoryUsage().rss;
  let largest = before;
  const measured = await measuredSteps((hooks) => {
    const onStep: TrainHooks['onStep'] = (step) => {
      largest = Math.max(largest, process.memoryUsage().rss);
      return hooks.onStep?.(step);
    };
    return twoTower.train({ interactions: drawnHistories(itemCount), attributes, params, seed: 1 }, { onStep });
  });
  return { items: itemCount, ...measured, takenMb: (largest - before) / 1e6 };
}

export function drawnHistories(itemCount: number, userCount = 640): Interactions {
  const random = createRandom(3);
  const count = userCount * length;
  return {
    ...{ userCount, itemCount, indptr: Uint32Array.from({ length: userCount + 1 }, (_, user) => user * length) },
    items: Uint32Array.from({ length: count }, () => Math.floor(itemCount * random.float() ** 2)),
    weights: new Float32Array(count).fill(1),
    atMs: Float64Array.from({ length: count }, (_, entry) => entry),
  };
}

async function measuredSteps(train: (hooks: TrainHooks) => Promise<unknown>): Promise<Omit<Steps, 'items'>> {
  const [times, memory]: [number[], number[]] = [[], []];
  let before = process.cpuUsage();
  const onStep = (): void => {
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
    memory.push(process.memoryUsage().arrayBuffers);
    before = process.cpuUsage();
  };
  await train({ onStep });
  const grownMb = ((memory.at(-1) as number) - (memory[1] as number)) / 1e6;
  return { ms: least(times.slice(1)), stepsPerGrowth: memory.length - 2, grownMb };
}

async function timed(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const least = (values: readonly number[]): number => Math.min(...values);
