import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { findGpu } from '../activities/training/open-gpu.ts';
import { GpuHalfSweeps } from '../models/algorithms/ials/gpu-half-sweeps.ts';
import { HalfSweeps, type IalsProblem } from '../models/algorithms/ials/half-sweeps.ts';
import { sasrec } from '../models/algorithms/sasrec/sasrec.ts';
import type { Interactions } from '../models/algorithms/algorithm.ts';
import type { Gpu } from '../models/gpu/gpu.ts';
import { createRandom } from '../models/random.ts';
import { findPeerPython } from './peer-python.ts';
import { generateInteractions } from './training-ials.ts';
import { drawnHistories } from './training-neural.ts';

type Ials = { factors: number; entries: number; gpuMillionPerSecond: number; cpuMillionPerSecond: number };
type Sasrec = { items: number; width: number; entries: number; gpuMs: number; cpuMs: number; torch: { name: string; ms: number } | null };
export type GpuBench = { gpu: string; software: boolean; cpuThreads: number; ials: Ials[]; sasrec: Sasrec[] };

const script = fileURLToPath(new URL('./torch_training.py', import.meta.url));
const threads = Math.min(64, availableParallelism());
const sizes = {
  /** For GPUs. */
  whole: {
    ials: { users: 100_000, items: 20_000, entries: 10_000_000, factors: [64, 128], sweeps: 4 },
    sasrec: [
      { items: 10_000, dimensions: 64, batchEntries: 4096, users: 1_000 },
      { items: 50_000, dimensions: 256, batchEntries: 8192, users: 2_000 },
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
    steps: 4,
  },
};

/**
 * Training on this machine's GPU beside the CPU in the same run; and, where asked, a step of SASRec in PyTorch on the same card.
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
    const steps: Sasrec[] = [];
    for (const one of size.sasrec) steps.push(await sasrecStep({ gpu, python, steps: size.steps, ...one }));
    return { gpu: name, software, cpuThreads: threads, ials, sasrec: steps };
  } finally {
    gpu.close();
  }
}

export function printGpuBench({ gpu, software, cpuThreads, ials, sasrec: steps }: GpuBench): string {
  const times = (cpu: number, own: number) => `${(cpu / own).toFixed(1)} times`;
  return [
    `${gpu}${software ? ' (in software: a sign of life, no measurement)' : ''}`,
    ...ials.map(
      ({ factors, entries, gpuMillionPerSecond: own, cpuMillionPerSecond: cpu }) =>
        `iALS, ${factors} factors, ${entries} entries: ${own.toFixed(2)} M entries/s a half sweep, on the CPU (${cpuThreads} threads) ${cpu.toFixed(2)}; ${times(own, cpu)} as fast`,
    ),
    ...steps.map(
      ({ items, width, entries, gpuMs, cpuMs, torch }) =>
        `SASRec, ${items} items, ${width} dimensions, ${entries} entries a step: ${gpuMs.toFixed(1)} ms, on the CPU ${cpuMs.toFixed(1)} ms; ${times(cpuMs, gpuMs)} as fast` +
        (torch === null ? '' : `; ${torch.name} on the same card ${torch.ms.toFixed(1)} ms, ratio ${(gpuMs / torch.ms).toFixed(2)}`),
    ),
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

async function sasrecStep({ gpu, python, steps, items, dimensions, batchEntries, users }: Stepping): Promise<Sasrec> {
  const params = sasrec.params.parse({ loss: 'softmax', dimensions, batchEntries, heldOutShare: 0, epochs: 1000 });
  const interactions = drawnHistories(items, users);
  const timed = async (on: { gpu?: Gpu; threads?: number }, count: number): Promise<number> => {
    const enough = new Error('enough');
    const each: number[] = [];
    let beganMs = performance.now();
    const onStep = ({ done }: { done: number }) => {
      each.push(performance.now() - beganMs);
      if (done === count) throw enough;
      beganMs = performance.now();
    };
    await sasrec.train({ interactions, params, seed: 1 }, { ...on, onStep }).catch((error: unknown) => {
      if (error !== enough) throw error;
    });
    // The first few compile, or are compiled.
    return median(each.slice(Math.min(3, count - 1)));
  };
  const gpuMs = await timed({ gpu }, steps);
  const cpuMs = await timed({ threads }, Math.min(steps, 4));
  const { blocks, heads, maxHistory, dropout } = params;
  const length = maxHistory + 1;
  const shape = {
    device: 'cuda',
    items,
    width: dimensions,
    users: Math.max(1, Math.floor(batchEntries / length)),
    length,
    blocks,
    heads,
    dropout,
    negatives: 0,
    steps,
  };
  return { items, width: dimensions, entries: batchEntries, gpuMs, cpuMs, torch: python === undefined ? null : torchStep(python, shape) };
}

function torchStep(python: string, shape: object): { name: string; ms: number } {
  const { status, stdout } = spawnSync(python, [script, JSON.stringify(shape)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) throw new Error('torch failed');
  const { version, milliseconds } = JSON.parse(stdout) as { version: string; milliseconds: number[] };
  return { name: `PyTorch ${version}`, ms: median(milliseconds.slice(3)) };
}
