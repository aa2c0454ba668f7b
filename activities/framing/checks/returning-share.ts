import { z } from 'zod';
import { text } from '../../events/duckdb.ts';
import { addDays } from '../../windows/days.ts';
import { count, defineCheck, measureShare } from '../check.ts';

/** Share of users who came again on a later day, `withinDays` after their first one at most; of those whose first day is long enough ago to know. */
export const returningShare = defineCheck({
  params: z.strictObject({ withinDays: count.default(28) }),
  measure: (framing, { withinDays }) =>
    measureShare(
      framing,
      `WITH visits AS (SELECT DISTINCT unit, CAST(day AS DATE) AS on_day FROM merged WHERE unit[1] = 'u'),
      firsts AS (SELECT unit, min(on_day) AS first_day FROM visits GROUP BY unit)
      SELECT unit AS cluster, 1 AS a, CAST(count_if(on_day > first_day AND on_day <= first_day + ${withinDays}) > 0 AS INTEGER) AS b
      FROM visits JOIN firsts USING (unit) WHERE first_day <= DATE ${text(addDays(framing.days.to, -withinDays))} GROUP BY unit`,
    ),
});
