import { z } from 'zod';
import { count, defineCheck, inKinds, kinds, notMeasured } from '../check.ts';

/** Share of such events that the items with most of them have. */
export const topItemsShare = defineCheck({
  params: z.strictObject({ kinds, items: count.default(10) }),
  measure: async ({ duck, settings }, params) => {
    const [row] = await duck.rows<{ all: number; top: number }>(`
      SELECT coalesce(sum(events), 0)::DOUBLE AS "all", coalesce(sum(events) FILTER (place <= ${params.items}), 0)::DOUBLE AS top
      FROM (SELECT count(*) AS events, row_number() OVER (ORDER BY count(*) DESC, item_id) AS place
        FROM merged WHERE kind IN ${inKinds(settings, params.kinds)} GROUP BY item_id)`);
    if (row === undefined || row.all === 0) return notMeasured('share', 'there is no event of these kinds');
    return { value: row.top / row.all, unit: 'share', of: row.all };
  },
});
