import type { RateUnit } from '../../experiments/drift/compare-rates.ts';
import { eventKinds, type EventKind } from '../../models/contracts/event.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { text } from '../events/duckdb.ts';
import { type Days, type Framing, wantKinds } from '../framing/open-framing.ts';

/** Two stretches of days of the same length, the older first. */
export type Periods = { from: Days; to: Days };

/** One unit's events of its period, oldest first. */
export type UnitPeriod = { itemIds: string[]; wanted: boolean[]; prices: (number | null)[]; days: number };

/**
 * Units are dealt into three by a hash: one third is looked at in the older period, another in the newer, so that nobody stands on both sides, and the last says how popular
 * items were in the older. Of each side at most so many.
 */
const unitsAtMost = 4_000;

export type PeriodData = {
  from: UnitPeriod[];
  to: UnitPeriod[];
  /** Events of the last third in the older period, by item. */
  popularity: Map<string, number>;
};

const third = (seed: number): string => `(('0x' || substr(md5(unit || ${text(` ${seed}`)}), 1, 8))::BIGINT % 3)`;
const within = ({ from, to }: Days): string => `day BETWEEN ${text(from)} AND ${text(to)}`;

/** Some of the units that are dealt to one side. */
const dealt = (days: Days, own: number, seed: number): string =>
  `SELECT DISTINCT unit FROM merged WHERE ${within(days)} AND ${third(seed)} = ${own} ORDER BY md5(unit || ${text(` of ${seed}`)}), unit LIMIT ${unitsAtMost}`;

export async function readPeriods({ duck, settings }: Framing, { from, to }: Periods, seed: number): Promise<PeriodData> {
  const wanted = new Set<EventKind>(wantKinds(settings.confidence));
  const side = async (days: Days, own: number): Promise<UnitPeriod[]> => {
    const rows = await duck.rows<{ unit: string; item_id: string; kind: EventKind; price: number | null; day: string }>(`
      SELECT unit, item_id, kind::VARCHAR AS kind, unit_price_minor::DOUBLE AS price, day::VARCHAR AS day
      FROM merged SEMI JOIN (${dealt(days, own, seed)}) USING (unit) WHERE ${within(days)} AND item_id IS NOT NULL ORDER BY unit, at_ms, item_id, event_id`);
    return [...Map.groupBy(rows, ({ unit }) => unit).values()].map((events) => ({
      itemIds: events.map(({ item_id }) => item_id),
      wanted: events.map(({ kind }) => wanted.has(kind)),
      prices: events.map(({ price }) => price),
      days: new Set(events.map(({ day }) => day)).size,
    }));
  };
  const popular = await duck.rows<{ item_id: string; events: number }>(
    `SELECT item_id, count(*)::DOUBLE AS events FROM merged WHERE ${within(from)} AND ${third(seed)} = 2 AND item_id IS NOT NULL GROUP BY item_id`,
  );
  return { from: await side(from, 0), to: await side(to, 1), popularity: new Map(popular.map(({ item_id, events }) => [item_id, events])) };
}

const rewardedKinds = ({ weights }: Charter['reward']): string =>
  eventKinds
    .filter((kind) => (weights[kind] ?? 0) > 0)
    .map(text)
    .join(', ') || 'NULL';

/** Rewarded events and all, of the users that `readPeriods` deals to each side. */
export async function readUserRates({ duck, settings }: Framing, { from, to }: Periods, seed: number): Promise<{ from: RateUnit[]; to: RateUnit[] }> {
  const side = (days: Days, own: number) =>
    duck.rows<RateUnit>(`
      SELECT count_if(kind IN (${rewardedKinds(settings.reward)}))::DOUBLE AS count, count(*)::DOUBLE AS "of"
      FROM merged SEMI JOIN (${dealt(days, own, seed)}) USING (unit) WHERE ${within(days)} GROUP BY unit ORDER BY unit`);
  return { from: await side(from, 0), to: await side(to, 1) };
}

export type DayRate = { day: string; rewarded: number; events: number };

/** Rewarded events and all, of each day there is any. */
export async function readRates({ duck, settings }: Framing, days: Days): Promise<DayRate[]> {
  return duck.rows<DayRate>(`
    SELECT day::VARCHAR AS day, count_if(kind IN (${rewardedKinds(settings.reward)}))::DOUBLE AS rewarded, count(*)::DOUBLE AS events
    FROM merged WHERE ${within(days)} GROUP BY day ORDER BY day`);
}

/** Reward of items a day: days without any are not there. */
export async function readItemRewards({ duck, settings }: Framing, days: Days): Promise<{ itemId: string; day: string; reward: number }[]> {
  const { weights } = settings.reward;
  const cases = eventKinds.flatMap((kind) => ((weights[kind] ?? 0) > 0 ? [`WHEN kind = ${text(kind)} THEN ${weights[kind]}`] : []));
  if (cases.length === 0) return [];
  return duck.rows<{ itemId: string; day: string; reward: number }>(`
    SELECT item_id AS "itemId", day::VARCHAR AS day, sum(CASE ${cases.join(' ')} ELSE 0 END)::DOUBLE AS reward
    FROM merged WHERE ${within(days)} AND item_id IS NOT NULL GROUP BY item_id, day HAVING reward > 0 ORDER BY item_id, day`);
}
