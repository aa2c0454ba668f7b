import { z } from 'zod';
import { text } from '../../events/duckdb.ts';
import { defineCheck, measureShare, noSplit, window } from '../check.ts';

/** Of the different items that a user who had bought in the train part bought in the test part: the share that this user had bought before. */
export const repeatPurchaseShare = defineCheck({
  params: z.strictObject({ window }),
  measure: async (framing, params) => {
    const split = await framing.split(params.window ?? framing.settings.window);
    if (split === null) return noSplit('share');
    return measureShare(
      framing,
      `WITH bought AS (SELECT DISTINCT unit, item_id FROM split_train WHERE kind = 'purchase' AND unit[1] = 'u')
      SELECT unit AS cluster, 1 AS a, CAST(bought.item_id IS NOT NULL AS INTEGER) AS b
      FROM (SELECT DISTINCT unit, item_id FROM merged WHERE kind = 'purchase' AND day >= ${text(split.test.from)}) LEFT JOIN bought USING (unit, item_id)
      WHERE unit IN (SELECT unit FROM bought)`,
    );
  },
});
