import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { createRandom } from '../../models/random.ts';
import { type BootstrapSettings, quantile } from './grouped-means.ts';
import { meanOf } from './metrics.ts';

/* The bootstrap by user as the books have it: what `GroupedMeans` is compared with. */

/**
 * Percentile interval of the mean over users, each user one draw (Efron and Tibshirani 1993, ch. 13).
 * @throws UND-NO-DATA without values.
 */
export function bootstrapMean({ values, seed, replications = 1000, level = 0.95 }: BootstrapSettings & { values: ArrayLike<number> }): Interval {
  if (values.length === 0) throw new UnderstudyError('UND-NO-DATA', 'There is no user to measure');
  const random = createRandom(seed);
  const own = Float64Array.from(values);
  const means = new Float64Array(replications);
  for (let replication = 0; replication < replications; replication += 1) {
    let sum = 0;
    for (let draw = 0; draw < own.length; draw += 1) sum += own[random.below(own.length)] as number;
    means[replication] = sum / own.length;
  }
  means.sort();
  const tail = (1 - level) / 2;
  return { value: meanOf(own), low: quantile(means, tail), high: quantile(means, 1 - tail) };
}

/**
 * Interval of the mean of candidate minus champion, paired by user: both arrays are of the same users in the same order.
 * @throws UND-INPUT when the lengths differ, UND-NO-DATA without users.
 */
export function bootstrapLift({
  candidate,
  champion,
  ...settings
}: BootstrapSettings & { candidate: ArrayLike<number>; champion: ArrayLike<number> }): Interval {
  if (candidate.length !== champion.length)
    throw new UnderstudyError('UND-INPUT', `A paired lift needs the same users: ${candidate.length} against ${champion.length}`);
  return bootstrapMean({ values: Float64Array.from(candidate, (value, user) => value - (champion[user] as number)), ...settings });
}
