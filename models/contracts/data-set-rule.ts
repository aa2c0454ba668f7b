import { z } from 'zod';
import { machineName } from './ids.ts';

/**
 * What is measured, over the accepted rows of a batch unless it says otherwise:
 * - `rows`; `distinct-values` of a column;
 * - `null-share` of a column, `null-user-share`: of rows without it; `quarantine-share`, `duplicate-share`: of the input;
 * - `freshness-days`: days between now and the newest row;
 * - `weekday-volume`: rows of each day that is over, as a share of the median of up to eight days before it on the same weekday (of three at least);
 * - `distribution-shift` of a column: population stability index of the newest seven days against the 28 before them (of seven at least);
 * - `schema-drift`: columns of the file that came or went since the last batch of the same source.
 */
export const dataSetMeasures = [
  'rows',
  'distinct-values',
  'null-share',
  'null-user-share',
  'quarantine-share',
  'duplicate-share',
  'freshness-days',
  'weekday-volume',
  'distribution-shift',
  'schema-drift',
] as const;
export type DataSetMeasure = (typeof dataSetMeasures)[number];

const columnsOf = {
  'distinct-values': ['user_id', 'session_id', 'item_id', 'device_id'],
  'null-share': ['user_id', 'device_id', 'request_id', 'position', 'quantity', 'unit_price_minor', 'dwell_ms', 'rating'],
  'distribution-shift': ['kind', 'hour', 'position', 'quantity', 'unit_price_minor', 'dwell_ms', 'rating'],
} as const satisfies Partial<Record<DataSetMeasure, readonly string[]>>;

/** What a batch must be like as a whole. `quarantine` puts aside the rows of the day where a day is measured, else all rows of the batch. */
export const dataSetRule = z
  .strictObject({
    name: machineName,
    measure: z.enum(dataSetMeasures),
    /** Of the slice; `hour` is the hour of the day where the surface is. */
    column: z.string().optional(),
    min: z.number().optional(),
    max: z.number().optional(),
    action: z.enum(['warn', 'quarantine', 'stop']),
  })
  .superRefine(({ measure, column }, context) => {
    const columns: readonly string[] | undefined = measure in columnsOf ? columnsOf[measure as keyof typeof columnsOf] : undefined;
    if (columns === undefined && column !== undefined) context.addIssue({ code: 'custom', path: ['column'], message: `${measure} is of no column` });
    if (columns !== undefined && !columns.includes(column ?? ''))
      context.addIssue({ code: 'custom', path: ['column'], message: `${measure} is of one of ${columns.join(', ')}` });
  });
export type DataSetRule = z.infer<typeof dataSetRule>;
