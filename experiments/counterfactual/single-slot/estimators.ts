import type { LoggedRows } from './logged-rows.ts';

/** Caps and shrinkage; each may be given or chosen from the data (choose-hyperparameter.ts). */
export type Hyperparameters = { clip: number; switch: number; shrinkage: number };

/** A weight's replacement, a baseline or none, and whether the correction is divided by the mean weight instead of by 1. */
type Form = { weight: (weight: number, parameters: Hyperparameters) => number; model: boolean; selfNormalized?: boolean; direct?: boolean };

const plain = (weight: number) => weight;

/**
 * Every estimator is the mean of  q_t + v(w) (r - q),  w the importance weight, q and q_t the reward model's prediction for the logged action and
 * under the target policy (0 for those without a model). They differ in v:
 */
export const estimatorForms = {
  /** v = w. Horvitz and Thompson 1952. */
  ips: { weight: plain, model: false },
  /** v = w / mean w. Swaminathan and Joachims 2015, eq. 10. */
  snips: { weight: plain, model: false, selfNormalized: true },
  /** v = min(w, clip). Ionides 2008; Bottou et al. 2013, sec. 4. */
  'ips-clipped': { weight: (weight, { clip }) => Math.min(weight, clip), model: false },
  /** v = 0: the reward model alone. */
  dm: { weight: () => 0, model: true, direct: true },
  /** v = w. Dudík, Langford and Li 2011, eq. 1. */
  dr: { weight: plain, model: true },
  /** v = w / mean w. Kallus and Uehara 2019, sec. 3. */
  sndr: { weight: plain, model: true, selfNormalized: true },
  /** v = w where w <= switch, else 0. Wang, Agarwal and Dudík 2017, sec. 4. */
  'switch-dr': { weight: (weight, parameters) => (weight <= parameters.switch ? weight : 0), model: true },
  /** v = shrinkage w / (w^2 + shrinkage). Su, Dimakopoulou, Krishnamurthy and Dudík 2020, eq. 6. */
  'dr-os': { weight: (weight, { shrinkage }) => weight / (1 + (weight * weight) / shrinkage), model: true },
} as const satisfies Record<string, Form>;

export type EstimatorName = keyof typeof estimatorForms;
export const estimatorNames = Object.keys(estimatorForms) as EstimatorName[];

/** The estimators that the log's columns allow. */
export function possibleEstimators(rows: Pick<LoggedRows, 'qLogged'>): EstimatorName[] {
  return estimatorNames.filter((name) => !estimatorForms[name].model || rows.qLogged !== undefined);
}

/**
 * Scores whose mean is the estimate, and whose spread is that of the estimate: score - value is the influence of the row (for the
 * self-normalized ones linearized, the delta method; Owen, "Monte Carlo theory, methods and examples", ch. 9.2).
 * @param scores written to, [rows]
 * @returns the estimate
 */
export function scoreRows(
  name: EstimatorName,
  { rows, weights, parameters, scores }: { rows: LoggedRows; weights: Float64Array; parameters: Hyperparameters; scores: Float64Array },
): number {
  const form: Form = estimatorForms[name];
  const { reward, qLogged, qTarget } = rows;
  const count = reward.length;
  const useModel = form.model && qLogged !== undefined && qTarget !== undefined;
  let baseline = 0;
  let correction = 0;
  let weightSum = 0;
  for (let row = 0; row < count; row += 1) {
    const weight = form.weight(weights[row] as number, parameters);
    scores[row] = weight;
    const predicted = useModel ? (qLogged[row] as number) : 0;
    if (useModel) baseline += qTarget[row] as number;
    correction += weight * ((reward[row] as number) - predicted);
    weightSum += weight;
  }
  const meanBaseline = baseline / count;
  const divisor = form.selfNormalized === true ? weightSum / count : 1;
  // No weight at all: nothing of the log speaks for the target, and the correction is nothing.
  const meanCorrection = divisor === 0 ? 0 : correction / count / divisor;
  const centre = form.selfNormalized === true ? meanCorrection : 0;
  for (let row = 0; row < count; row += 1) {
    const predicted = useModel ? (qLogged[row] as number) : 0;
    const own = divisor === 0 ? 0 : ((scores[row] as number) * ((reward[row] as number) - predicted - centre)) / divisor;
    scores[row] = (useModel ? (qTarget[row] as number) : 0) + own + centre;
  }
  return meanBaseline + meanCorrection;
}
