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
};

/**
 * @throws UND-NO-DATA without rows; UND-INPUT naming the first row that cannot be: an array of another length, a number that is none, a
 * propensity outside (0, 1], a target outside [0, 1], half a reward model.
 */
export function checkRows(rows: LoggedRows): void {
  const { reward, propensity, target, qLogged, qTarget, position, cluster } = rows;
  const count = reward.length;
  if (count === 0) throw new UnderstudyError('UND-NO-DATA', 'The log has no rows');
  if ((qLogged === undefined) !== (qTarget === undefined))
    throw new UnderstudyError('UND-INPUT', 'A reward model needs both columns: the prediction for the logged action and the one under the target policy');
  const refuse = (row: number, what: string): never => {
    throw new UnderstudyError('UND-INPUT', `Row ${row + 1}: ${what}`);
  };
  for (const [name, values] of Object.entries({ propensity, target, qLogged, qTarget, position, cluster })) {
    if (values !== undefined && values.length !== count) throw new UnderstudyError('UND-INPUT', `${values.length} values of ${name} for ${count} rows`);
  }
  for (let row = 0; row < count; row += 1) {
    const logged = propensity[row] as number;
    const wanted = target[row] as number;
    if (!Number.isFinite(reward[row])) refuse(row, `the reward is ${reward[row]}`);
    if (!(logged > 0 && logged <= 1)) refuse(row, `the propensity is ${logged}, not above 0 and at most 1: an action that could not be logged was logged`);
    if (!(wanted >= 0 && wanted <= 1)) refuse(row, `the target probability is ${wanted}, not between 0 and 1`);
    if (qLogged !== undefined && !(Number.isFinite(qLogged[row]) && Number.isFinite(qTarget?.[row]))) refuse(row, 'a predicted reward is not a number');
  }
}

/** Importance weights: target over logging probability. */
export function weightsOf({ propensity, target }: Pick<LoggedRows, 'propensity' | 'target'>): Float64Array {
  const weights = new Float64Array(propensity.length);
  for (let row = 0; row < weights.length; row += 1) weights[row] = (target[row] as number) / (propensity[row] as number);
  return weights;
}
