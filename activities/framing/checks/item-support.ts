import { z } from 'zod';
import { count, defineCheck, inKinds, kinds, notMeasured } from '../check.ts';

/** Share of such events whose item `minUnits` different units have. */
export const itemSupport = defineCheck({
  params: z.strictObject({ kinds, minUnits: count.default(5) }),
  measure: async ({ duck, settings }, params) => {
    const [row] = await duck.rows<{ all: number; supported: number | null }>(`
      SELECT coalesce(sum(events), 0)::DOUBLE AS "all", coalesce(sum(events) FILTER (units >= ${params.minUnits}), 0)::DOUBLE AS supported
      FROM (SELECT count(*) AS events, count(DISTINCT unit) AS units FROM merged WHERE kind IN ${inKinds(settings, params.kinds)} GROUP BY item_id)`);
    if (row === undefined || row.all === 0) return notMeasured('share', 'there is no event of these kinds');
    return { value: (row.supported ?? 0) / row.all, unit: 'share', of: row.all };
  },
});
