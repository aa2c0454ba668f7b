import { type EstimatorName, estimatorForms, type Hyperparameters } from './estimators.ts';
import type { LoggedRows } from './logged-rows.ts';

type Settings = { rows: LoggedRows; weights: Float64Array };
type Rung = { value: number; standardError: number; biasBound: number };

/** Weight's quantiles that are tried as caps, least biased first. */
const quantiles = [1, 0.9999, 0.999, 0.995, 0.99, 0.98, 0.95, 0.9, 0.8, 0.7, 0.5];

/** Weights below this are none: their squares are not numbers. */
const least = 1e-100;

const tunable = { clip: 'ips-clipped', switch: 'switch-dr', shrinkage: 'dr-os' } as const satisfies Record<keyof Hyperparameters, EstimatorName>;

/**
 * Each parameter by Lepski's rule (SLOPE: Su, Srinath and Krishnamurthy 2020, sec. 3): from the least biased candidate on, the last one whose interval
 * still meets all before it. Intervals of rare rewards are wide enough to meet nearly anything, so a candidate must also be within its own standard
 * error of what it leaves out: the bias that the log itself shows, mean (w - v(w)) (r - q), plus one standard error of it. So a cap that
 * throws away two fifths of the target's mass is not taken for its short interval.
 *
 * @param given parameters that are not to be chosen
 */
export function chooseHyperparameters({ rows, weights }: Settings, given: Partial<Hyperparameters>): Hyperparameters {
  const caps = capsOf(weights);
  const choose = (name: keyof Hyperparameters, grid: readonly number[]): number =>
    given[name] ?? slope(grid, (parameter) => measure(tunable[name], { rows, weights }, { name, parameter }));
  return {
    clip: choose('clip', caps),
    switch: choose('switch', caps),
    // At w the shrunk weight is w / (1 + w^2 / shrinkage): half of it where shrinkage is w^2.
    shrinkage: choose(
      'shrinkage',
      [100, 10, 1].flatMap((factor) => (factor === 1 ? caps.map((cap) => cap * cap) : [(caps[0] ?? 1) ** 2 * factor])),
    ),
  };
}

function capsOf(weights: Float64Array): number[] {
  // A sample is enough for a grid, and sorting ten million weights is not.
  const step = Math.max(1, Math.floor(weights.length / 100_000));
  const sample = Float64Array.from({ length: Math.ceil(weights.length / step) }, (_, index) => weights[index * step] as number).sort();
  let most = 0;
  for (let row = 0; row < weights.length; row += 1) most = Math.max(most, weights[row] as number);
  const caps = quantiles.map((quantile) => (quantile === 1 ? most : (sample[Math.floor(quantile * (sample.length - 1))] as number)));
  return [...new Set(caps.filter((cap) => cap > least))].concat(most > least ? [] : [1]);
}

/** Measures no further than it must. */
function slope(grid: readonly number[], measured: (parameter: number) => Rung): number {
  let low = Number.NEGATIVE_INFINITY;
  let high = Number.POSITIVE_INFINITY;
  let chosen = grid[0] as number;
  for (const [place, parameter] of grid.entries()) {
    const rung = measured(parameter);
    low = Math.max(low, rung.value - 2 * rung.standardError);
    high = Math.min(high, rung.value + 2 * rung.standardError);
    if (place > 0 && (low > high || rung.biasBound > rung.standardError)) break;
    chosen = parameter;
  }
  return chosen;
}

/** By row, whatever the clusters: for choosing, the order of magnitude will do. */
function measure(estimator: EstimatorName, { rows, weights }: Settings, { name, parameter }: { name: keyof Hyperparameters; parameter: number }): Rung {
  const form = estimatorForms[estimator];
  const parameters = { clip: 0, switch: 0, shrinkage: 0, [name]: parameter };
  const { reward, qLogged, qTarget } = rows;
  const count = reward.length;
  const useModel = form.model && qLogged !== undefined && qTarget !== undefined;
  let [sum, squares, lost, lostSquares] = [0, 0, 0, 0];
  for (let row = 0; row < count; row += 1) {
    const weight = weights[row] as number;
    const used = form.weight(weight, parameters);
    const residual = (reward[row] as number) - (useModel ? (qLogged[row] as number) : 0);
    const score = used * residual + (useModel ? (qTarget[row] as number) : 0);
    const left = (weight - used) * residual;
    sum += score;
    squares += score * score;
    lost += left;
    lostSquares += left * left;
  }
  const errorOf = (total: number, ofSquares: number) => Math.sqrt(Math.max(0, ofSquares / count - (total / count) ** 2) / count);
  return {
    value: sum / count,
    standardError: errorOf(sum, squares),
    biasBound: Math.abs(lost / count) + errorOf(lost, lostSquares),
  };
}
