import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateEvents, generatedDays } from './data-events.ts';
import { type PolarsResult, polarsRequirement, runPolars } from './data-polars.ts';
import { findPeerPython } from './peer-python.ts';
import type { StepOrder, StepResult } from './data-steps.ts';
import type { StreamResult } from './data-stream.ts';
import { measuredInChild } from './measured-in-child.ts';

type Steps = Record<StepOrder['step'], StepResult>;
export type DataBench = { rows: number; steps: Steps; stream: StreamResult; polars: PolarsResult | null };

const peerSteps = ['ingest', 'sessionize', 'split', 'rotate'] as const;
const otherSteps = ['rules', 'join', 'erase'] as const;

/** The data plane over generated events, each step a process of its own, beside polars over the same files; then what one core takes in as a stream. */
export async function benchData({ rows, cache, env }: { rows: number; cache: string; env: NodeJS.ProcessEnv }): Promise<DataBench> {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-bench-'));
  try {
    await generateEvents({ rows, folder });
    await generateEvents({ rows: Math.ceil(rows / generatedDays), fromDay: generatedDays, days: 1, folder: join(folder, 'next') });
    const python = await findPeerPython({ requirements: [polarsRequirement], cache, env });
    const polars = python === undefined ? undefined : runPolars({ python, folder, out: join(folder, 'polars') });
    await rm(join(folder, 'polars'), { recursive: true, force: true });
    const steps = {} as Steps;
    const file = fileURLToPath(new URL('./data-steps.ts', import.meta.url));
    for (const step of [...peerSteps, ...otherSteps]) steps[step] = await measuredInChild<StepResult>({ file, argument: JSON.stringify({ step, folder }) });
    const stream = await measuredInChild<StreamResult>({ file: fileURLToPath(new URL('./data-stream.ts', import.meta.url)), argument: '' });
    return { rows, steps, stream, polars: polars ?? null };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What is promised of 20 million events. */
const promised = { seconds: 60, memoryMb: 1024, rules: 5, join: 5, erase: 10, perSecond: 20_000 };

export function printDataBench({ rows, steps, stream, polars }: DataBench): string {
  const line = (name: string, { seconds, cpuSeconds, maxMemoryMb }: StepResult, more: string) =>
    `  ${name.padEnd(12)} ${seconds.toFixed(1).padStart(7)} s ${cpuSeconds.toFixed(1).padStart(7)} s of CPU ${maxMemoryMb.toFixed(0).padStart(6)} MB   ${more}`;
  const sum = (of: (step: (typeof peerSteps)[number]) => number) => peerSteps.reduce((total, step) => total + of(step), 0);
  const seconds = sum((step) => steps[step].seconds);
  const memoryMb = Math.max(...Object.values(steps).map(({ maxMemoryMb }) => maxMemoryMb));
  const beside = (ours: number, theirs: number | undefined) =>
    theirs === undefined ? '' : `polars ${theirs.toFixed(1)} s, ratio ${(theirs / ours).toFixed(2)}`;
  const held = (is: boolean) => (is ? 'held' : 'missed');
  return [
    `data: ${(rows / 1e6).toFixed(0)} M events of ${generatedDays} days`,
    ...peerSteps.map((step) => line(step, steps[step], beside(steps[step].seconds, polars?.seconds[step]))),
    `  together     ${seconds.toFixed(1).padStart(7)} s (wished: ${promised.seconds}), ${beside(seconds, polars === null ? undefined : sum((step) => polars.seconds[step]))}`,
    `  memory       ${memoryMb.toFixed(0)} MB at most (promised: ${promised.memoryMb}, ${held(memoryMb <= promised.memoryMb)})${polars === null ? '' : `; polars ${polars.version} ${polars.maxMemoryMb.toFixed(0)} MB`}`,
    line('50 rules', steps.rules, `promised: ${promised.rules} s, ${held(steps.rules.seconds <= promised.rules)}`),
    line(
      'join',
      steps.join,
      `${((steps.join.of.labels ?? 0) / 1e6).toFixed(1)} M moments; promised: ${promised.join} s, ${held(steps.join.seconds <= promised.join)}`,
    ),
    line(
      'erase',
      steps.erase,
      `${steps.erase.of.people} people out of ${steps.erase.of.days} days, of it ${steps.erase.of.sweepSeconds?.toFixed(1)} s to look through all blobs; promised: ${promised.erase} s, ${held(steps.erase.seconds <= promised.erase)}`,
    ),
    `  stream       ${stream.over.toFixed(0)} events a second and core over HTTP in batches of ${stream.batch}, ${stream.bare.toFixed(0)} without HTTP, ${stream.without.toFixed(0)} of these without any rule (promised: ${promised.perSecond}, ${held(stream.over >= promised.perSecond)})`,
  ].join('\n');
}
