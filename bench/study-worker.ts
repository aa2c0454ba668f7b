import { parentPort } from 'node:worker_threads';
import { canaryCells, runCanaryCell } from '../experiments/study/canary-cells.ts';
import { decisionCells } from '../experiments/study/decision-cells.ts';
import { digestDecisionCell, runDecisionCell } from '../experiments/study/run-decision-cell.ts';
import { runSlateCell, slateCells } from '../experiments/study/slate-cells.ts';
import type { Explore } from '../experiments/simulator/slate-world.ts';
import { charter } from '../models/contracts/charter.ts';
import { exploreSlate, slotPropensities } from '../models/slate/explore.ts';

/** A part of one cell: the logs `from` to `to` - 1, or so many canaries. */
export type StudyJob = { cell: string; seed: number; from: number; to: number };

const exploration = charter.shape.exploration.parse(undefined);
const canary = charter.shape.release.shape.canary.parse({ minUnits: [1, 1, 1, 1, 1] });
const gates = charter.shape.gates.shape;
const limits = { ...gates.logLimits.parse(undefined), minEffectiveSampleSize: gates.minEffectiveSampleSize.parse(undefined) };

const explore: Explore = (input) => {
  const { allowedIds, baseItems } = input;
  const scope = { allowed: () => true, allowedIds };
  const drawn = exploreSlate({ ...input, slateSize: baseItems.length, scope, excluded: new Set(), settings: exploration, seed: 1, drawId: 'study' });
  if (drawn.exploration === null) throw new Error('The slate was not explored');
  return { exploration: drawn.exploration, ...slotPropensities({ exploration: drawn.exploration, size: baseItems.length }) };
};

async function run({ cell, seed, from, to }: StudyJob): Promise<unknown> {
  const decision = decisionCells.find(({ id }) => id === cell);
  if (decision !== undefined)
    return { tally: runDecisionCell({ cell: decision, seed, from, to }), ...(from === 0 ? { digest: digestDecisionCell({ cell: decision, seed }) } : {}) };
  const slate = slateCells.find(({ id }) => id === cell);
  if (slate !== undefined) return runSlateCell({ cell: slate, seed, from, to, explore, limits });
  const found = canaryCells.find(({ id }) => id === cell);
  if (found === undefined) throw new Error(`There is no cell ${cell}`);
  return runCanaryCell({ cell: { ...found, runs: to - from }, canary, seed });
}

parentPort?.on('message', (job: StudyJob) => {
  run(job).then(
    (result) => parentPort?.postMessage({ result }),
    (error: unknown) => parentPort?.postMessage({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
