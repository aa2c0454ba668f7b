import { percent } from '../../percent.ts';
import type { Diagnostics } from './diagnostics.ts';

export type DiagnosticLimits = {
  minEss: number;
  minEssRewarded: number;
  minEssLift: number;
  maxWeightShare: number;
  maxTailIndex: number;
  minMeanWeightP: number;
  maxUnsupportedMass: number;
  minDriftP: number;
  maxBadSumShare: number;
  maxDuplicateShare: number;
  maxMissingShare: number;
};
/** Each is shown to hold by the study of experiments/study. */
export const defaultLimits: DiagnosticLimits = {
  minEss: 100,
  minEssRewarded: 20,
  minEssLift: 8,
  maxWeightShare: 0.05,
  maxTailIndex: 0.7,
  minMeanWeightP: 0.001,
  maxUnsupportedMass: 0.05,
  minDriftP: 0.001,
  maxBadSumShare: 0.001,
  maxDuplicateShare: 0.001,
  maxMissingShare: 0.01,
};

export type Objection = { limit: keyof DiagnosticLimits; sentence: string };

/** The limits that are broken, each with a sentence for a person; none: the log can carry an estimate. */
export function objections(found: Diagnostics, limits: DiagnosticLimits): Objection[] {
  const checks: Record<keyof DiagnosticLimits, [broken: boolean, sentence: string]> = {
    minEss: [found.ess < limits.minEss, `the log tells as much about the target as ${found.ess.toFixed(0)} unweighted rows; ${limits.minEss} are needed`],
    minEssRewarded: [
      found.essRewarded < limits.minEssRewarded,
      `the rewards of the target rest on as much as ${found.essRewarded.toFixed(0)} unweighted rewarded rows; ${limits.minEssRewarded} are needed`,
    ],
    minEssLift: [
      found.essLift < limits.minEssLift,
      `the difference between the policies rests on as much as ${found.essLift.toFixed(0)} rewards; ${limits.minEssLift} are needed`,
    ],
    maxWeightShare: [
      found.maxWeightShare > limits.maxWeightShare,
      `one row carries ${percent(found.maxWeightShare)} of all weight; ${percent(limits.maxWeightShare)} at most`,
    ],
    maxTailIndex: [
      found.tailIndex > limits.maxTailIndex,
      `the weights have a heavy tail (index ${found.tailIndex.toFixed(2)}, ${limits.maxTailIndex} at most): the next row may change everything`,
    ],
    maxUnsupportedMass: [
      found.unsupportedMass > limits.maxUnsupportedMass,
      `at least ${percent(found.unsupportedMass)} of what the target would do could never be logged; ${percent(limits.maxUnsupportedMass)} at most`,
    ],
    minMeanWeightP: [
      found.meanWeightP < limits.minMeanWeightP,
      `the mean weight is ${found.meanWeight.toFixed(3)} where 1 is expected (p ${found.meanWeightP.toExponential(1)}): propensities are wrong, or actions are missing`,
    ],
    minDriftP: [
      found.driftP < limits.minDriftP,
      `the mean weight differs between the halves of the log (p ${found.driftP.toExponential(1)}): the propensities drift`,
    ],
    maxBadSumShare: [
      found.badSumShare > limits.maxBadSumShare,
      `the logging probabilities of ${percent(found.badSumShare)} of the rows do not sum to one over all actions; ${percent(limits.maxBadSumShare)} at most`,
    ],
    maxDuplicateShare: [
      found.duplicateShare > limits.maxDuplicateShare,
      `${percent(found.duplicateShare)} of the rows are there twice; ${percent(limits.maxDuplicateShare)} at most`,
    ],
    maxMissingShare: [
      found.missingShare > limits.maxMissingShare,
      `${percent(found.missingShare)} of the rows have no propensity and were left out; ${percent(limits.maxMissingShare)} at most`,
    ],
  };
  return (Object.keys(checks) as Objection['limit'][]).filter((limit) => checks[limit][0]).map((limit) => ({ limit, sentence: checks[limit][1] }));
}
