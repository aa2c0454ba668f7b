import { z } from 'zod';
import { defineCheck, measureQuantile, share } from '../check.ts';

/** Quantile of the time from an event to when the serving tier took it; of events that came by it. */
export const arrivalDelay = defineCheck({
  params: z.strictObject({ quantile: share.default(0.99) }),
  measure: async (framing, { quantile }) => {
    const rows = 'SELECT unit AS cluster, greatest(0, received_ms - at_ms) AS value FROM merged WHERE received_ms IS NOT NULL';
    const found = await measureQuantile(framing, { rows, quantile, unit: 'ms' });
    return found.value === null ? { ...found, why: 'no event says when it was received: they came by files' } : found;
  },
});
