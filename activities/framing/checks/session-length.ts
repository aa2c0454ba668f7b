import { z } from 'zod';
import { defineCheck, measureQuantile, share } from '../check.ts';

/** Quantile, over sessions as the charter cuts them (`understudy sessions`), of how many events of all kinds each has. */
export const sessionLength = defineCheck({
  params: z.strictObject({ quantile: share.default(0.5) }),
  measure: async (framing, { quantile }) => {
    await framing.sessions();
    return measureQuantile(framing, { rows: 'SELECT unit AS cluster, events AS value FROM sessions', quantile, unit: 'events' });
  },
});
