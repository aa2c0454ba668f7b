import { z } from 'zod';
import { defineCheck, measureShare } from '../check.ts';
import { funnelStepNames, stepKinds } from '../funnel.ts';

/** Of the pairs of unit and item that took the step `from`: the share that took the step `to` then or later. */
export const funnelRate = defineCheck({
  params: z.strictObject({ from: z.enum(funnelStepNames), to: z.enum(funnelStepNames) }),
  measure: (framing, { from, to }) =>
    measureShare(
      framing,
      `WITH came AS (SELECT unit, item_id, min(at_ms) AS at_ms FROM merged WHERE kind IN ${stepKinds(from)} GROUP BY unit, item_id),
      went AS (SELECT unit, item_id, max(at_ms) AS at_ms FROM merged WHERE kind IN ${stepKinds(to)} GROUP BY unit, item_id)
      SELECT unit AS cluster, 1 AS a, CAST(coalesce(went.at_ms >= came.at_ms, false) AS INTEGER) AS b FROM came LEFT JOIN went USING (unit, item_id)`,
    ),
});
