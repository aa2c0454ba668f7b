import { z } from 'zod';
import { text } from '../../events/duckdb.ts';
import { defineCheck, inKinds, kinds, measureShare, noSplit, window } from '../check.ts';

/** Share of the users with such events in the test part of whom the train part has none. */
export const coldUserShare = defineCheck({
  params: z.strictObject({ window, kinds }),
  measure: async (framing, params) => {
    const split = await framing.split(params.window ?? framing.settings.window);
    if (split === null) return noSplit('share');
    const of = `kind IN ${inKinds(framing.settings, params.kinds)}`;
    return measureShare(
      framing,
      `SELECT DISTINCT unit AS cluster, 1 AS a, CAST(unit NOT IN (SELECT unit FROM split_train WHERE ${of}) AS INTEGER) AS b
      FROM merged WHERE unit[1] = 'u' AND day >= ${text(split.test.from)} AND ${of}`,
    );
  },
});
