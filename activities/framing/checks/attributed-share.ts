import { z } from 'zod';
import { answersSql, hasImpressions } from '../answers.ts';
import { count, defineCheck, inKinds, kinds, measureShare, notMeasured } from '../check.ts';

/** Share of such events whose item their unit had been shown within the attribution window before: what the slate can take credit for. */
export const attributedShare = defineCheck({
  params: z.strictObject({ kinds, attributionMs: count.optional() }),
  measure: async (framing, { attributionMs = framing.settings.reward.attributionMs, ...params }) => {
    if (!(await hasImpressions(framing))) return notMeasured('share', 'there are no impressions: nobody knows what an answer answers');
    const answers = answersSql(`kind IN ${inKinds(framing.settings, params.kinds)}`);
    return measureShare(
      framing,
      `SELECT unit AS cluster, 1 AS a, CAST(coalesce(at_ms - shown_ms <= ${attributionMs}, false) AS INTEGER) AS b FROM (${answers})`,
    );
  },
});
