import { z } from 'zod';
import { defineCheck, inKinds, kinds, measureQuantile, share } from '../check.ts';

/** Quantile, over known users, of how many such events each has. */
export const historyLength = defineCheck({
  params: z.strictObject({ kinds, quantile: share.default(0.5) }),
  measure: (framing, params) =>
    measureQuantile(framing, {
      rows: `SELECT unit AS cluster, count(*) AS value FROM merged WHERE unit[1] = 'u' AND kind IN ${inKinds(framing.settings, params.kinds)} GROUP BY unit`,
      quantile: params.quantile,
      unit: 'events',
    }),
});
