import { z } from 'zod';
import { defineCheck, inKinds, kinds, measureCount } from '../check.ts';

/** Events of these kinds. */
export const eventCount = defineCheck({
  params: z.strictObject({ kinds }),
  measure: (framing, params) =>
    measureCount(framing, { sql: `SELECT count(*) FROM merged WHERE kind IN ${inKinds(framing.settings, params.kinds)}`, unit: 'events' }),
});
