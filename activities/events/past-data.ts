import type { Charter } from '../../models/contracts/charter.ts';
import { type DataState, dataState, type IngestManifest, ingestManifest, type SliceReference } from '../../models/contracts/window.ts';
import type { PastData } from '../../models/rules/suggest-rules.ts';
import { getDocument } from '../../stores/blobs.ts';
import { parseGeneration } from '../../stores/generations.ts';
import type { State } from '../context.ts';
import { addDays, daysBetween } from '../windows/days.ts';
import { type DaySeries, distributionShift, openDaySeries, weekdayVolumes } from './day-series.ts';
import { type Duck, withDuck } from './duckdb.ts';
import { rowsOfToday } from './fates.ts';
import { slicesSql } from './event-columns.ts';
import { daySql } from './write-slices.ts';

const nullable = ['user_id', 'device_id', 'request_id', 'unit_price_minor', 'quantity'];
const shifting = ['kind', 'hour', 'unit_price_minor', 'quantity'];
/** Older data say little of what is usual now. */
const daysBack = 400;
const weeksBack = 8;

type Input = { state: Pick<State, 'blobs' | 'generations'>; data: DataState; charter: Pick<Charter, 'timeZone'>; source: string; workDir: string };

/** What the data of one source were like, day by day: what `suggestRules` proposes thresholds from. */
export async function readPastData({ state, data, charter, source, workDir }: Input): Promise<PastData> {
  const slices = data.slices.filter((slice) => slice.source === source && slice.rows > 0).slice(-daysBack);
  const paths = await Promise.all(slices.map(({ digest }) => state.blobs.localPath(digest)));
  return withDuck({ workDir }, async (duck) => {
    await duck.run(`CREATE TABLE judged AS SELECT * EXCLUDE (event_id, item_id), NULL AS fate FROM ${slicesSql(paths)}`);
    const series = await openDaySeries({ duck, timeZone: charter.timeZone, blobs: state.blobs, slices: [], adds: true });
    return {
      weekdayVolumes: weekdayVolumes(series, undefined).map(({ value }) => value),
      nullShares: await nullSharesOf(duck, charter.timeZone),
      shifts: await shiftsOf(series),
      dayGaps: slices.slice(1).map(({ day }, nth) => daysBetween((slices[nth] as SliceReference).day, day)),
      batches: (await batchesOf(state, { surface: data.surface, source })).map(({ counts }) => ({
        quarantineShare: counts.quarantined / rowsOfToday(counts),
        duplicateShare: counts.duplicates / rowsOfToday(counts),
      })),
      perMinute: await perMinuteOf(duck),
      arrivalMs: await arrivalOf(duck),
    };
  });
}

async function nullSharesOf(duck: Duck, timeZone: string): Promise<PastData['nullShares']> {
  const columns = await duck.columns(
    `SELECT ${nullable.map((column) => `(count_if(${column} IS NULL) / count(*))::DOUBLE`).join(', ')} FROM judged GROUP BY ${daySql(timeZone)} ORDER BY ${daySql(timeZone)}`,
  );
  return Object.fromEntries(nullable.map((column, place) => [column, (columns[place] ?? []) as number[]]));
}

async function shiftsOf(series: DaySeries): Promise<PastData['shifts']> {
  const last = series.freshDays.at(-1);
  const shifts: Record<string, number[]> = {};
  for (const column of last === undefined ? [] : shifting) {
    const weeks: number[] = [];
    for (let week = 0; week < weeksBack; week += 1) {
      const shift = await distributionShift({ ...series, freshDays: [addDays(last as string, -7 * week)] }, column);
      if (shift === undefined) break;
      weeks.push(shift.value);
    }
    shifts[column] = weeks;
  }
  return shifts;
}

async function perMinuteOf(duck: Duck): Promise<PastData['perMinute']> {
  const [counts = [], minutes = []] = await duck.columns(`
    SELECT events::DOUBLE, count(*)::DOUBLE FROM (
      SELECT count(*) AS events FROM judged WHERE kind NOT IN ('purchase', 'return') GROUP BY coalesce('u:' || user_id, 's:' || session_id), at_ms // 60000)
    GROUP BY events ORDER BY events`);
  const total = (minutes as number[]).reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let within = 0;
  let usualMost = 0;
  for (const [nth, events] of (counts as number[]).entries()) {
    if (within < total * 0.9999) usualMost = events;
    within += (minutes as number[])[nth] ?? 0;
  }
  const above = (limit: number) => (counts as number[]).reduce((sum, events, nth) => sum + Math.max(0, events - limit) * ((minutes as number[])[nth] ?? 0), 0);
  return { usualMost, most: (counts as number[]).at(-1) ?? 0, above };
}

async function arrivalOf(duck: Duck): Promise<number | null> {
  const [row] = await duck.rows<{ ms: number | null }>(
    'SELECT quantile_disc(received_ms - at_ms, 0.999)::DOUBLE AS ms FROM judged WHERE received_ms IS NOT NULL',
  );
  return row?.ms === null || row === undefined ? null : Math.max(0, row.ms);
}

/** Manifests of a source that brought rows, the oldest first. */
export async function batchesOf(
  { blobs, generations }: Pick<State, 'blobs' | 'generations'>,
  { surface, source }: { surface: string; source: string },
): Promise<IngestManifest[]> {
  const series = `data/${surface}`;
  const newest = (await generations.latest(series))?.generation ?? 0;
  const manifests: IngestManifest[] = [];
  for (let generation = Math.max(1, newest - 200); generation <= newest; generation += 1) {
    const { ingest } = parseGeneration(dataState, { series, generation, document: await generations.read(series, generation) });
    const manifest = await getDocument(blobs, ingest, ingestManifest);
    if (manifest.source.name === source && manifest.replays === undefined && rowsOfToday(manifest.counts) > 0) manifests.push(manifest);
  }
  return manifests;
}
