import { z } from 'zod';
import { type MetricName, metricNames } from '../../experiments/framing/plan.ts';
import type { RatioSums } from '../../experiments/framing/ratio.ts';
import { text } from '../events/duckdb.ts';
import { addDays } from '../windows/days.ts';
import { count, sumRatio } from './check.ts';
import { type Framing, later } from './open-framing.ts';

/*
 * What was done because of what was shown, as `experiments/reward` attributes it: an answer counts for the latest time that its unit was shown the item, at
 * most `attributionMs` before; each answer once. The slices hold impressions and not slates: what was sent and not seen counts nothing.
 */

/** An answer with `shown_ms`, NULL where its unit was never shown the item before. @param where over `merged` */
export const answersSql = (where: string): string => `
  SELECT answer.*, shown.at_ms AS shown_ms
  FROM (FROM merged WHERE ${where}) answer ASOF LEFT JOIN (SELECT DISTINCT unit, item_id, at_ms FROM merged WHERE kind = 'impression') shown
    ON answer.unit = shown.unit AND answer.item_id = shown.item_id AND answer.at_ms >= shown.at_ms`;

export async function hasImpressions(framing: Framing): Promise<boolean> {
  return (await visitKinds(framing)) === 'impressions';
}

export const metricParams = {
  /** `click`: of impressions, the share that was clicked. `add-to-cart`, `purchase`: of units, the share with one; `dwell`, `revenue`: a unit's sum. */
  metric: z.enum(metricNames),
  /** By itself: the charter's. */
  attributionMs: count.optional(),
  /** The newest days. */
  days: count.default(28),
};
type MetricParams = { metric: MetricName; attributionMs?: number | undefined; days: number };

/** The first of so many days, or of those that there are. */
export function since({ days }: Framing, count: number): string {
  return later(addDays(days.to, 1 - count), days.from);
}

/** Of those who did nothing, who came can be told only where the data say what was shown, or at least what was looked at. */
async function visitKinds({ duck }: Framing): Promise<'impressions' | 'views' | undefined> {
  const [row] = await duck.rows<{ impressions: boolean; views: boolean }>(
    `SELECT count_if(kind = 'impression') > 0 AS impressions, count_if(kind IN ('view', 'click')) > 0 AS views FROM merged`,
  );
  if (row?.impressions === true) return 'impressions';
  return row?.views === true ? 'views' : undefined;
}

/**
 * Sums of a metric over units. With impressions: of units that were shown anything, by attributed answers, and what was shown so late that the answer may
 * be still to come is left out. Without: of units that looked at anything, by all that they did. A string says why it cannot be measured.
 */
export async function sumMetric(
  framing: Framing,
  { metric, attributionMs = framing.settings.reward.attributionMs, days }: MetricParams,
): Promise<RatioSums | string> {
  const recent = `day >= ${text(since(framing, days))}`;
  const value = totals[metric];
  const answers = `kind = ${text(metric === 'revenue' ? 'purchase' : metric)} AND ${recent}`;
  const visits = await visitKinds(framing);
  if (visits === undefined) return 'there are no impressions and no views: whoever did nothing is not in the data';
  if (visits === 'views') {
    if (metric === 'click') return 'there are no impressions: nobody knows what was not clicked';
    return sumRatio(
      framing,
      `WITH done AS (SELECT unit, ${value} AS value FROM merged WHERE ${answers} GROUP BY unit)
      SELECT unit AS cluster, 1 AS a, coalesce(value, 0) AS b
      FROM (SELECT DISTINCT unit FROM merged WHERE ${recent} AND kind IN ('view', 'click')) LEFT JOIN done USING (unit)`,
    );
  }
  const [times, done] = metric === 'click' ? ['count(DISTINCT (item_id, at_ms))', 'count(DISTINCT (item_id, shown_ms))'] : ['1', value];
  const ripe = `<= (SELECT max(at_ms) FROM merged) - ${attributionMs}`;
  return sumRatio(
    framing,
    `WITH exposed AS (SELECT unit, ${times} AS times FROM merged WHERE kind = 'impression' AND ${recent} AND at_ms ${ripe} GROUP BY unit),
    done AS (SELECT unit, ${done} AS value FROM (${answersSql(answers)})
      WHERE at_ms - shown_ms <= ${attributionMs} AND shown_ms ${ripe} AND ${recentlyShown(framing, days)} GROUP BY unit)
    SELECT unit AS cluster, times AS a, coalesce(value, 0) AS b FROM exposed LEFT JOIN done USING (unit)`,
  );
}

/** What was shown before the days that are measured is not in the denominator. */
const recentlyShown = (framing: Framing, days: number) => `shown_ms >= (SELECT min(at_ms) FROM merged WHERE day >= ${text(since(framing, days))})`;

const totals: Record<MetricName, string> = {
  click: 'count(*)',
  dwell: 'sum(coalesce(dwell_ms, 0))',
  'add-to-cart': '1',
  purchase: '1',
  revenue: 'sum(coalesce(unit_price_minor, 0)::HUGEINT * coalesce(quantity, 1))',
};

/** New units a day: those of the newest days, each once; that were shown anything, or looked at anything, where the data say so. */
export async function unitsPerDay(framing: Framing, days: number): Promise<{ value: number; units: number } | undefined> {
  const from = since(framing, days);
  const visits = await visitKinds(framing);
  const came = visits === undefined ? '' : visits === 'impressions' ? `AND kind = 'impression'` : `AND kind IN ('view', 'click')`;
  const [row] = await framing.duck.rows<{ units: number; days: number }>(`
    SELECT count(DISTINCT unit)::DOUBLE AS units, (DATE ${text(framing.days.to)} - DATE ${text(from)} + 1)::DOUBLE AS days
    FROM merged WHERE day >= ${text(from)} ${came}`);
  return row === undefined || row.units === 0 ? undefined : { value: row.units / row.days, units: row.units };
}
