import { z } from 'zod';
import { text } from '../../events/duckdb.ts';
import { count, defineCheck, inKinds, kinds, measureShare, noSplit, window } from '../check.ts';

/** Of the pairs of unit and item in such events of the test part: the share whose item is one of the `size` that most such events of the train part are of. */
export const popularSlateShare = defineCheck({
  params: z.strictObject({ window, kinds, size: count.default(10) }),
  measure: async (framing, params) => {
    const split = await framing.split(params.window ?? framing.settings.window);
    if (split === null) return noSplit('share');
    const of = `kind IN ${inKinds(framing.settings, params.kinds)}`;
    return measureShare(
      framing,
      `WITH top AS (SELECT item_id FROM split_train WHERE ${of} GROUP BY item_id ORDER BY count(*) DESC, item_id LIMIT ${params.size})
      SELECT unit AS cluster, 1 AS a, CAST(item_id IN (SELECT item_id FROM top) AS INTEGER) AS b
      FROM (SELECT DISTINCT unit, item_id FROM merged WHERE day >= ${text(split.test.from)} AND ${of})`,
    );
  },
});
