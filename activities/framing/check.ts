import { z } from 'zod';
import { quantileLevels, type RatioSums, shareOf } from '../../experiments/framing/ratio.ts';
import type { CheckUnit, Measured } from '../../models/contracts/assumption.ts';
import { eventKinds } from '../../models/contracts/event.ts';
import { text } from '../events/duckdb.ts';
import { type Framing, type FramingSettings, wantKinds } from './open-framing.ts';

/** A named function of data and settings to a value; its name stands in `models/contracts/assumption.ts`. The same data and parameters give the same value. */
export type Check<Params> = {
  params: z.ZodType<Params>;
  measure(framing: Framing, params: Params): Promise<Measured>;
};

/** Types a check by its schema. */
export const defineCheck = <Params>(check: Check<Params>): Check<Params> => check;

const kind = z.enum(eventKinds);
/** By itself: all kinds that the charter gives a confidence. */
export const kinds = z.array(kind).min(1).optional();
export const share = z.number().gt(0).lt(1);
export const count = z.number().int().min(1);
const days = z.number().int().min(1).max(3650);
/** By itself: as the charter cuts it. */
export const window = z.strictObject({ trainDays: days, gapDays: z.number().int().min(0).max(365), testDays: days }).optional();

/** The kinds as a list for IN. */
export function inKinds(settings: FramingSettings, chosen: z.output<typeof kinds>): string {
  const all = chosen ?? wantKinds(settings.confidence);
  return all.length === 0 ? '(NULL)' : `(${all.map(text).join(', ')})`;
}

export const notMeasured = (unit: CheckUnit, why: string): Measured => ({ value: null, unit, of: 0, why });

/** Days are missing for a train part and a test part. */
export const noSplit = (unit: CheckUnit): Measured => notMeasured(unit, 'the data have fewer days than train part, gap and test part take');

/** Sums what each `cluster` of some rows could do (`a`, whole numbers) and did (`b`). */
export async function sumRatio({ duck }: Framing, rows: string): Promise<RatioSums> {
  const [sums] = await duck.rows<RatioSums>(`
    SELECT count(*)::DOUBLE AS clusters, coalesce(sum(a), 0)::DOUBLE AS a, coalesce(sum(b), 0)::DOUBLE AS b,
      coalesce(sum(a * a), 0)::DOUBLE AS aa, coalesce(sum(a * b), 0)::DOUBLE AS ab, coalesce(sum(b * b), 0)::DOUBLE AS bb
    FROM (SELECT cluster, sum(a)::HUGEINT AS a, sum(b)::HUGEINT AS b FROM (${rows}) GROUP BY cluster) WHERE a > 0`);
  return sums as RatioSums;
}

/** The share b / a. `of` is the sum of a. */
export async function measureShare(framing: Framing, rows: string): Promise<Measured> {
  const sums = await sumRatio(framing, rows);
  const share = shareOf(sums);
  if (share === undefined) return notMeasured('share', 'there is nobody and nothing to ask');
  return { value: share.value, unit: 'share', interval: { low: share.low, high: share.high }, of: sums.a };
}

/** A quantile of the rows' `value`, one that occurs; its interval is for as many independent draws as there are clusters. */
export async function measureQuantile(framing: Framing, { rows, quantile, unit }: { rows: string; quantile: number; unit: CheckUnit }): Promise<Measured> {
  const { duck } = framing;
  const [size] = await duck.rows<{ values: number; clusters: number }>(
    `SELECT count(*)::DOUBLE AS values, count(DISTINCT cluster)::DOUBLE AS clusters FROM (${rows})`,
  );
  if (size === undefined || size.values === 0) return notMeasured(unit, 'there is nobody and nothing to ask');
  const { low, high } = quantileLevels(quantile, size.clusters);
  const at = (level: number) => `quantile_disc(value, ${level.toFixed(6)})::DOUBLE`;
  const [found] = await duck.rows<{ value: number; low: number; high: number }>(
    `SELECT ${at(quantile)} AS value, ${at(low)} AS low, ${at(high)} AS high FROM (${rows})`,
  );
  if (found === undefined) return notMeasured(unit, 'there is nobody and nothing to ask');
  return { value: found.value, unit, interval: { low: found.low, high: found.high }, of: size.values };
}

/** All that there is, counted. */
export async function measureCount({ duck }: Framing, { sql, unit }: { sql: string; unit: CheckUnit }): Promise<Measured> {
  const [row] = await duck.rows<{ value: number }>(`SELECT (${sql})::DOUBLE AS value`);
  return { value: row?.value ?? 0, unit, of: row?.value ?? 0 };
}
