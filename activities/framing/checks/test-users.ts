import { z } from 'zod';
import { text } from '../../events/duckdb.ts';
import { defineCheck, inKinds, kinds, measureCount, noSplit, window } from '../check.ts';

/**
 * Whom the offline test has something to measure on: users with such events in the test part and events of the kinds of `history` in the train part. On a surface that knows nobody: sessions of the test part with two different items or more.
 */
export const testUsers = defineCheck({
  params: z.strictObject({ window, kinds, history: kinds }),
  measure: async (framing, params) => {
    const split = await framing.split(params.window ?? framing.settings.window);
    if (split === null) return noSplit('units');
    const known = `unit IN (SELECT unit FROM split_train WHERE kind IN ${inKinds(framing.settings, params.history)})`;
    const sql = `
      SELECT CASE WHEN count_if(unit[1] = 'u') > 0 THEN count_if(unit[1] = 'u' AND ${known}) ELSE count_if(items >= 2) END
      FROM (SELECT unit, count(DISTINCT item_id) AS items FROM merged
        WHERE day >= ${text(split.test.from)} AND kind IN ${inKinds(framing.settings, params.kinds)} GROUP BY unit)`;
    return measureCount(framing, { sql, unit: 'units' });
  },
});
