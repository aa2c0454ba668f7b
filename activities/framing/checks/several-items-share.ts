import { z } from 'zod';
import { count, defineCheck, inKinds, kinds, measureShare } from '../check.ts';

/** Share of units with `minItems` different items in such events. */
export const severalItemsShare = defineCheck({
  params: z.strictObject({ kinds, minItems: count.default(2) }),
  measure: (framing, params) =>
    measureShare(
      framing,
      `SELECT unit AS cluster, 1 AS a, CAST(count(DISTINCT item_id) >= ${params.minItems} AS INTEGER) AS b
      FROM merged WHERE kind IN ${inKinds(framing.settings, params.kinds)} GROUP BY unit`,
    ),
});
