import { type ProblemCode, UnderstudyError } from '../../../models/contracts/problem.ts';
import type { Interval, Verdict } from '../../../models/contracts/verdict.ts';
import { chooseHyperparameters } from './choose-hyperparameters.ts';
import { type Diagnostics, diagnose } from './diagnostics.ts';
import { type EstimatorName, type Hyperparameters, possibleEstimators, scoreRows } from './estimators.ts';
import { clusterScores, type IntervalKind, intervalOf } from './intervals.ts';
import { defaultLimits, type DiagnosticLimits, objections } from './limits.ts';
import { checkRows, type LoggedRows, weightsOf } from './logged-rows.ts';
import { acceptedRows } from './replay.ts';

export type Estimate = Interval & { standardError: number };
export type RowsEvaluation = {
  rows: number;
  estimators: Partial<Record<EstimatorName, Estimate>>;
  /** Of a log that was drawn uniformly; of another, why not. */
  replay: (Estimate & { accepted: number }) | { code: ProblemCode; reason: string };
  hyperparameters: Hyperparameters;
  /** The log's own mean reward: what the logging policy earned. */
  logged: Estimate;
  /**
   * The target's value minus the logging policy's, paired by row; by SNDR, or SNIPS where there is no reward model. The verdict reads its ends: they are
   * those of the empirical likelihood, with the freedom that `essLift` leaves (docs/study.md shows how often they hold), whatever `interval` asks for.
   */
  lift: Estimate & { estimator: EstimatorName };
  diagnostics: Diagnostics;
  verdict: Verdict;
  reasons: string[];
};

export type RowsSettings = {
  hyperparameters?: Partial<Hyperparameters>;
  interval?: IntervalKind;
  level?: number;
  limits?: DiagnosticLimits;
  seed?: number;
  replications?: number;
};

/**
 * Every estimator that the log allows, with intervals, diagnostics and the verdict on the target policy against the logging one.
 * @throws UND-INPUT, UND-NO-DATA: see checkRows
 */
export function evaluateRows(rows: LoggedRows, settings: RowsSettings = {}): RowsEvaluation {
  const { interval = 'normal', level = 0.95, limits = defaultLimits, seed = 1, replications = 1000 } = settings;
  checkRows(rows);
  const count = rows.reward.length;
  const weights = weightsOf(rows);
  const clusters = rows.cluster === undefined ? count : countClusters(rows.cluster);
  const parameters = chooseHyperparameters({ rows, weights }, settings.hyperparameters ?? {});
  const scores = new Float64Array(count);
  const summarize = (value: number, kind: IntervalKind = interval, freedom?: number): Estimate => {
    const sample = clusterScores({ scores, cluster: rows.cluster, clusters });
    return {
      ...intervalOf(kind, { sample, value, level, seed, replications, bounds: boundsOf(sample.scores), freedom }),
      standardError: finite(sample.standardError),
    };
  };

  const weightSample = clusterScores({ scores: weights, cluster: rows.cluster, clusters });
  const diagnostics = diagnose({ rows, weights, weightSample });
  const possible = possibleEstimators(rows);
  const estimators: RowsEvaluation['estimators'] = {};
  for (const name of possible) {
    const value = scoreRows(name, { rows, weights, parameters, scores });
    estimators[name] = summarize(value);
  }
  const replay = asData(() => {
    const accepted = acceptedRows(rows, seed);
    const value = scoreRows('snips', { rows, weights: accepted, parameters, scores });
    return { ...summarize(value), accepted: accepted.reduce((sum, one) => sum + one, 0) };
  });
  scores.set(rows.reward);
  const logged = summarize(meanOf(rows.reward));
  const { value, estimator } = scoreLift({ rows, weights, parameters, scores });
  const lift = { ...summarize(value, 'empirical-likelihood', diagnostics.essLift), estimator };
  return { rows: count, estimators, replay, hyperparameters: parameters, logged, lift, diagnostics, ...judge({ lift, logged, diagnostics, limits }) };
}

/** @param scores written to, [rows]: their mean is the lift */
export function scoreLift(input: { rows: LoggedRows; weights: Float64Array; parameters: Hyperparameters; scores: Float64Array }): {
  value: number;
  estimator: EstimatorName;
} {
  const { reward, qLogged } = input.rows;
  const estimator = qLogged === undefined ? 'snips' : 'sndr';
  const value = scoreRows(estimator, input) - meanOf(reward);
  for (let row = 0; row < reward.length; row += 1) input.scores[row] = (input.scores[row] as number) - (reward[row] as number);
  return { value, estimator };
}

function meanOf(values: Float64Array): number {
  let sum = 0;
  for (let row = 0; row < values.length; row += 1) sum += values[row] as number;
  return sum / values.length;
}

/** Policies that do the same differ by rounding, which is no verdict. */
const rounding = 1e-12;

type Judged = Pick<RowsEvaluation, 'lift' | 'logged' | 'diagnostics'> & { limits: DiagnosticLimits };

function judge({ lift, logged, diagnostics, limits }: Judged): { verdict: Verdict; reasons: string[] } {
  const against = objections(diagnostics, limits);
  if (against.length > 0) return { verdict: 'not-enough-evidence', reasons: against.map(({ sentence }) => sentence) };
  const range = `the target earns ${lift.low.toPrecision(4)} to ${lift.high.toPrecision(4)} more a row than what was logged (${lift.estimator})`;
  const nothing = rounding * Math.abs(logged.value);
  if (lift.low > nothing) return { verdict: 'better', reasons: [range] };
  if (lift.high < -nothing) return { verdict: 'worse', reasons: [range] };
  return { verdict: 'not-enough-evidence', reasons: [`the lift may lie on either side of 0: ${range}`] };
}

/** Of the scores that are there: an estimate of the a priori bounds, which the log does not know. */
export function boundsOf(scores: Float64Array): { low: number; high: number } {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let index = 0; index < scores.length; index += 1) {
    low = Math.min(low, scores[index] as number);
    high = Math.max(high, scores[index] as number);
  }
  return { low, high };
}

function asData<T>(work: () => T): T | { code: ProblemCode; reason: string } {
  try {
    return work();
  } catch (error) {
    if (error instanceof UnderstudyError) return { code: error.code, reason: error.message };
    throw error;
  }
}

function countClusters(cluster: Int32Array): number {
  let most = -1;
  for (let row = 0; row < cluster.length; row += 1) most = Math.max(most, cluster[row] as number);
  return most + 1;
}

const finite = (value: number): number => (Number.isFinite(value) ? value : 0);
