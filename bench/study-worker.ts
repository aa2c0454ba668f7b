import { parentPort } from 'node:worker_threads';
import { makeDecisionWorld } from '../experiments/simulator/decision-world.ts';
import { canaryCells, runCanaryCell } from '../experiments/study/canary-cells.ts';
import { decisionCells } from '../experiments/study/decision-cells.ts';
import { runDecisionCell } from '../experiments/study/run-decision-cell.ts';
import { runSlateCell, slateCells } from '../experiments/study/slate-cells.ts';
import { canary, digestOf, slateRules } from './study-rules.ts';

/** A part of one cell: the logs `from` to `to` - 1, or so many canaries. */
export type StudyJob = { cell: string; seed: number; from: number; to: number };

async function run({ cell, seed, from, to }: StudyJob): Promise<unknown> {
  const digest = from === 0 ? { digest: await digestOf(cell, seed) } : {};
  const decision = decisionCells.find(({ id }) => id === cell);
  if (decision !== undefined)
    return { ...digest, truth: makeDecisionWorld(decision.settings).truth, tally: runDecisionCell({ cell: decision, seed, from, to }) };
  const slate = slateCells.find(({ id }) => id === cell);
  if (slate !== undefined) return { ...digest, ...runSlateCell({ cell: slate, seed, from, to, ...slateRules }) };
  const found = canaryCells.find(({ id }) => id === cell);
  if (found === undefined) throw new Error(`There is no cell ${cell}`);
  return { ...digest, tally: await runCanaryCell({ cell: { ...found, runs: to - from }, canary, seed }) };
}

parentPort?.on('message', (job: StudyJob) => {
  const before = process.threadCpuUsage();
  run(job).then(
    (result) => {
      const { user, system } = process.threadCpuUsage(before);
      parentPort?.postMessage({ result, cpuSeconds: (user + system) / 1e6 });
    },
    (error: unknown) => parentPort?.postMessage({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
