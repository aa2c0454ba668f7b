import { z } from 'zod';
import { answersSql, hasImpressions } from '../answers.ts';
import { count, defineCheck, inKinds, kinds, measureQuantile, notMeasured, share } from '../check.ts';

/** Quantile of the time from when a unit was last shown an item to when it answered; of answers that came within the horizon. */
export const attributionDelay = defineCheck({
  params: z.strictObject({ kinds, quantile: share.default(0.9), horizonMs: count.default(7 * 86_400_000) }),
  measure: async (framing, params) => {
    if (!(await hasImpressions(framing))) return notMeasured('ms', 'there are no impressions: nobody knows what an answer answers');
    const answers = answersSql(`kind IN ${inKinds(framing.settings, params.kinds)}`);
    const rows = `SELECT unit AS cluster, at_ms - shown_ms AS value FROM (${answers}) WHERE at_ms - shown_ms <= ${params.horizonMs}`;
    return measureQuantile(framing, { rows, quantile: params.quantile, unit: 'ms' });
  },
});
