import { join } from 'node:path';
import type { ErasureRequest } from '../../models/contracts/erasure.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type DataState, dataState, type QuarantineEntry, type SliceReference } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { type State, readLatest } from '../context.ts';
import { type Duck, text, withDuck } from '../events/duckdb.ts';
import { eventColumnList, slicesSql } from '../events/event-columns.ts';
import { quarantineSql, daySql, writeDays, writeSlices } from '../events/write-slices.ts';
import { changeColumns, changeTextSql } from '../events/changes.ts';
import { type Doomed, filesWith, type ParquetKind } from './person-sql.ts';

type Input = {
  state: Pick<State, 'blobs' | 'generations'>;
  surface: string;
  timeZone: string;
  /** Which rows go; `prepare` makes the tables that it speaks of. */
  doomed: Doomed;
  prepare?: (duck: Duck) => Promise<void>;
  /** What goes of the quarantine as a whole. */
  entryGoes?: (entry: QuarantineEntry) => boolean;
  certificate: string;
  workDir: string;
  signal?: AbortSignal;
};
export type ErasedData = Pick<ErasureRequest, 'removed' | 'slices'>;

/**
 * Makes the surface's data such that no such row is in them: a new version of each day that had some. All other days stay what they are. Running it again
 * finds nothing, and changes nothing. What earlier generations held is for others to remove.
 */
export async function eraseData({ state, surface, timeZone, prepare, certificate, workDir, signal, ...what }: Input): Promise<ErasedData> {
  const { blobs, generations } = state;
  const series = `data/${surface}`;
  return withDuck({ workDir, signal }, async (duck) => {
    await prepare?.(duck);
    for (;;) {
      const before = (await readLatest(generations, series, dataState))?.document;
      if (before === undefined) return { removed: {}, slices: [] };
      const { next, removed, slices } = await without({ duck, blobs, before, timeZone, ...what });
      if (slices.length === 0 && Object.keys(removed).length === 0) return { removed: {}, slices: [] };
      try {
        await generations.create(series, before.generation + 1, dataState.parse({ ...next, generation: before.generation + 1, erasedBy: certificate }));
        return { removed, slices };
      } catch (error) {
        if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
      }
    }
  });
}

type Without = Pick<Input, 'timeZone' | 'doomed' | 'entryGoes'> & { duck: Duck; blobs: BlobStore; before: DataState };

async function without(input: Without): Promise<ErasedData & { next: DataState }> {
  const { before } = input;
  const events = await rewritten({ ...input, kind: 'events', slices: before.slices, write: (group) => writeEvents({ ...input, ...group }) });
  const changes = await rewritten({ ...input, kind: 'changes', slices: before.changes ?? [], write: (group) => writeChanges({ ...input, ...group }) });
  const quarantine = await quarantineWithout(input);
  const removed = { events: events.rows, changes: changes.rows, quarantined: quarantine.rows };
  return {
    next: {
      ...before,
      slices: events.slices,
      changes: changes.slices.length === 0 ? undefined : changes.slices,
      quarantine: quarantine.entries.length === 0 ? undefined : quarantine.entries,
    },
    removed: Object.fromEntries(Object.entries(removed).filter(([, rows]) => rows > 0)),
    slices: events.versions.map((one) => ({ surface: before.surface, ...one })),
  };
}

type Group = { paths: string[]; source: string; shiftDays: number };
type Rewritten = { slices: SliceReference[]; rows: number; versions: { day: string; source: string; was: string; is: string | null }[] };

/** Of the slices that hold something that goes, those of one source are written together. */
async function rewritten(
  input: Pick<Without, 'duck' | 'blobs' | 'doomed'> & {
    kind: ParquetKind;
    slices: readonly SliceReference[];
    write: (group: Group) => Promise<SliceReference[]>;
  },
): Promise<Rewritten> {
  const { duck, blobs, kind, slices, doomed } = input;
  // Two sources may have a day of the same bytes.
  const sharers = new Map<string, SliceReference[]>();
  for (const slice of slices) {
    const path = await blobs.localPath(slice.digest);
    sharers.set(path, [...(sharers.get(path) ?? []), slice]);
  }
  const hits = await filesWith({ duck, kind, doomed, paths: [...sharers.keys()] });
  const groups = new Map<string, Group>();
  const hit = new Set<SliceReference>();
  for (const [path, slice] of [...hits.keys()].flatMap((path) => (sharers.get(path) ?? []).map((one) => [path, one] as const))) {
    hit.add(slice);
    const { source = '', shiftDays = 0 } = slice;
    const group = groups.get(`${source} ${shiftDays}`) ?? { paths: [], source, shiftDays };
    group.paths.push(path);
    groups.set(`${source} ${shiftDays}`, group);
  }
  const fresh = new Map<string, SliceReference>();
  for (const group of groups.values()) for (const slice of await input.write(group)) fresh.set(`${slice.day} ${group.source} ${group.shiftDays}`, slice);
  const versions: Rewritten['versions'] = [];
  const after = slices.flatMap((slice) => {
    const { day, source = '', shiftDays = 0 } = slice;
    if (!hit.has(slice)) return [slice];
    const next = fresh.get(`${day} ${source} ${shiftDays}`);
    versions.push({ day, source, was: slice.digest, is: next?.digest ?? null });
    return next === undefined ? [] : [{ ...next, ...(slice.source === undefined ? {} : { source }) }];
  });
  return { slices: after, rows: [...hits.values()].reduce((sum, rows) => sum + rows, 0), versions };
}

type Write = Group & Pick<Without, 'duck' | 'blobs' | 'timeZone' | 'doomed'>;

async function writeEvents({ duck, blobs, timeZone, doomed, paths, source, shiftDays }: Write): Promise<SliceReference[]> {
  // A view: the files hold their rows by time, so that a part is read where it is, and nothing is copied.
  await duck.run(`CREATE VIEW remaining AS SELECT ${eventColumnList} FROM ${slicesSql(paths)} WHERE NOT ${doomed.events}`);
  const slices = await writeSlices({ duck, table: 'remaining', timeZone, source, shiftDays, blobs, onSlice: () => undefined });
  await duck.run('DROP VIEW remaining');
  return slices;
}

async function writeChanges({ duck, blobs, timeZone, doomed, paths, source, shiftDays }: Write): Promise<SliceReference[]> {
  const rows = `read_parquet([${paths.map(text).join(', ')}])`;
  await duck.run(`CREATE TABLE remaining AS SELECT ${daySql(timeZone)} AS day, ${changeColumns} FROM ${rows} WHERE NOT ${doomed.changes}`);
  return writeDays({ duck, table: 'remaining', columns: changeColumns, rowText: changeTextSql, source, shiftDays, blobs });
}

async function quarantineWithout({ duck, blobs, before, doomed, entryGoes }: Without): Promise<{ entries: QuarantineEntry[]; rows: number }> {
  const after: QuarantineEntry[] = [];
  let rows = 0;
  for (const entry of before.quarantine ?? []) {
    if (entryGoes?.(entry) === true) {
      rows += Object.values(entry.reasons).reduce((sum, count) => sum + count, 0);
      continue;
    }
    const path = await blobs.localPath(entry.digest);
    const going = (await filesWith({ duck, kind: 'quarantine', doomed, paths: [path] })).get(path) ?? 0;
    rows += going;
    if (going === 0) {
      after.push(entry);
      continue;
    }
    await duck.run(`CREATE TABLE remaining AS SELECT * FROM ${quarantineSql(path)} WHERE NOT ${doomed.quarantine}`);
    const reasons = await duck.rows<{ reason: string; rows: number }>('SELECT reason, count(*)::DOUBLE AS rows FROM remaining GROUP BY reason ORDER BY reason');
    const out = join(duck.scratch, 'quarantine.parquet');
    if (reasons.length > 0) {
      await duck.run(`COPY (FROM remaining ORDER BY line) TO ${text(out)} (FORMAT parquet, COMPRESSION zstd)`);
      after.push({ ...entry, digest: await blobs.putFile(out), reasons: Object.fromEntries(reasons.map((one) => [one.reason, one.rows])) });
    }
    await duck.run('DROP TABLE remaining');
  }
  return { entries: after, rows };
}
