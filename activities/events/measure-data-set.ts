import type { Charter } from '../../models/contracts/charter.ts';
import type { DataSetRule } from '../../models/contracts/data-set-rule.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { IngestManifest, SliceReference } from '../../models/contracts/window.ts';
import type { Measured, Measurement } from '../../models/rules/data-set-rules.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { type DaySeries, distributionShift, openDaySeries, weekdayVolumes } from './day-series.ts';
import { type Duck, text } from './duckdb.ts';
import { rowsOfToday } from './fates.ts';
import { daySql } from './write-slices.ts';

type Input = {
  duck: Duck;
  charter: Pick<Charter, 'timeZone' | 'data'>;
  counts: IngestManifest['counts'];
  /** Days that were added to the timestamps. */
  shiftDays: number;
  /** The day that it is; undefined where nobody knows. */
  asOfDay: string | undefined;
  /** Slices that the source has already, and whether their days stay beside the new rows. */
  earlier: { blobs: BlobStore; slices: readonly SliceReference[]; adds: boolean };
  /** Columns of the file, and of the last one of the source; undefined where there is none. */
  columns?: { now: readonly string[]; before: readonly string[] | undefined } | undefined;
};

/**
 * Measures the table `judged` for the charter's data-set rules.
 * @throws UND-INPUT when a freshness rule cannot be measured.
 */
export async function measureDataSet(input: Input): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  let series: DaySeries | undefined;
  for (const rule of input.charter.data.rules) {
    if (rule.measure === 'weekday-volume' || rule.measure === 'distribution-shift') {
      series ??= await openDaySeries({ duck: input.duck, timeZone: input.charter.timeZone, ...input.earlier });
      measurements.push(await ofSeries({ rule, series, asOfDay: input.asOfDay }));
    } else if (rule.measure === 'schema-drift') measurements.push(drift(rule, input.columns));
    else measurements.push(await ofBatch(rule, input));
  }
  if (series !== undefined) await input.duck.run('DROP TABLE series_rows');
  return measurements;
}

async function ofSeries({ rule, series, asOfDay }: { rule: DataSetRule; series: DaySeries; asOfDay: string | undefined }): Promise<Measurement> {
  if (rule.measure === 'weekday-volume') return { rule, measured: weekdayVolumes(series, asOfDay) };
  const shift = await distributionShift(series, rule.column ?? 'kind');
  // Young data have no past to be compared with: nobody needs to be told so each day.
  return { rule, measured: shift === undefined ? [] : [shift] };
}

function drift(rule: DataSetRule, columns: Input['columns']): Measurement {
  if (columns?.before === undefined) return { rule, measured: [] };
  const { now, before } = columns;
  const came = now.filter((column) => !before.includes(column));
  const went = before.filter((column) => !now.includes(column));
  const of = [...came.map((column) => `+${column}`), ...went.map((column) => `-${column}`)].slice(0, 20).join(' ');
  return { rule, measured: [{ value: came.length + went.length, ...(of === '' ? {} : { of }) }] };
}

async function ofBatch(rule: DataSetRule, { duck, counts, shiftDays, asOfDay, charter }: Input): Promise<Measurement> {
  const { accepted, quarantined, duplicates } = counts;
  const today = rowsOfToday(counts);
  const share = (part: number, whole: number): Measurement => one(whole === 0 ? 0 : part / whole);
  const one = (value: number): Measurement => ({ rule, measured: [{ value }] satisfies Measured[] });
  const ask = async (sql: string): Promise<number | null> =>
    (await duck.rows<{ value: number | null }>(`SELECT (${sql})::DOUBLE AS value FROM judged WHERE fate IS NULL`))[0]?.value ?? null;
  switch (rule.measure) {
    case 'rows':
      return one(accepted);
    case 'distinct-values':
      return one((await ask(`count(DISTINCT ${rule.column})`)) ?? 0);
    case 'null-user-share':
      return share((await ask('count_if(user_id IS NULL)')) ?? 0, accepted);
    case 'null-share':
      return share((await ask(`count_if(${rule.column} IS NULL)`)) ?? 0, accepted);
    case 'quarantine-share':
      return share(quarantined, today);
    case 'duplicate-share':
      return share(duplicates, today);
    default: {
      // Data that were shifted are as old as somebody wanted.
      if (shiftDays !== 0) return { rule, doesNotApply: `the timestamps were shifted by ${shiftDays} days`, value: shiftDays };
      if (asOfDay === undefined) throw new UnderstudyError('UND-INPUT', `Rule ${rule.name} measures freshness: say the day (asOfDay)`);
      const days = await ask(`DATE ${text(asOfDay)} - CAST(max(${daySql(charter.timeZone)}) AS DATE)`);
      // No rows are as old as can be: a freshness rule must not pass for want of data.
      return one(days ?? Number.MAX_SAFE_INTEGER);
    }
  }
}
