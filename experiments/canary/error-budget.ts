/*
 * Everything for which a release rolls a challenger back by itself shares the charter's `alpha`: a challenger in which nothing is wrong is rolled back,
 * for whatever reason, with probability `alpha` at most. Each reason has an e-process of its own, which reaches 1 / x with probability x at most
 * (Ville 1939), and rolls back at 1 / (its part of alpha): by the union bound the parts add up (weighted Bonferroni with e-values: Vovk and Wang,
 * "E-values: calibration, combination and applications", Annals of Statistics 49(3), 2021). The parts of the guardrails may be small, since
 * half the part costs a guardrail a few slates more, and the reward a day.
 */
const parts = {
  reward: 0.94,
  'sample-ratio': 0.02,
  errors: 0.01,
  fallbacks: 0.01,
  slow: 0.01,
  'unseen-errors': 0.005,
  'unseen-slow': 0.005,
} as const;
export type RollbackReason = keyof typeof parts;
export const rollbackReasons = Object.keys(parts) as RollbackReason[];

/** Probability with which this reason rolls back a challenger that gives none, over all looks of a release. Promotion has an `alpha` of its own. */
export function rollbackAlpha(reason: RollbackReason, alpha: number): number {
  return parts[reason] * alpha;
}
