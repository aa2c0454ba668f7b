import { z } from 'zod';
import { text } from '../../events/duckdb.ts';
import { count, defineCheck, inKinds, kinds, measureShare, noSplit, window } from '../check.ts';

/** Share of the sessions with an event in the test part, of all users and of none, whose user has `minEvents` such events in the train part. */
export const knownHistoryShare = defineCheck({
  params: z.strictObject({ window, kinds, minEvents: count.default(5) }),
  measure: async (framing, params) => {
    const split = await framing.split(params.window ?? framing.settings.window);
    if (split === null) return noSplit('share');
    await framing.sessions();
    return measureShare(
      framing,
      `WITH visits AS (
        SELECT DISTINCT sessions.id, sessions.unit FROM merged ASOF JOIN sessions ON merged.unit = sessions.unit AND merged.at_ms >= sessions.from_ms
        WHERE day >= ${text(split.test.from)}),
      known AS (
        SELECT unit FROM split_train WHERE unit[1] = 'u' AND kind IN ${inKinds(framing.settings, params.kinds)}
        GROUP BY unit HAVING count(*) >= ${params.minEvents})
      SELECT visits.unit AS cluster, 1 AS a, CAST(known.unit IS NOT NULL AS INTEGER) AS b FROM visits LEFT JOIN known USING (unit)`,
    );
  },
});
