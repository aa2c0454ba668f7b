import { z } from 'zod';
import { text } from '../../events/duckdb.ts';
import { defineCheck, inKinds, kinds, measureShare, noSplit, window } from '../check.ts';

/** Share of such events of the test part whose item the train part has none of. What happens to one item is one draw. */
export const coldItemShare = defineCheck({
  params: z.strictObject({ window, kinds }),
  measure: async (framing, params) => {
    const split = await framing.split(params.window ?? framing.settings.window);
    if (split === null) return noSplit('share');
    const of = `kind IN ${inKinds(framing.settings, params.kinds)}`;
    return measureShare(
      framing,
      `SELECT item_id AS cluster, 1 AS a, CAST(item_id NOT IN (SELECT item_id FROM split_train WHERE ${of}) AS INTEGER) AS b
      FROM merged WHERE day >= ${text(split.test.from)} AND ${of}`,
    );
  },
});
