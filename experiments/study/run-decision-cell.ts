import { boundsOf, evaluateRows, scoreLift, type RowsEvaluation } from '../counterfactual/single-slot/evaluate-rows.ts';
import { type EstimatorName, estimatorNames } from '../counterfactual/single-slot/estimators.ts';
import { clusterScores, type IntervalKind, intervalKinds, intervalOf } from '../counterfactual/single-slot/intervals.ts';
import { defaultLimits, type DiagnosticLimits, objections } from '../counterfactual/single-slot/limits.ts';
import { type LoggedRows, weightsOf } from '../counterfactual/single-slot/logged-rows.ts';
import { makeDecisionWorld, type DecisionWorld } from '../simulator/decision-world.ts';
import { decisionLogs } from '../simulator/draw-decisions.ts';
import type { DecisionCell } from './decision-cells.ts';
import { seedOf, shortDigest } from './seeds.ts';
import { type Deviation, deviate, type Misses, miss, noDeviation, noMisses } from './tally.ts';

export const level = 0.95;
/** The slow kinds of intervals are made for so many logs of a cell only. */
export const slowReplications = 200;
const bootstrapReplications = 200;
/** So many logs of each cell are named by a digest, so that a change of what comes out is seen without running them all. */
export const digestedReplications = 50;

/** Sums over logs of one cell; those of two parts of the logs can be added. */
export type DecisionTally = {
  replications: number;
  /** Logs to which the diagnostics have no objection. */
  verdicts: number;
  refusals: Partial<Record<keyof DiagnosticLimits, number>>;
  better: number;
  worse: number;
  essLift: number;
  /** Estimated lift minus the true one; of logs with a verdict. */
  lift: Deviation;
  /** Of the lift, of logs with a verdict. `verdict` is the one that the verdict reads. */
  intervals: Record<IntervalKind | 'verdict', Misses>;
  /** Each estimator's value, of all logs, whether they can carry it or not; with the normal interval. */
  estimators: Partial<Record<EstimatorName, { value: Deviation; interval: Misses }>>;
};

function emptyTally(): DecisionTally {
  const kinds = [...intervalKinds, 'verdict'] as const;
  return {
    replications: 0,
    verdicts: 0,
    refusals: {},
    better: 0,
    worse: 0,
    essLift: 0,
    lift: noDeviation(),
    intervals: Object.fromEntries(kinds.map((kind) => [kind, noMisses()])) as DecisionTally['intervals'],
    estimators: {},
  };
}

type Part = { cell: DecisionCell; seed: number; from: number; to: number };

/** Draws the logs `from` to `to` - 1 of a cell and evaluates each as `understudy ope` does. The same seed, the same tally, wherever it runs. */
export function runDecisionCell({ cell, seed, from, to }: Part): DecisionTally {
  const world = makeDecisionWorld(cell.settings);
  const draw = decisionLogs(world);
  const tally = emptyTally();
  for (let replication = from; replication < to; replication += 1) {
    const rows = draw(seedOf({ cell: cell.id, seed, replication }));
    const found = evaluateRows(rows, { level });
    count({ tally, world, found, rows, replication });
  }
  return tally;
}

/** What the first logs of a cell came to, in twelve digits of a digest. */
export function digestDecisionCell({ cell, seed }: Pick<Part, 'cell' | 'seed'>): string {
  const draw = decisionLogs(makeDecisionWorld(cell.settings));
  const lines = Array.from({ length: digestedReplications }, (_, replication) => {
    const { estimators, lift, diagnostics } = evaluateRows(draw(seedOf({ cell: cell.id, seed, replication })), { level });
    const against = objections(diagnostics, defaultLimits).map(({ limit }) => limit);
    const figures = [...Object.values(estimators).flatMap(({ value, low, high }) => [value, low, high]), lift.value, lift.low, lift.high];
    // Nine digits: the last ones may differ between processors.
    return `${figures.map((one) => one.toPrecision(9)).join(' ')} ${against.join(' ')}`;
  });
  return shortDigest(lines);
}

type Counted = { tally: DecisionTally; world: DecisionWorld; found: RowsEvaluation; rows: LoggedRows; replication: number };

function count({ tally, world: { truth }, found, rows, replication }: Counted): void {
  tally.replications += 1;
  tally.essLift += found.diagnostics.essLift;
  for (const name of estimatorNames) {
    const estimate = found.estimators[name];
    if (estimate === undefined) continue;
    const own = tally.estimators[name] ?? { value: noDeviation(), interval: noMisses() };
    tally.estimators[name] = own;
    deviate(own.value, estimate.value - truth.target);
    miss(own.interval, estimate, truth.target);
  }
  const against = objections(found.diagnostics, defaultLimits);
  for (const { limit } of against) tally.refusals[limit] = (tally.refusals[limit] ?? 0) + 1;
  if (against.length > 0) return;
  tally.verdicts += 1;
  if (found.verdict === 'better') tally.better += 1;
  if (found.verdict === 'worse') tally.worse += 1;
  deviate(tally.lift, found.lift.value - truth.lift);
  miss(tally.intervals.verdict, found.lift, truth.lift);
  const { sample, value } = sampleOfLift({ rows, found });
  const bounds = boundsOf(sample.scores);
  for (const kind of intervalKinds) {
    if ((kind === 'bootstrap' || kind === 'betting') && replication >= slowReplications) continue;
    const interval = intervalOf(kind, { sample, value, level, seed: replication + 1, replications: bootstrapReplications, bounds });
    miss(tally.intervals[kind], interval, truth.lift);
  }
}

function sampleOfLift({ rows, found }: { rows: LoggedRows; found: RowsEvaluation }) {
  const scores = new Float64Array(rows.reward.length);
  const { value } = scoreLift({ rows, weights: weightsOf(rows), parameters: found.hyperparameters, scores });
  return { sample: clusterScores({ scores, cluster: rows.cluster, clusters: found.diagnostics.clusters }), value };
}
