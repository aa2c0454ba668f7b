import type { Charter } from '../../models/contracts/charter.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import { type Mend, mend as mendDocument } from '../../models/contracts/mend.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import {
  type DataState,
  dataState,
  type IngestManifest,
  ingestManifest,
  logSource,
  type QuarantineEntry,
  type SliceReference,
} from '../../models/contracts/window.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import { parseGeneration } from '../../stores/generations.ts';
import { appendLedger } from '../../stores/ledger.ts';
import { openPseudonyms } from '../../stores/pseudonym-key.ts';
import type { IngestResult, ReplayRequest } from '../api.ts';
import { type Context, readCharter, readLatest } from '../context.ts';
import { dependentsOf } from '../windows/dependents.ts';
import type { Beat } from '../worker.ts';
import { buildCatalog, catalogDocument, summarizeItems } from './build-catalog.ts';
import { asWritten, type Duck, name, text, withDuck } from './duckdb.ts';
import { takeInPrevious, tellRepeats } from './extend-slices.ts';
import { keptNowhere } from './fates.ts';
import { countFates, type IngestResult as Ingested, storeManifest, type Tally } from './ingest-batch.ts';
import { eventMapping } from './ingest-log.ts';
import { createMalformed } from './malformed-rows.ts';
import { type Mapping, mapping as mappingDocument } from './mapping.ts';
import { type Ingested as Published, publishData } from './publish-data.ts';
import { rulesDigestOf, stageRows } from './stage-rows.ts';
import { quarantineSql } from './write-quarantine.ts';
import { writeSlices } from './write-slices.ts';

/**
 * Takes rows out of quarantine, mends them, and holds them against the rules that are in force now. What fits goes into the slice of its own day, as a new
 * version beside what stood there; what does not stays in quarantine, as it came. The ledger says who did so, and which runs read the days as they were.
 * Running it again changes nothing.
 * @throws UND-NOT-FOUND when the surface's data have no such quarantine (any more); UND-INPUT for an edit of a column that no row has; UND-CHARTER when a
 * mapping cannot be run; UND-RULE-STOP.
 */
export async function replayQuarantine(context: Context, request: ReplayRequest, beat: Beat): Promise<IngestResult> {
  const { state } = context;
  const { surface, replay } = request;
  const charter = await readCharter(state.blobs, request.charter);
  const result = await publishData<Published>({
    state,
    surface,
    charter,
    nowMs: context.now,
    beat,
    ingest: async ({ before, workDir }) =>
      (await earlierReplay(context, { before, replay })) ??
      withReplay({ context, surface, charter, before, replay, workDir, signal: beat.signal }, (judged) =>
        storeReplay({ ...judged, context, surface, replay, beat }),
      ),
  });
  const data = await readLatest(state.generations, `data/${surface}`, dataState);
  const dependents = data === undefined ? [] : await dependentsOf({ state, data: data.document });
  await appendLedger(state.generations, {
    operationId: `replay/${result.manifest.slice(7)}`,
    atMs: context.now(),
    surface,
    action: 'data-mended',
    by: request.by,
    releaseId: null,
    detail: {
      message: `${request.why}: ${result.counts.accepted} of ${result.counts.input} rows out of quarantine came into ${result.days} days`,
      manifest: result.manifest,
      runsOnEarlierVersions: dependents.map(({ runId }) => runId),
    },
  });
  return result;
}

/** What a replay would come to, with nothing written. */
export async function tryReplay(
  context: Pick<Context, 'state' | 'now' | 'pseudonymKey'>,
  input: { surface: string; charter: Charter; mend: Mend; quarantine: string; reason: string | null; workDir: string },
): Promise<Tally> {
  const before = await readLatest(context.state.generations, `data/${input.surface}`, dataState);
  const mend = await putDocument(context.state.blobs, input.mend);
  const replay = { quarantine: input.quarantine, reason: input.reason, mend };
  return withReplay({ ...input, context, before: before?.document, replay }, ({ duck }) => countFates(duck));
}

type Replay = ReplayRequest['replay'];
type Judged = {
  duck: Duck;
  entry: QuarantineEntry;
  mapping: Mapping;
  charter: Charter;
  before: DataState;
  previous: SliceReference[];
  warnings: IngestManifest['warnings'];
};
type WithReplay = {
  context: Pick<Context, 'state' | 'now' | 'pseudonymKey'>;
  surface: string;
  charter: Charter;
  before: DataState | undefined;
  replay: Replay;
  workDir: string;
  signal?: AbortSignal | undefined;
};

/** Judges the mended rows, in the table `judged`. */
async function withReplay<T>({ context, surface, charter, before, replay, workDir, signal }: WithReplay, use: (judged: Judged) => Promise<T>): Promise<T> {
  const { blobs, generations } = context.state;
  const entry = before?.quarantine?.find(({ digest }) => digest === replay.quarantine);
  if (before === undefined || entry === undefined)
    throw new UnderstudyError(
      'UND-NOT-FOUND',
      `${surface} has no quarantine ${replay.quarantine}: \`understudy quarantine list ${surface}\` has those that there are`,
    );
  const mend = await getDocument(blobs, replay.mend, mendDocument);
  const mapped = mend.mapping ?? entry.mapping;
  const mapping = mapped === undefined ? eventMapping : await getDocument(blobs, mapped, mappingDocument);
  const previous = before.slices.filter((slice) => slice.source === entry.source && (slice.shiftDays ?? 0) === (entry.shiftDays ?? 0));
  const pseudonyms = await openPseudonyms({ generations, surface, charter, key: context.pseudonymKey });
  return withDuck({ workDir, signal }, async (duck) => {
    await loadQuarantine({ duck, path: await blobs.localPath(entry.digest), reason: replay.reason, mend });
    const { warnings } = await stageRows({
      duck,
      mapping,
      charter,
      shift: { days: entry.shiftDays ?? 0 },
      nowMs: context.now(),
      pseudonyms,
      changes: await Promise.all((before.changes ?? []).map(({ digest }) => blobs.localPath(digest))),
    });
    await tellRepeats({ duck, paths: await Promise.all(previous.map(({ digest }) => blobs.localPath(digest))) });
    return use({ duck, entry, mapping, charter, before, previous, warnings });
  });
}

type StoreReplay = Judged & { context: Context; surface: string; replay: Replay; beat: Beat };

async function storeReplay({ duck, entry, mapping, charter, before, previous, warnings, context, surface, replay, beat }: StoreReplay): Promise<Ingested> {
  const { blobs } = context.state;
  const { source, shiftDays = 0 } = entry;
  const { timeZone } = charter;
  const rowsBefore = await takeInPrevious({ duck, timeZone, blobs, previous });
  await duck.run('CREATE VIEW accepted AS SELECT * FROM judged WHERE fate IS NULL');
  const slices = await writeSlices({ duck, table: 'merged', timeZone, source, shiftDays, blobs, onSlice: () => beat.beat() });
  return storeManifest({
    blobs,
    rowsAdded: slices.reduce((rows, slice) => rows + slice.rows, 0) - rowsBefore,
    manifest: {
      kind: 'ingest',
      surface,
      source: { name: source, digest: entry.file, bytes: 0, ...(entry.mapping === undefined ? {} : { mapping: entry.mapping }) },
      replays: replay,
      rulesDigest: rulesDigestOf({ mapping, charter }),
      shiftDays,
      ...(await countFates(duck)),
      ...(await putBack({ duck, blobs, path: await blobs.localPath(entry.digest) })),
      catalog: await catalogAfter({ duck, context, mapping, before, isLog: source === logSource }),
      inStockDays: before.inStockDays,
      slices,
      warnings,
    },
  });
}

/** So many generations may have come between two attempts. */
const lookedBack = 200;

/**
 * A replay that was published by an attempt which died before it could say so: by its manifest the newest generation, or, where its quarantine is gone, one
 * that others stand behind.
 */
async function earlierReplay({ state }: Context, { before, replay }: { before: DataState | undefined; replay: Replay }): Promise<Published | undefined> {
  if (before === undefined) return undefined;
  const { blobs, generations } = state;
  const series = `data/${before.surface}`;
  const isThere = before.quarantine?.some(({ digest }) => digest === replay.quarantine) === true;
  const oldest = isThere ? before.generation : Math.max(1, before.generation - lookedBack);
  for (let generation = before.generation; generation >= oldest; generation -= 1) {
    const { ingest } = parseGeneration(dataState, { series, generation, document: await generations.read(series, generation) });
    const manifest = await getDocument(blobs, ingest, ingestManifest);
    if (manifest.replays !== undefined && digestJson(manifest.replays) === digestJson(replay)) return { manifest, digest: ingest, published: true };
  }
  return undefined;
}

/**
 * From a quarantine to `raw`, as its file had been, with the edits made: a column a cell, all VARCHAR; `_text` holds the line that was no row. Rows of other
 * reasons are left out.
 */
async function loadQuarantine({ duck, path, reason, mend }: { duck: Duck; path: string; reason: string | null; mend: Mend }): Promise<void> {
  await createMalformed(duck);
  const wanted = reason === null ? 'true' : `reason = ${text(reason)}`;
  await duck.run(`
    CREATE TABLE aside AS SELECT *, coalesce(json_type(body) = 'OBJECT', false) AS is_row
    FROM (SELECT CAST(line AS DOUBLE) AS raw_line, raw, CASE WHEN json_valid(raw) THEN raw END AS body FROM ${quarantineSql(path)} WHERE ${wanted})`);
  // What is no row only another mapping can read.
  if (mend.mapping === null) await duck.run('DELETE FROM aside WHERE NOT is_row');
  const keys = await duck.rows<{ key: string }>('SELECT DISTINCT unnest(json_keys(body)) AS key FROM aside WHERE is_row ORDER BY key');
  const known = new Set(keys.map(({ key }) => key));
  const strangers = mend.edits.filter(({ column }) => !known.has(column));
  if (strangers.length > 0)
    throw new UnderstudyError(
      'UND-INPUT',
      `No quarantined row has the column ${strangers.map(({ column }) => column).join(', ')}; there are ${[...known].join(', ')}`,
    );
  const cells = keys.map(({ key }) => `CASE WHEN is_row THEN json_extract_string(body, ${text(`$."${key.replaceAll('"', '\\"')}"`)}) END AS ${name(key)}`);
  await duck.run(`CREATE TABLE raw AS SELECT raw_line, ${[...cells, 'CASE WHEN NOT is_row THEN raw END AS _text'].join(', ')} FROM aside`);
  for (const { column, from, to } of mend.edits) {
    const where = from === undefined ? 'true' : from === null ? `${name(column)} IS NULL` : `${name(column)} = ${text(from)}`;
    await duck.run(`UPDATE raw SET ${name(column)} = ${to === null ? 'NULL' : text(to)} WHERE _text IS NULL AND ${where}`);
  }
}

/** What stays: rows of other reasons, and those that still do not fit, as they came and for the reason that holds now. */
async function putBack({ duck, blobs, path }: { duck: Duck; blobs: Context['state']['blobs']; path: string }) {
  const out = `${duck.scratch}/quarantine.parquet`;
  await duck.run(`
    CREATE TABLE staying AS
    SELECT one.* REPLACE (coalesce(judged.fate, one.reason) AS reason)
    FROM ${quarantineSql(path)} one LEFT JOIN judged ON judged.raw_line = one.line
    WHERE judged.raw_line IS NULL OR judged.fate NOT IN ${keptNowhere}`);
  const reasons = await duck.rows<{ reason: string; rows: number }>('SELECT reason, count(*)::DOUBLE AS rows FROM staying GROUP BY reason ORDER BY reason');
  if (reasons.length === 0) return { quarantine: null };
  await duck.run(`COPY (FROM staying ORDER BY line) TO ${text(out)} (FORMAT parquet, COMPRESSION zstd)`);
  return { quarantine: await blobs.putFile(out), inQuarantine: Object.fromEntries(reasons.map(({ reason, rows }) => [reason, rows])) };
}

type CatalogInput = { duck: Duck; context: Context; mapping: Mapping; before: DataState; isLog: boolean };

async function catalogAfter({ duck, context, mapping, before, isLog }: CatalogInput): Promise<string> {
  if (isLog) return before.catalog;
  const { blobs } = context.state;
  const previous = await getDocument(blobs, before.catalog, catalogDocument);
  const items = await summarizeItems({ duck, table: 'accepted' });
  const catalog = await asWritten({ what: `The mapping ${mapping.name}`, path: '/source/mapping' }, () =>
    buildCatalog({ duck, rows: items, mapping, previous }),
  );
  return putDocument(blobs, catalogDocument.parse(catalog));
}
