import { studentAbove } from '../student.ts';

/**
 * Does one model lie farther from others than these lie from each other? `distances[a][b]` is how far two models are apart, by whatever measures it; those in `others`
 * are trainings that would be as far from one another as from it if nothing had moved. The unit is the training: all entities of one share its luck, so that a test over
 * entities would take one lucky seed for thousands of witnesses.
 *
 * With s_m the mean distance of model m from all others, of k others: t = (s − mean s_o) / (sd(s_o) √(1 + 1/k)) has Student's distribution of k − 1 degrees of freedom where
 * the s are exchangeable and normal, which as means over entities they are nearly; that each distance stands in two of them makes them equally correlated, which
 * cancels. One-sided: models that are nearer than trainings are is no drift. Where another is as far as the model, the p-value is that of its rank at least, so that beside 19
 * others the level of 5 % holds whatever the distribution (a few trainings may end elsewhere than most).
 *
 * @returns `ratio`: mean distance from the others, over the mean distance among them.
 * @throws RangeError for fewer than 2 others
 */
export function beyondRetraining(distances: readonly (readonly number[])[], { model, others }: { model: number; others: readonly number[] }): RetrainingTest {
  if (others.length < 2) throw new RangeError(`noise of retraining needs 2 trainings to compare, not ${others.length}`);
  const all = [...others, model];
  const away = all.map((one) => meanOf(all.filter((other) => other !== one).map((other) => distances[one]?.[other] as number)));
  const own = away.at(-1) as number;
  const theirs = away.slice(0, -1);
  const [k, mean] = [theirs.length, meanOf(theirs)];
  const spread = Math.sqrt(theirs.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (k - 1));
  const among = meanOf(others.flatMap((one, at) => others.slice(at + 1).map((other) => distances[one]?.[other] as number)));
  const own2 = meanOf(others.map((other) => distances[model]?.[other] as number));
  const difference = own - mean;
  // Trainings that come out the same to the last bit leave nothing to divide by: any difference is more than none.
  const t = spread > 1e-12 * Math.abs(mean) ? difference / (spread * Math.sqrt(1 + 1 / k)) : difference > 1e-12 * Math.abs(mean) ? Number.POSITIVE_INFINITY : 0;
  const asFar = theirs.filter((one) => one >= own).length;
  const p = Math.max(studentAbove(t, k - 1), asFar === 0 ? 0 : (1 + asFar) / (1 + k));
  return { t, p, ratio: among > 0 ? own2 / among : own2 > 0 ? Number.POSITIVE_INFINITY : 1, retrainings: k };
}

export type RetrainingTest = { t: number; p: number; ratio: number; retrainings: number };

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
