import type { Agreement, TrackRecord } from '../../models/contracts/agreement.ts';
import type { CanaryDecision } from '../../models/contracts/canary.ts';
import type { CounterfactualResult } from '../../models/contracts/counterfactual.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { signedPercent } from '../percent.ts';

type Lifts = Pick<Agreement, 'predicted' | 'observed'>;

/**
 * The log's prediction beside the canary's stopped confidence sequence, both as shares of the champion's own mean. Null where one of them has none: no
 * estimate, or a champion that earned nothing.
 */
export function compareLifts({ counterfactual, decision }: { counterfactual: CounterfactualResult | null; decision: CanaryDecision }): Lifts | null {
  const foretold = counterfactual?.champion?.value ?? 0;
  const seen = decision.champion.ripe === 0 ? 0 : decision.champion.rewardSum / decision.champion.ripe;
  if (counterfactual === null || foretold <= 0 || seen <= 0 || decision.challenger.ripe === 0) return null;
  return {
    predicted: { verdict: counterfactual.verdict, lift: shareOf(counterfactual.lift, foretold) },
    observed: { verdict: decision.verdict, lift: shareOf(decision.lift, seen) },
  };
}

/** What a surface's agreements come to; undefined without any. */
export function trackRecordOf(agreements: readonly Lifts[]): TrackRecord | undefined {
  const canaries = agreements.length;
  if (canaries === 0) return undefined;
  const compatible = agreements.filter(
    ({ predicted, observed }) => predicted.lift.low <= observed.lift.high && observed.lift.low <= predicted.lift.high,
  ).length;
  const decided = agreements.filter(({ predicted, observed }) => predicted.verdict !== 'not-enough-evidence' && observed.verdict !== 'not-enough-evidence');
  const sameVerdict = decided.filter(({ predicted, observed }) => predicted.verdict === observed.verdict).length;
  const meanGap = agreements.reduce((sum, { predicted, observed }) => sum + observed.lift.value - predicted.lift.value, 0) / canaries;
  const both = decided.length === 0 ? 'it never came to a verdict where the canary did' : `of ${decided.length} verdicts ${sameVerdict} came true`;
  const sentence = `in ${canaries} ${canaries === 1 ? 'canary' : 'canaries'} of this surface so far, what was seen lay within what the log foretold ${compatible} times; ${both}; seen minus foretold was ${signedPercent(meanGap)} of the champion's mean on average`;
  return { canaries, compatible, bothDecided: decided.length, sameVerdict, meanGap, sentence };
}

function shareOf({ value, low, high }: Interval, whole: number): Interval {
  return { value: value / whole, low: low / whole, high: high / whole };
}
