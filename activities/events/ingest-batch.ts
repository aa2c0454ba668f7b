import { mkdir } from 'node:fs/promises';
import type { Charter } from '../../models/contracts/charter.ts';
import { type Digest, dayString } from '../../models/contracts/ids.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type IngestManifest, ingestManifest } from '../../models/contracts/window.ts';
import type { Pseudonyms } from '../../models/contracts/pseudonyms.ts';
import { type BlobStore, putDocument } from '../../stores/blobs.ts';
import { buildCatalog, catalogBefore, catalogDocument, type DataBefore, type ItemRow, summarizeItems } from './build-catalog.ts';
import { type Duck, text, withDuck } from './duckdb.ts';
import { expiredFate, withheldFate } from './fates.ts';
import { malformedRow } from './malformed-rows.ts';
import { measureDataSet } from './measure-data-set.ts';
import { slicesThatStay } from '../windows/merge-data-state.ts';
import type { Mapping } from './mapping.ts';
import { judgeDataSet } from '../../models/rules/data-set-rules.ts';
import { blameSource, closeRaw, inspectSource, loadRaw } from './source-file.ts';
import { rulesDigestOf, stageRows } from './stage-rows.ts';
import { writeQuarantine } from './write-quarantine.ts';
import { daySql, writeSlices } from './write-slices.ts';

export type IngestProgress = { stage: 'read' | 'judge' | 'catalog' | 'write'; done: number; total: number };
export type IngestBatchInput = {
  surface: string;
  charter: Charter;
  /** `name` says which source it is: a later batch of the same name replaces the days that it holds. */
  source: { path: string; name: string /** What it is to be, where that is known. */; digest?: string | undefined };
  mapping: Mapping;
  blobs: BlobStore;
  /** A local folder for scratch files; made when absent. */
  workDir: string;
  /** Shift timestamps by whole weeks so that the data end on or before this day. Absent: no shift. */
  endsAt?: string | undefined;
  /** The day that it is now in the surface's zone: freshness is measured against it. */
  asOfDay?: string | undefined;
  /** The moment that it is now: what lies behind it cannot have happened. Absent: nobody knows. */
  nowMs?: number | undefined;
  /** Columns of the last file of this source. */
  columnsBefore?: readonly string[] | undefined;
  /** By whose key people are known; absent: by their ids. */
  pseudonyms?: Pseudonyms | null | undefined;
  /** What the surface has before this batch: the items of its catalog stay. */
  before?: DataBefore | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: IngestProgress) => void) | undefined;
};
export type IngestResult = { manifest: IngestManifest; digest: Digest };
/** `items`: what the batch says of each item, for a catalog on top of other data than `before`. */
export type IngestedBatch = IngestResult & { items: ItemRow[] };

/**
 * Validates a file and stores what it became: a day slice for each day in the surface's time zone, the quarantine, the catalog and the
 * manifest. Nothing is stored before every rule has passed. The same file and arguments give the same digests.
 * @throws UND-FILE (missing, truncated, wrong columns), UND-RULE-STOP (nothing written), UND-CONSERVATION, UND-INPUT (a bad day).
 */
export async function ingestBatch(input: IngestBatchInput): Promise<IngestedBatch> {
  const { charter, mapping, blobs, signal, onProgress } = input;
  const endsAt = checkedDay('endsAt', input.endsAt);
  const asOfDay = checkedDay('asOfDay', input.asOfDay);
  await mkdir(input.workDir, { recursive: true });
  const report = (stage: IngestProgress['stage'], done: number, total: number) => onProgress?.({ stage, done, total });
  const file = await inspectSource({ path: input.source.path, signal });
  if (input.source.digest !== undefined && file.digest !== input.source.digest)
    throw new UnderstudyError('UND-FILE', `${input.source.path} is not any more what it was when the work was asked for: it changed, or is another file`);
  return withDuck({ workDir: input.workDir, signal }, async (duck) => {
    report('read', 0, 1);
    const columns = await loadRaw({ duck, source: file, requires: mapping.requires });
    report('judge', 0, 1);
    const { pseudonyms = null } = input;
    const staged = await stageRows({
      duck,
      mapping,
      charter,
      shift: endsAt === undefined ? undefined : { endsAt },
      nowMs: input.nowMs ?? null,
      pseudonyms,
      changes: await Promise.all((input.before?.changes ?? []).map(({ digest }) => blobs.localPath(digest))),
    }).catch(async (error) => {
      signal?.throwIfAborted();
      await blameSource({ duck, source: file });
      throw error;
    });
    const { shiftDays } = staged;
    const ofSource = slicesThatStay({ previous: input.before?.slices ?? [], next: [{ source: input.source.name, shiftDays }] });
    const earlier = ofSource.filter((slice) => slice.source === input.source.name);
    const { tally, warnings } = await holdDataSet({
      duck,
      charter,
      shiftDays,
      asOfDay,
      earlier: { blobs, slices: earlier, adds: false },
      columns: { now: columns, before: input.columnsBefore },
    });
    await duck.run('CREATE VIEW accepted AS SELECT * FROM judged WHERE fate IS NULL');
    const quarantine = await writeQuarantine({ duck, blobs, keyed: pseudonyms !== null });
    await closeRaw({ duck, source: file });
    const slices = await writeSlices({
      duck,
      table: 'accepted',
      timeZone: charter.timeZone,
      source: input.source.name,
      shiftDays,
      blobs,
      onSlice: ({ done, total }) => report('write', done, total),
    });
    report('catalog', 0, 1);
    const items = await summarizeItems({ duck, table: 'accepted' });
    // Nobody asks for the rows any more: what they take is given back before the items are made a document.
    await duck.run('DROP VIEW accepted; DROP TABLE judged');
    const catalog = await storeCatalog({ duck, blobs, mapping, items, before: input.before, batch: { source: input.source.name, shiftDays } });
    const stored = await storeManifest({
      blobs,
      rowsAdded: slices.reduce((rows, slice) => rows + slice.rows, 0),
      manifest: {
        kind: 'ingest',
        surface: input.surface,
        source: { name: input.source.name, digest: file.digest, bytes: file.bytes, columns, mapping: await putDocument(blobs, mapping) },
        rulesDigest: rulesDigestOf({ mapping, charter }),
        shiftDays,
        ...tally,
        quarantine,
        catalog,
        inStockDays: mapping.inStockDays,
        slices,
        warnings: [...staged.warnings, ...warnings],
      },
    });
    return { ...stored, items };
  });
}

/** The same batch on top of other data: only the catalog and the manifest that names it are made again. */
export async function rebaseBatch({
  batch,
  mapping,
  before,
  blobs,
  workDir,
}: {
  batch: IngestedBatch;
  mapping: Mapping;
  before: DataBefore | undefined;
  blobs: BlobStore;
  workDir: string;
}): Promise<IngestedBatch> {
  const { manifest, items } = batch;
  const of = { source: manifest.source.name, shiftDays: manifest.shiftDays };
  const catalog = await withDuck({ workDir }, (duck) => storeCatalog({ duck, blobs, mapping, items, before, batch: of }));
  const stored = await storeManifest({ blobs, rowsAdded: manifest.counts.accepted, manifest: { ...manifest, catalog } });
  return { ...stored, items };
}

async function storeCatalog({ items, mapping, ...input }: Parameters<typeof catalogBefore>[0] & { mapping: Mapping; items: ItemRow[] }): Promise<Digest> {
  const previous = await catalogBefore({ ...input, batch: items.length === 0 ? undefined : input.batch });
  const catalog = await buildCatalog({ duck: input.duck, rows: items, mapping, previous });
  return putDocument(input.blobs, catalogDocument.parse(catalog));
}

/** Checks that every row is accounted for once, and stores the manifest. @throws UND-CONSERVATION. */
export async function storeManifest({ blobs, manifest, rowsAdded }: { blobs: BlobStore; manifest: IngestManifest; rowsAdded: number }): Promise<IngestResult> {
  const { input, accepted, quarantined, duplicates, withheld = 0, expired = 0 } = manifest.counts;
  const sum = (record: Record<string, number>) => Object.values(record).reduce((total, value) => total + value, 0);
  const claims: [string, number, number][] = [
    ['accepted + quarantined + duplicates + withheld + expired', accepted + quarantined + duplicates + withheld + expired, input],
    ['rows added to slices', rowsAdded, accepted],
    ['rows by kind', sum(manifest.acceptedByKind), accepted],
    ['rows by reason', sum(manifest.quarantineByReason), quarantined],
  ];
  const broken = claims.filter(([, left, right]) => left !== right);
  if (broken.length > 0) throw new UnderstudyError('UND-CONSERVATION', broken.map(([what, left, right]) => `${what} = ${left}, expected ${right}`).join('; '));
  const checked = ingestManifest.parse(manifest);
  return { manifest: checked, digest: await putDocument(blobs, checked) };
}

export type Tally = Pick<IngestManifest, 'counts' | 'acceptedByKind' | 'quarantineByReason'>;

/** Counts what became of the rows of `judged` and `malformed`; the input is counted from `raw`, so that the two can disagree. */
export async function countFates(duck: Duck): Promise<Tally> {
  const [raw] = await duck.rows<{ rows: number; malformed: number }>(
    'SELECT (SELECT count(*) FROM raw)::DOUBLE AS rows, (SELECT count(*) FROM malformed)::DOUBLE AS malformed',
  );
  const malformed = raw?.malformed ?? 0;
  const fates = await duck.rows<{ fate: string | null; kind: string | null; rows: number }>(
    'SELECT fate, CASE WHEN fate IS NULL THEN kind END AS kind, count(*)::DOUBLE AS rows FROM judged GROUP BY ALL ORDER BY ALL',
  );
  const counts: IngestManifest['counts'] = { input: (raw?.rows ?? 0) + malformed, accepted: 0, quarantined: malformed, duplicates: 0 };
  const acceptedByKind: Record<string, number> = {};
  const quarantineByReason: Record<string, number> = malformed === 0 ? {} : { [malformedRow]: malformed };
  for (const { fate, kind, rows } of fates) {
    if (fate === null) {
      counts.accepted += rows;
      acceptedByKind[kind ?? ''] = rows;
    } else if (fate === 'duplicate') counts.duplicates += rows;
    else if (fate === withheldFate) counts.withheld = rows;
    else if (fate === expiredFate) counts.expired = rows;
    else {
      counts.quarantined += rows;
      quarantineByReason[fate] = (quarantineByReason[fate] ?? 0) + rows;
    }
  }
  return { counts, acceptedByKind, quarantineByReason };
}

/**
 * Holds the batch against the charter's data-set rules, and puts aside what they say. Answers what became of the rows in the end.
 * @throws UND-RULE-STOP, UND-INPUT.
 */
export async function holdDataSet(
  input: Omit<Parameters<typeof measureDataSet>[0], 'counts'>,
): Promise<{ tally: Tally; warnings: IngestManifest['warnings'] }> {
  const { duck, charter } = input;
  const tally = await countFates(duck);
  const { warnings, aside } = judgeDataSet(await measureDataSet({ ...input, counts: tally.counts }));
  for (const { rule, day } of aside)
    await duck.run(`UPDATE judged SET fate = ${text(rule)} WHERE fate IS NULL ${day === undefined ? '' : `AND ${daySql(charter.timeZone)} = ${text(day)}`}`);
  return { tally: aside.length === 0 ? tally : await countFates(duck), warnings };
}

function checkedDay(what: string, day: string | undefined): string | undefined {
  if (day === undefined) return undefined;
  const parsed = dayString.safeParse(day);
  const time = Date.parse(`${day}T00:00:00Z`);
  if (!parsed.success || Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== day)
    throw new UnderstudyError('UND-INPUT', `${what} must be a day, YYYY-MM-DD; it is "${day}"`);
  return day;
}
