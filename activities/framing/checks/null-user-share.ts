import { z } from 'zod';
import { defineCheck, measureShare } from '../check.ts';

/** Share of events of all kinds that came without a user. */
export const nullUserShare = defineCheck({
  params: z.strictObject({}),
  measure: (framing) => measureShare(framing, 'SELECT unit AS cluster, 1 AS a, CAST(NOT has_user AS INTEGER) AS b FROM merged'),
});
