import { UnderstudyError } from '../../../models/contracts/problem.ts';

/**
 * A log of single decisions, a row each; all arrays are of one length.
 * A log of slates is one row a slot, with `position` and the slate's user as `cluster`.
 */
export type LoggedRows = {
  /** Reward of the logged action. */
  reward: Float64Array;
  /** Probability that the logging policy gave the logged action, in (0, 1]. */
  propensity: Float64Array;
  /** Probability that the target policy gives it, in [0, 1]. */
  target: Float64Array;
  /** Predicted reward of the logged action. */
  qLogged?: Float64Array | undefined;
  /** Predicted reward under the target policy: sum over actions of target probability times prediction. */
  qTarget?: Float64Array | undefined;
  /** Slot of a slate, from 0; for the diagnostics. */
  position?: Int32Array | undefined;
  /** Rows of one cluster (a user, a session) are not independent of each other. Numbers from 0, none left out. */
  cluster?: Int32Array | undefined;
  /**
   * Where several policies logged: whose row it is (from 0), and the probability of the row's action under each of them, [policies][rows]; `propensity`
   * is then the row's own policy's. Weights are balanced: see weightsOf.
   */
  pooled?: { policy: Int32Array; propensities: readonly Float64Array[] } | undefined;
  /** What the logging probabilities of all actions of the row sum to, where that was logged. */
  propensitySum?: Float64Array | undefined;
  /** Whole numbers from 0, the same for what was logged twice. */
  id?: Int32Array | undefined;
  /** Rows that were left out since their propensity is not known. */
  withoutPropensity?: number | undefined;
};

/** Numbers beyond these have squares of squares that are none. */
const [mostReward, mostWeight] = [1e50, 1e15];

/**
 * @throws UND-NO-DATA without rows; UND-INPUT naming the first row that cannot be: an array of another length, a number that is none, a
 * propensity outside (0, 1], a target outside [0, 1], half a reward model, a cluster or an id that is no whole number from 0.
 */
export function checkRows(rows: LoggedRows): void {
  const { reward, propensity, target, qLogged, qTarget, position, cluster, propensitySum, id, pooled } = rows;
  const count = reward.length;
  if (count === 0) throw new UnderstudyError('UND-NO-DATA', 'The log has no rows');
  if ((qLogged === undefined) !== (qTarget === undefined))
    throw new UnderstudyError('UND-INPUT', 'A reward model needs both columns: the prediction for the logged action and the one under the target policy');
  const refuse = (row: number, what: string): never => {
    const among = (rows.withoutPropensity ?? 0) > 0 ? ' of those with a propensity' : '';
    throw new UnderstudyError('UND-INPUT', `Row ${row + 1}${among}: ${what}`);
  };
  for (const [name, values] of Object.entries({ propensity, target, qLogged, qTarget, position, cluster, propensitySum, id, policy: pooled?.policy })) {
    if (values !== undefined && values.length !== count) throw new UnderstudyError('UND-INPUT', `${values.length} values of ${name} for ${count} rows`);
  }
  for (let row = 0; row < count; row += 1) {
    const logged = propensity[row] as number;
    const wanted = target[row] as number;
    if (!isReward(reward[row])) refuse(row, `the reward is ${reward[row]}`);
    if (!(logged > 0 && logged <= 1)) refuse(row, `the propensity is ${logged}, not above 0 and at most 1: an action that could not be logged was logged`);
    if (!(wanted >= 0 && wanted <= 1)) refuse(row, `the target probability is ${wanted}, not between 0 and 1`);
    if (wanted > mostWeight * logged) refuse(row, `the target probability is ${wanted} where the propensity is ${logged}: no log can carry such a weight`);
    if (qLogged !== undefined && !(isReward(qLogged[row]) && isReward(qTarget?.[row]))) refuse(row, 'a predicted reward is not a number');
    if (cluster !== undefined && (cluster[row] as number) < 0) refuse(row, `the cluster is ${cluster[row]}, not a whole number from 0`);
    if (id !== undefined && (id[row] as number) < 0) refuse(row, `the id is ${id[row]}, not a whole number from 0`);
  }
  if (pooled !== undefined) checkPooled(rows, pooled, refuse);
}

function isReward(value: number | undefined): boolean {
  return Math.abs(value ?? Number.NaN) <= mostReward;
}

function checkPooled(
  { propensity }: LoggedRows,
  { policy, propensities }: NonNullable<LoggedRows['pooled']>,
  refuse: (row: number, what: string) => never,
): void {
  const count = propensity.length;
  for (const [place, values] of propensities.entries()) {
    if (values.length !== count) throw new UnderstudyError('UND-INPUT', `${values.length} propensities of logging policy ${place + 1} for ${count} rows`);
    for (let row = 0; row < count; row += 1) {
      const value = values[row] as number;
      if (!(value >= 0 && value <= 1)) refuse(row, `the propensity under logging policy ${place + 1} is ${value}, not between 0 and 1`);
    }
  }
  for (let row = 0; row < count; row += 1) {
    const own = propensities[policy[row] as number]?.[row];
    if (own === undefined) refuse(row, `the logging policy is number ${(policy[row] as number) + 1} of ${propensities.length}`);
    else if (Math.abs(own - (propensity[row] as number)) > 1e-9)
      refuse(row, `the propensity is ${propensity[row]}, and ${own} under the policy that logged it: one of them is wrong`);
  }
}

/**
 * Importance weights: target over logging probability. Of a log that several policies wrote, over the probability that any of them logs the action, each
 * by its part of the rows: the balance heuristic (Veach and Guibas, "Optimally combining sampling techniques", SIGGRAPH 1995, eq. 10; for logged
 * policies Agarwal, Basu, Schnabel and Joachims, "Effective evaluation using logged bandit feedback from multiple loggers", KDD 2017, sec. 4). It
 * needs support by one of the policies only, and a row that another policy would have logged gladly does not weigh much.
 */
export function weightsOf({ propensity, target, pooled }: Pick<LoggedRows, 'propensity' | 'target' | 'pooled'>): Float64Array {
  const weights = new Float64Array(propensity.length);
  if (pooled === undefined) {
    for (let row = 0; row < weights.length; row += 1) weights[row] = (target[row] as number) / (propensity[row] as number);
    return weights;
  }
  const parts = new Float64Array(pooled.propensities.length);
  for (const own of pooled.policy) parts[own] = (parts[own] as number) + 1;
  for (let policy = 0; policy < parts.length; policy += 1) parts[policy] = (parts[policy] as number) / weights.length;
  for (let row = 0; row < weights.length; row += 1) {
    let mixture = 0;
    for (let policy = 0; policy < parts.length; policy += 1) mixture += (parts[policy] as number) * (pooled.propensities[policy]?.[row] as number);
    weights[row] = (target[row] as number) / mixture;
  }
  return weights;
}
