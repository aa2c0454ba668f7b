import { UnderstudyError } from '../../../models/contracts/problem.ts';
import { createRandom } from '../../../models/random.ts';
import type { LoggedRows } from './logged-rows.ts';

/** Propensities that differ by less are the same. */
const tolerance = 1e-9;

/**
 * Replay by rejection: a row counts where an action drawn from the target policy is the logged one (Li, Chu, Langford and Wang, "Unbiased offline evaluation
 * of contextual-bandit-based news article recommendation algorithms", WSDM 2011, algorithm 2). The rows that are left are as if the target had logged
 * them, but only if every action was equally likely: a log of another policy leaves those that it liked itself.
 *
 * @returns [rows] 1 where the row counts, 0 elsewhere; their mean reward is the estimate
 * @throws UND-INPUT where the log was not drawn uniformly; UND-NO-DATA where no row is left
 */
export function acceptedRows({ propensity, target, pooled }: Pick<LoggedRows, 'propensity' | 'target' | 'pooled'>, seed: number): Float64Array {
  if (pooled !== undefined) throw new UnderstudyError('UND-INPUT', 'Replay needs a log of one policy that drew uniformly; this one is of several');
  let [least, most] = [Number.POSITIVE_INFINITY, 0];
  for (let row = 0; row < propensity.length; row += 1) {
    least = Math.min(least, propensity[row] as number);
    most = Math.max(most, propensity[row] as number);
  }
  if (most - least > tolerance)
    throw new UnderstudyError(
      'UND-INPUT',
      `Replay needs a log that was drawn uniformly; its propensities go from ${least.toPrecision(3)} to ${most.toPrecision(3)}`,
    );
  const random = createRandom(seed);
  const accepted = new Float64Array(propensity.length);
  let left = 0;
  for (let row = 0; row < accepted.length; row += 1) {
    if (random.float() >= (target[row] as number)) continue;
    accepted[row] = 1;
    left += 1;
  }
  if (left === 0) throw new UnderstudyError('UND-NO-DATA', 'Replay has no row left: the target would have done none of what was logged');
  return accepted;
}
