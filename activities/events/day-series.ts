import { populationStabilityIndex } from '../../models/rules/data-set-rules.ts';
import { addDays } from '../windows/days.ts';
import type { SliceReference } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { type Duck, text } from './duckdb.ts';
import { slicesSql } from './event-columns.ts';
import { daySql } from './write-slices.ts';

/*
 * What one batch is compared with: its own days and those before it, as the table `series_rows(day, fresh, kind, hour, …)`. The days of a batch replace those that
 * its source had before; the log only adds to its own.
 */
const shiftColumns = ['kind', 'position', 'quantity', 'unit_price_minor', 'dwell_ms', 'rating'];

/** Days further back than these tell nothing of a batch: eight of one weekday, four weeks before the newest. */
const daysLookedBack = 63;

type Input = { duck: Duck; timeZone: string; blobs: BlobStore; slices: readonly SliceReference[]; adds: boolean };

/** @param slices that the same source has. @param adds whether their days stay beside the new rows of `judged`. */
export async function openDaySeries({ duck, timeZone, blobs, slices, adds }: Input): Promise<DaySeries> {
  const [first] = await duck.rows<{ day: string | null }>(`SELECT min(${daySql(timeZone)}) AS day FROM judged WHERE fate IS NULL`);
  const since = first?.day === null || first === undefined ? '' : addDays(first.day, -daysLookedBack);
  const recent = slices.filter(({ day }) => day >= since);
  const paths = await Promise.all(recent.map(({ digest }) => blobs.localPath(digest)));
  const columns = `${daySql(timeZone)} AS day, hour(timezone(${text(timeZone)}, make_timestamptz(at_ms * 1000))) AS hour, ${shiftColumns.join(', ')}`;
  const before = paths.length === 0 ? '' : `UNION ALL SELECT ${columns}, false AS fresh FROM ${slicesSql(paths)}`;
  await duck.run(`CREATE TABLE series_rows AS SELECT ${columns}, true AS fresh FROM judged WHERE fate IS NULL ${before}`);
  const days = await duck.rows<{ day: string; fresh: number; before: number }>(
    'SELECT day, count_if(fresh)::DOUBLE AS fresh, count_if(NOT fresh)::DOUBLE AS before FROM series_rows GROUP BY day ORDER BY day',
  );
  const rowsOf = new Map(days.map(({ day, fresh, before: old }) => [day, fresh === 0 || adds ? fresh + old : fresh]));
  const freshDays = days.filter(({ fresh }) => fresh > 0).map(({ day }) => day);
  return { duck, adds, rowsOf, freshDays };
}

export type DaySeries = { duck: Duck; adds: boolean; rowsOf: ReadonlyMap<string, number>; freshDays: readonly string[] };

/** So many days of the same weekday are looked back on, and so many must be there. */
const weekdays = { most: 8, least: 3 };

/** Each new day that is over, as a share of what its weekday usually has; a day without any row between new ones counts as well. */
export function weekdayVolumes({ rowsOf, freshDays }: DaySeries, asOfDay: string | undefined): { day: string; value: number; of: string }[] {
  const [first, last] = [freshDays[0], freshDays.at(-1)];
  if (first === undefined || last === undefined) return [];
  const known = [...rowsOf.keys()][0] as string;
  const volumes: { day: string; value: number; of: string }[] = [];
  for (let day = first; day <= last; day = addDays(day, 1)) {
    if (asOfDay !== undefined && day >= asOfDay) break;
    const before: number[] = [];
    for (let week = 1; before.length < weekdays.most && addDays(day, -7 * week) >= known; week += 1) before.push(rowsOf.get(addDays(day, -7 * week)) ?? 0);
    if (before.length < weekdays.least) continue;
    const usual = median(before);
    const rows = rowsOf.get(day) ?? 0;
    // A weekday on which there is never anything is as it always was.
    if (usual > 0) volumes.push({ day, value: rows / usual, of: `${rows} rows, usually ${usual}` });
  }
  return volumes;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

const shiftDays = { recent: 7, reference: 28, least: 7 };

/**
 * Population stability index of a column: of the newest seven days against the 28 before them. Numbers are binned by the deciles of the reference; what is
 * missing is a bin of its own. Undefined where there is too little to compare.
 */
export async function distributionShift({ duck, adds, rowsOf, freshDays }: DaySeries, column: string): Promise<{ value: number; of: string } | undefined> {
  const last = freshDays.at(-1);
  if (last === undefined) return undefined;
  const recentFrom = addDays(last, 1 - shiftDays.recent);
  const referenceFrom = addDays(recentFrom, -shiftDays.reference);
  if ([...rowsOf.keys()].filter((day) => day >= referenceFrom && day < recentFrom).length < shiftDays.least) return undefined;
  // Of a day that comes anew, what there was before is gone.
  const replaced = adds ? '' : `AND (fresh OR day NOT IN (${freshDays.map(text).join(', ')}))`;
  const rows = `(SELECT ${column} AS value, day >= ${text(recentFrom)} AS recent FROM series_rows WHERE day >= ${text(referenceFrom)} AND day <= ${text(last)} ${replaced})`;
  const bin = column === 'kind' || column === 'hour' ? `coalesce(CAST(value AS VARCHAR), '')` : await decileBin(duck, rows);
  const bins = await duck.rows<{ bin: string; reference: number; recent: number }>(
    `SELECT ${bin} AS bin, count_if(NOT recent)::DOUBLE AS reference, count_if(recent)::DOUBLE AS recent FROM ${rows} GROUP BY 1 ORDER BY 1`,
  );
  const value = populationStabilityIndex(
    bins.map(({ reference }) => reference),
    bins.map(({ recent }) => recent),
  );
  return { value, of: `${recentFrom} to ${last} against the 28 days before` };
}

async function decileBin(duck: Duck, rows: string): Promise<string> {
  const tenths = Array.from({ length: 9 }, (_, index) => (index + 1) / 10);
  const [cuts] = await duck.rows<Record<string, number | null>>(
    `SELECT ${tenths.map((tenth, index) => `quantile_disc(value, ${tenth})::DOUBLE AS q${index}`).join(', ')} FROM ${rows} WHERE NOT recent AND value IS NOT NULL`,
  );
  const distinct = [...new Set(Object.values(cuts ?? {}).filter((cut) => cut !== null))];
  const above = distinct.map((cut) => `CAST(value > ${cut} AS INTEGER)`).join(' + ');
  return `CASE WHEN value IS NULL THEN '' ELSE CAST(${above === '' ? '0' : above} AS VARCHAR) END`;
}
