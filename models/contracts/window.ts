import { z } from 'zod';
import { dayString, digestString, machineName, surfaceName } from './ids.ts';

/** The source that the events of `POST /v1/events` come by. */
export const logSource = 'log';

/** One immutable day of accepted events. `digest` names the Parquet bytes, `logicalDigest` the rows whatever wrote them. */
export const sliceReference = z.strictObject({
  day: dayString,
  digest: digestString,
  logicalDigest: digestString,
  rows: z.number().int().min(0),
  /** Name of the source that it came from: sources may share a day, and each replaces only its own slice of it. */
  source: z.string().optional(),
  /** Days that were added to its timestamps; absent where none were. Slices of one source with different shifts do not stand together. */
  shiftDays: z.number().int().optional(),
});
export type SliceReference = z.infer<typeof sliceReference>;

/** What one batch became. `accepted + quarantined + duplicates + withheld + expired = input`, checked before it is written. */
export const ingestManifest = z.strictObject({
  kind: z.literal('ingest'),
  surface: surfaceName,
  source: z.strictObject({
    name: z.string(),
    digest: digestString,
    bytes: z.number().int(),
    columns: z.array(z.string()).optional(),
    mapping: digestString.optional(),
  }),
  /** The quarantine whose rows came in again, which of them (null: all), and how they were mended. */
  replays: z.strictObject({ quarantine: digestString, reason: z.string().nullable(), mend: digestString }).optional(),
  rulesDigest: digestString,
  /** Whole weeks added to every timestamp, in days; 0 where none. */
  shiftDays: z.number().int(),
  counts: z.strictObject({
    input: z.number().int(),
    accepted: z.number().int(),
    quarantined: z.number().int(),
    duplicates: z.number().int(),
    /** Of people who allow neither purpose: not kept anywhere. Absent where there were none. */
    withheld: z.number().int().optional(),
    /** Older than the charter's `retention` keeps: not kept anywhere. Absent where there were none. */
    expired: z.number().int().optional(),
  }),
  acceptedByKind: z.record(z.string(), z.number().int()),
  quarantineByReason: z.record(z.string(), z.number().int()),
  quarantine: digestString.nullable(),
  /** Rows by reason in `quarantine`, where it holds others than those of this batch. */
  inQuarantine: z.record(z.string(), z.number().int()).optional(),
  catalog: digestString,
  slices: z.array(sliceReference),
  /** What happened to items and people, a slice a day; absent where nothing did. */
  changes: z.array(sliceReference).optional(),
  /** By which the catalog judged stock: see the mapping. Absent where it did not. */
  inStockDays: z.number().int().min(1).optional(),
  warnings: z.array(z.strictObject({ rule: machineName, message: z.string(), value: z.number() })),
});
export type IngestManifest = z.infer<typeof ingestManifest>;

/** Of each life of each writer of a log, the number of the last sealed segment that was taken in, by the rules that `rules` names. */
export const logMark = z.strictObject({ rules: digestString, through: z.record(z.string(), z.number().int().min(0)) });
export type LogMark = z.infer<typeof logMark>;

/** Rows that are put aside and can be mended. */
export const quarantineEntry = z.strictObject({
  digest: digestString,
  source: z.string(),
  /** Digest of the file that they came from; and the mapping by which it was read, absent for the log. */
  file: digestString,
  mapping: digestString.optional(),
  shiftDays: z.number().int().optional(),
  /** When they were put there; absent in data of before. */
  sinceMs: z.number().int().optional(),
  /** The manifest of the ingest that put them there. */
  ingest: digestString,
  reasons: z.record(z.string(), z.number().int()),
});
export type QuarantineEntry = z.infer<typeof quarantineEntry>;

/** The data of a surface as it stands: a generation in the series `data/<surface>`. */
export const dataState = z.strictObject({
  kind: z.literal('data-state'),
  surface: surfaceName,
  generation: z.number().int().min(1),
  ingest: digestString,
  catalog: digestString,
  /** Oldest day first, no day twice from one source. */
  slices: z.array(sliceReference),
  /** What happened to items and people, as `slices`; absent where nothing did. */
  changes: z.array(sliceReference).optional(),
  /** What is put aside, the oldest first; absent where nothing is. */
  quarantine: z.array(quarantineEntry).optional(),
  /** By which the stock of the catalog was judged last, if ever. */
  inStockDays: z.number().int().min(1).optional(),
  /** The certificate of the erasure that made them what they are; absent where the last change was an ingest. */
  erasedBy: z.string().optional(),
  /** How far the serving tier's event log is in these data, where it is at all. */
  log: logMark.optional(),
  /** When they became it; absent in data of before. */
  atMs: z.number().int().optional(),
});
export type DataState = z.infer<typeof dataState>;

export const dayRange = z.strictObject({ from: dayString, to: dayString });

const split = z.strictObject({ train: dayRange, test: dayRange, trainSlices: z.array(sliceReference), testSlices: z.array(sliceReference) });

/** Pins everything a training run reads. Its digest is part of the run's identity. */
export const windowManifest = z.strictObject({
  kind: z.literal('window'),
  surface: surfaceName,
  timeZone: z.string(),
  train: dayRange,
  gapDays: z.number().int().min(0),
  test: dayRange,
  trainSlices: z.array(sliceReference),
  testSlices: z.array(sliceReference),
  /** What happened to items and people, as far as it is known; absent where nothing did. */
  changes: z.array(sliceReference).optional(),
  /** Within the train part: what is trained on and measured on to choose parameters, where the charter asks for it. */
  validation: split.optional(),
  /** Splits before this one, the latest first, where the charter asks for them. */
  earlier: z.array(split).min(1).optional(),
  catalog: digestString,
  /** Stock at the split is judged by it as the catalog's was; null: it is not judged. Absent in windows of before, which mean 60. */
  inStockDays: z.number().int().min(1).nullable().optional(),
  rulesDigest: digestString,
  rows: z.strictObject({ train: z.number().int(), test: z.number().int() }),
  seed: z.number().int(),
});
export type WindowManifest = z.infer<typeof windowManifest>;
