import { z } from 'zod';
import { defineCheck, measureShare } from '../check.ts';

/** Share of events of all kinds whose user is known, after sessions and devices were merged as the charter says. */
export const knownUserShare = defineCheck({
  params: z.strictObject({}),
  measure: (framing) => measureShare(framing, `SELECT unit AS cluster, 1 AS a, CAST(unit[1] = 'u' AS INTEGER) AS b FROM merged`),
});
