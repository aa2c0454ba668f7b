import { z } from 'zod';
import { defineCheck, inKinds, kinds, measureShare } from '../check.ts';

/** Share of such events of known users, the first of each left out, that came after the one before, not at the same time: what comes at one time has no order. */
export const orderedShare = defineCheck({
  params: z.strictObject({ kinds }),
  measure: (framing, params) =>
    measureShare(
      framing,
      `SELECT unit AS cluster, count(*) - 1 AS a, count(DISTINCT at_ms) - 1 AS b
      FROM merged WHERE unit[1] = 'u' AND kind IN ${inKinds(framing.settings, params.kinds)} GROUP BY unit`,
    ),
});
