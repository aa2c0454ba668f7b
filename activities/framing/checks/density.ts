import { z } from 'zod';
import { defineCheck, inKinds, kinds, notMeasured } from '../check.ts';

/** Pairs of unit and item of which there are such events, as a share of all pairs of these units and these items. */
export const density = defineCheck({
  params: z.strictObject({ kinds }),
  measure: async ({ duck, settings }, params) => {
    const [row] = await duck.rows<{ pairs: number; units: number; items: number }>(`
      SELECT count(*)::DOUBLE AS pairs, count(DISTINCT unit)::DOUBLE AS units, count(DISTINCT item_id)::DOUBLE AS items
      FROM (SELECT DISTINCT unit, item_id FROM merged WHERE kind IN ${inKinds(settings, params.kinds)})`);
    if (row === undefined || row.pairs === 0) return notMeasured('share', 'there is no event of these kinds');
    return { value: row.pairs / (row.units * row.items), unit: 'share', of: row.units * row.items };
  },
});
