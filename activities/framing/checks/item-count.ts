import { z } from 'zod';
import { defineCheck, inKinds, kinds, measureCount } from '../check.ts';

/** Different items of which there are such events. */
export const itemCount = defineCheck({
  params: z.strictObject({ kinds }),
  measure: (framing, params) =>
    measureCount(framing, { sql: `SELECT count(DISTINCT item_id) FROM merged WHERE kind IN ${inKinds(framing.settings, params.kinds)}`, unit: 'items' }),
});
