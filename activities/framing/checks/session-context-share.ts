import { z } from 'zod';
import { count, defineCheck, inKinds, kinds, measureShare } from '../check.ts';

/** Share of sessions, of all users, with `minItems` different items in such events. */
export const sessionContextShare = defineCheck({
  params: z.strictObject({ kinds, minItems: count.default(2) }),
  measure: async (framing, params) => {
    await framing.sessions();
    return measureShare(
      framing,
      `WITH found AS (
        SELECT id, count(DISTINCT item_id) AS items FROM merged ASOF JOIN sessions ON merged.unit = sessions.unit AND merged.at_ms >= sessions.from_ms
        WHERE kind IN ${inKinds(framing.settings, params.kinds)} GROUP BY id)
      SELECT unit AS cluster, 1 AS a, CAST(coalesce(items, 0) >= ${params.minItems} AS INTEGER) AS b FROM sessions LEFT JOIN found USING (id)`,
    );
  },
});
