import { fileURLToPath } from 'node:url';
import { TruncatedSvd } from '../models/kernels/truncated-svd.ts';
import { findPeerPython } from './peer-python.ts';
import { generateInteractions, ourSweeps, peerSweeps, type Sweeps } from './training-ials.ts';
import { measuredInChild } from './measured-in-child.ts';
import { benchTrainingNeural, printTrainingNeuralBench, type TrainingNeuralBench } from './training-neural.ts';

type Variant = { millionPerSecond: number; loss: number };
type AtFactors = {
  factors: number;
  entries: number;
  sweeps: number;
  ours: Variant;
  peer: (Variant & { version: string }) | null;
  /** To the peer's objective after all of its sweeps, with the preconditioner. */
  secondsToPeerLoss: { ours: number; peer: number } | null;
  twoThreads: number;
};
export type TrainingBench = {
  ials: AtFactors[];
  spectral: { users: number; items: number; factors: number; seconds: number };
  large: Large | null;
  neural: TrainingNeuralBench;
};
type Large = { entries: number; secondsASweep: number; maxMemoryMb: number };

const rounds = 3;
const sweeps = 6;
/** Of each side of the peer and of ours, where the solver is the same. */
const plainSteps = 3;
const betterSteps = 2;

type Wanted = { cache: string; env: NodeJS.ProcessEnv; quick: boolean; withTorch: boolean };

/**
 * iALS beside implicit, each on one thread and in turn, so that what else the machine does meets both; medians of the rounds.
 * @param withTorch networks beside PyTorch as well: it takes 6 GB
 */
export async function benchTraining({ cache, env, quick, withTorch }: Wanted): Promise<TrainingBench> {
  const python = await findPeerPython({ requirements: ['implicit==0.7.2', 'threadpoolctl==3.6.0'], cache, env });
  const ials: AtFactors[] = [];
  for (const [factors, entries] of [[64, 6_000_000] as const, [128, 3_000_000] as const])
    ials.push(await atFactors(python, factors, quick ? entries / 10 : entries));
  const large = quick ? null : await measuredInChild<Large>({ file: fileURLToPath(import.meta.url), argument: '100000000' });
  const torch = withTorch ? await findPeerPython({ requirements: ['torch==2.15.0', 'numpy'], cache, env }) : undefined;
  const neural = await benchTrainingNeural({ python: torch, ...(quick ? { rounds: 1 } : {}) });
  return { ials, spectral: await spectral(quick ? 64 : 512), large, neural };
}

async function atFactors(python: string | undefined, factors: number, wanted: number): Promise<AtFactors> {
  const interactions = generateInteractions({ users: Math.round(wanted / 80), items: 20_000, entries: wanted }, 1);
  const entries = interactions.items.length;
  const all: { ours: Sweeps; better: Sweeps; two: Sweeps; peer: (Sweeps & { version: string }) | null }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    all.push({
      peer: python === undefined ? null : peerSweeps(python, interactions, factors, { sweeps, threads: 1, steps: plainSteps }),
      ours: await ourSweeps(interactions, factors, { solver: 'plain', threads: 1, steps: plainSteps, sweeps }),
      better: await ourSweeps(interactions, factors, { solver: 'preconditioned', threads: 1, steps: betterSteps, sweeps }),
      two: await ourSweeps(interactions, factors, { solver: 'plain', threads: 2, steps: plainSteps, sweeps: 3 }),
    });
  }
  const variant = (of: readonly Sweeps[]): Variant => ({
    millionPerSecond: (2 * entries) / median(of.flatMap(({ seconds }) => seconds)) / 1e6,
    loss: of[0]?.losses.at(-1) ?? Number.NaN,
  });
  const peers = all.flatMap(({ peer }) => peer ?? []);
  const ours = variant(all.map((round) => round.ours));
  return {
    ...{ factors, entries, sweeps, ours },
    peer: peers[0] === undefined ? null : { ...variant(peers), version: peers[0].version },
    secondsToPeerLoss:
      peers.length === 0
        ? null
        : {
            peer: median(peers.map(({ seconds }) => sum(seconds))),
            ours: median(all.map(({ better, peer }) => timeTo(peer?.losses.at(-1) ?? 0, better))),
          },
    twoThreads: variant(all.map(({ two }) => two)).millionPerSecond / ours.millionPerSecond,
  };
}

/** Infinite where it does not get there. */
function timeTo(loss: number, { seconds, losses }: Sweeps): number {
  const reached = losses.findIndex((one) => one <= loss);
  return reached === -1 ? Number.POSITIVE_INFINITY : sum(seconds.slice(0, reached + 1));
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? Number.NaN) + (sorted[sorted.length >> 1] ?? Number.NaN)) / 2;
}

/** The truncated SVD behind the graph filter, on as many entries as sparse check-ins have. */
async function spectral(factors: number): Promise<TrainingBench['spectral']> {
  const [users, items] = [30_000, 40_000];
  const interactions = generateInteractions({ users, items, entries: 810_000 }, 2);
  const startedMs = performance.now();
  const degree = (count: number, of: Uint32Array) => {
    const degrees = new Float64Array(count);
    for (const one of of) degrees[one] = (degrees[one] as number) + 1;
    return degrees.map((value) => (value > 0 ? 1 / Math.sqrt(value) : 0));
  };
  const userScale = Float64Array.from(
    { length: users },
    (_, user) => 1 / Math.sqrt(Math.max(1, (interactions.indptr[user + 1] as number) - (interactions.indptr[user] as number))),
  );
  const svd = new TruncatedSvd({
    interactions,
    count: factors,
    threads: 2,
    fused: false,
    scales: { users: userScale, items: degree(items, interactions.items) },
  });
  await svd.solve({ rounds: 5, seed: 1 });
  await svd.close();
  return { users, items, factors, seconds: (performance.now() - startedMs) / 1000 };
}

export function printTrainingBench({ ials, spectral, large, neural }: TrainingBench): string {
  const lines = ials.flatMap(({ factors, entries, sweeps, ours, peer, secondsToPeerLoss, twoThreads }) => {
    const ratio = peer && ours.millionPerSecond / peer.millionPerSecond;
    const wanted = factors === 64 ? 1 : 0.9;
    const toLoss = secondsToPeerLoss && secondsToPeerLoss.ours / secondsToPeerLoss.peer;
    return [
      `iALS d=${factors}, ${(entries / 1e6).toFixed(1)} M entries, ${sweeps} sweeps, one thread`,
      `  half-sweeps      ${ours.millionPerSecond.toFixed(1)} M entries a second${peer === null ? '' : `, implicit ${peer.version} ${peer.millionPerSecond.toFixed(1)}, ratio ${ratio?.toFixed(2)} (promised: ${wanted}, ${met((ratio ?? 0) >= wanted)})`}`,
      ...(peer === null
        ? []
        : [
            `  objective        relative difference ${Math.abs(ours.loss / peer.loss - 1).toExponential(1)} after the same sweeps of the same solver (promised: 1e-3)`,
          ]),
      ...(secondsToPeerLoss === null
        ? []
        : [
            `  to its objective ${secondsToPeerLoss.ours.toFixed(1)} s, implicit ${secondsToPeerLoss.peer.toFixed(1)} s, ratio ${toLoss?.toFixed(2)} (promised: 0.67, ${met((toLoss ?? 9) <= 2 / 3)})`,
          ]),
      `  two threads      ${twoThreads.toFixed(2)} times one (promised: 1.8, ${met(twoThreads >= 1.8)})`,
    ];
  });
  if (large !== null)
    lines.push(
      `iALS d=64, ${(large.entries / 1e6).toFixed(0)} M entries: ${large.secondsASweep.toFixed(1)} s a sweep on two threads, ${Math.round(large.maxMemoryMb)} MB (promised: 3 GB, ${met(large.maxMemoryMb <= 3072)})`,
    );
  lines.push(
    `graph filter, ${spectral.users} x ${spectral.items}, ${spectral.factors} singular vectors: ${spectral.seconds.toFixed(1)} s on two threads (promised: 60, ${met(spectral.seconds <= 60)})`,
  );
  return [...lines, printTrainingNeuralBench(neural)].join('\n');
}

const met = (is: boolean): string => (is ? 'held' : 'missed');

// As a child: so that its memory is its own.
const [, file, argument] = process.argv;
if (file === fileURLToPath(import.meta.url) && argument !== undefined) {
  const wanted = Number(argument);
  const interactions = generateInteractions({ users: wanted / 100, items: 100_000, entries: wanted }, 1);
  const { seconds } = await ourSweeps(interactions, 64, { solver: 'preconditioned', threads: 2, steps: betterSteps, sweeps: 1, measured: false });
  const result: Large = { entries: interactions.items.length, secondsASweep: median(seconds), maxMemoryMb: process.resourceUsage().maxRSS / 1024 };
  process.stdout.write(JSON.stringify(result));
}
