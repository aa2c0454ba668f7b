import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { findGpu } from '../activities/training/open-gpu.ts';
import { GpuHalfSweeps } from '../models/algorithms/ials/gpu-half-sweeps.ts';
import { HalfSweeps, type IalsProblem } from '../models/algorithms/ials/half-sweeps.ts';
import { sasrec } from '../models/algorithms/sasrec/sasrec.ts';
import { twoTower } from '../models/algorithms/two-tower/two-tower.ts';
import type { Interactions, TrainHooks } from '../models/algorithms/algorithm.ts';
import type { Gpu } from '../models/gpu/gpu.ts';
import { createRandom } from '../models/random.ts';
import { findPeerPython } from './peer-python.ts';
import { generateInteractions } from './training-ials.ts';
import { drawnHistories } from './training-neural.ts';

type Ials = { factors: number; entries: number; gpuMillionPerSecond: number; cpuMillionPerSecond: number };
type Step = { items: number; width: number; entries: number; gpuMs: number; cpuMs: number; torch: { name: string; ms: number } | null };
export type GpuBench = { gpu: string; software: boolean; cpuThreads: number; ials: Ials[]; sasrec: Step[]; twoTower: Step[] };

const scripts = {
  sasrec: fileURLToPath(new URL('./torch_training.py', import.meta.url)),
  twoTower: fileURLToPath(new URL('./torch_two_tower.py', import.meta.url)),
};
const threads = Math.min(64, availableParallelism());
const sizes = {
  /** For GPUs. */
  whole: {
    ials: { users: 100_000, items: 20_000, entries: 10_000_000, factors: [64, 128], sweeps: 4 },
    sasrec: [
      { items: 10_000, dimensions: 64, batchEntries: 4096, users: 1_000 },
      { items: 50_000, dimensions: 256, batchEntries: 8192, users: 2_000 },
    ],
    twoTower: [
      { items: 100_000, dimensions: 64, batchEntries: 4096, users: 1_000 },
      { items: 1_000_000, dimensions: 128, batchEntries: 8192, users: 2_000 },
    ],
    steps: 30,
  },
  /** So that it ends on a GPU in software: a sign of life. */
  quick: {
    ials: { users: 400, items: 200, entries: 8_000, factors: [16, 32], sweeps: 2 },
    sasrec: [
      { items: 100, dimensions: 16, batchEntries: 64, users: 40 },
      { items: 200, dimensions: 32, batchEntries: 64, users: 40 },
    ],
    twoTower: [
      { items: 200, dimensions: 16, batchEntries: 64, users: 40 },
      { items: 3_000, dimensions: 32, batchEntries: 64, users: 40 },
    ],
    steps: 4,
  },
};

/**
 * Training on this machine's GPU beside the CPU in the same run; and, where asked, a step of SASRec and of two towers in PyTorch on the same card.
 * @throws UND-GPU-MISSING
 */
export async function benchGpu({ quick, torch, cache, env }: { quick: boolean; torch: boolean; cache: string; env: NodeJS.ProcessEnv }): Promise<GpuBench> {
  const { name, software, open } = await findGpu();
  const size = quick ? sizes.quick : sizes.whole;
  const python = torch ? await findPeerPython({ requirements: ['torch==2.15.0', 'numpy'], cache, env }) : undefined;
  if (torch && python === undefined) throw new Error('torch cannot be had from the Python package index');
  const gpu = await open();
  try {
    const ials: Ials[] = [];
    const interactions = generateInteractions(size.ials, 1);
    for (const factors of size.ials.factors) ials.push(await halfSweeps({ gpu, interactions, factors, sweeps: size.ials.sweeps }));
    const [bySasrec, byTowers]: [Step[], Step[]] = [[], []];
    for (const one of size.sasrec) bySasrec.push(await sasrecStep({ gpu, python, steps: size.steps, ...one }));
    for (const one of size.twoTower) byTowers.push(await twoTowerStep({ gpu, python, steps: size.steps, ...one }));
    return { gpu: name, software, cpuThreads: threads, ials, sasrec: bySasrec, twoTower: byTowers };
  } finally {
    gpu.close();
  }
}

const times = (cpu: number, own: number): string => `${(cpu / own).toFixed(1)} times`;
const lineOf = ({ items, width, entries, gpuMs, cpuMs, torch }: Step): string =>
  `${items} items, ${width} dimensions, ${entries} entries a step: ${gpuMs.toFixed(1)} ms, on the CPU ${cpuMs.toFixed(1)} ms; ${times(cpuMs, gpuMs)} as fast` +
  (torch === null ? '' : `; ${torch.name} on the same card ${torch.ms.toFixed(1)} ms, ratio ${(gpuMs / torch.ms).toFixed(2)}`);

export function printGpuBench({ gpu, software, cpuThreads, ials, sasrec: bySasrec, twoTower: byTowers }: GpuBench): string {
  return [
    `${gpu}${software ? ' (in software: a sign of life, no measurement)' : ''}`,
    ...ials.map(
      ({ factors, entries, gpuMillionPerSecond: own, cpuMillionPerSecond: cpu }) =>
        `iALS, ${factors} factors, ${entries} entries: ${own.toFixed(2)} M entries/s a half sweep, on the CPU (${cpuThreads} threads) ${cpu.toFixed(2)}; ${times(own, cpu)} as fast`,
    ),
    ...bySasrec.map((one) => `SASRec, ${lineOf(one)}`),
    ...byTowers.map((one) => `two towers, ${lineOf(one)}`),
  ].join('\n');
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

type Sweeping = { gpu: Gpu; interactions: Interactions; factors: number; sweeps: number };

/** The first sweep, in which kernels are compiled, does not count. */
async function halfSweeps({ gpu, interactions, factors, sweeps }: Sweeping): Promise<Ials> {
  const settings = { alpha: 10, lambda: 0.01, frequencyScaling: 1, solver: 'preconditioned' as const };
  const { userCount, itemCount, items } = interactions;
  const random = createRandom(3);
  const begin = Float32Array.from({ length: itemCount * factors }, () => (2 * random.float() - 1) / Math.sqrt(factors));
  const timed = async (problem: IalsProblem): Promise<number> => {
    problem.load({ items: begin });
    const seconds: number[] = [];
    for (let sweep = 0; sweep <= sweeps; sweep += 1) {
      for (const [side, to] of [
        ['users', userCount],
        ['items', itemCount],
      ] as const) {
        const startedMs = performance.now();
        await problem.turn(side === 'users' ? 'items' : 'users');
        await problem.solve(side, { from: 0, to, steps: 2 });
        if (sweep > 0) seconds.push((performance.now() - startedMs) / 1000);
      }
    }
    await problem.close();
    return items.length / median(seconds) / 1e6;
  };
  const gpuMillionPerSecond = await timed(new GpuHalfSweeps({ gpu, interactions, width: factors, settings }));
  const cpuMillionPerSecond = await timed(new HalfSweeps({ interactions, width: factors, settings, threads, fused: false }));
  return { factors, entries: items.length, gpuMillionPerSecond, cpuMillionPerSecond };
}

type Stepping = { gpu: Gpu; python: string | undefined; steps: number; items: number; dimensions: number; batchEntries: number; users: number };

/** Median of the steps of a training, which it ends after so many. */
async function stepMs(train: (hooks: TrainHooks) => Promise<unknown>, count: number): Promise<number> {
  const enough = new Error('enough');
  const each: number[] = [];
  let beganMs = performance.now();
  const onStep = ({ done }: { done: number }) => {
    each.push(performance.now() - beganMs);
    if (done === count) throw enough;
    beganMs = performance.now();
  };
  await train({ onStep }).catch((error: unknown) => {
    if (error !== enough) throw error;
  });
  // The first few compile, or are compiled.
  return median(each.slice(Math.min(3, count - 1)));
}

async function sasrecStep({ gpu, python, steps, items, dimensions, batchEntries, users }: Stepping): Promise<Step> {
  const params = sasrec.params.parse({ loss: 'softmax', dimensions, batchEntries, heldOutShare: 0, epochs: 1000 });
  const input = { interactions: drawnHistories(items, users), params, seed: 1 };
  const gpuMs = await stepMs((hooks) => sasrec.train(input, { ...hooks, gpu }), steps);
  const cpuMs = await stepMs((hooks) => sasrec.train(input, { ...hooks, threads }), Math.min(steps, 4));
  const { blocks, heads, maxHistory, dropout } = params;
  const shape = { ...torchShape({ items, dimensions, batchEntries, steps, maxHistory }), blocks, heads, dropout, negatives: 0 };
  return { items, width: dimensions, entries: batchEntries, gpuMs, cpuMs, torch: python === undefined ? null : torchStep(python, scripts.sasrec, shape) };
}

/** Without attributes; as many items are drawn as there are entries, as by default. The CPU takes one thread. */
async function twoTowerStep({ gpu, python, steps, items, dimensions, batchEntries, users }: Stepping): Promise<Step> {
  const params = twoTower.params.parse({ dimensions, batchEntries, negatives: batchEntries, heldOutShare: 0, epochs: 1000 });
  const input = { interactions: drawnHistories(items, users), params, seed: 1 };
  const gpuMs = await stepMs((hooks) => twoTower.train(input, { ...hooks, gpu }), steps);
  const cpuMs = await stepMs((hooks) => twoTower.train(input, hooks), Math.min(steps, 4));
  const { hidden, decays, maxHistory, dropout, negatives } = params;
  const shape = { ...torchShape({ items, dimensions, batchEntries, steps, maxHistory }), hidden, decays, dropout, negatives };
  return { items, width: dimensions, entries: batchEntries, gpuMs, cpuMs, torch: python === undefined ? null : torchStep(python, scripts.twoTower, shape) };
}

type Shaped = Pick<Stepping, 'items' | 'dimensions' | 'batchEntries' | 'steps'> & { maxHistory: number };

function torchShape({ items, dimensions, batchEntries, steps, maxHistory }: Shaped) {
  const length = maxHistory + 1;
  return { device: 'cuda', items, width: dimensions, users: Math.max(1, Math.floor(batchEntries / length)), length, steps };
}

function torchStep(python: string, script: string, shape: object): { name: string; ms: number } {
  const { status, stdout } = spawnSync(python, [script, JSON.stringify(shape)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) throw new Error('torch failed');
  const { version, milliseconds } = JSON.parse(stdout) as { version: string; milliseconds: number[] };
  return { name: `PyTorch ${version}`, ms: median(milliseconds.slice(3)) };
}
