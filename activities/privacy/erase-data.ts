import { join } from 'node:path';
import type { ErasureRequest } from '../../models/contracts/erasure.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type DataState, dataState, type QuarantineEntry, type SliceReference } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { type State, readLatest } from '../context.ts';
import { type Duck, text, withDuck } from '../events/duckdb.ts';
import { eventColumnList, rowTextSql, slicesSql } from '../events/event-columns.ts';
import { quarantineSql } from '../events/write-quarantine.ts';
import { type WrittenDay, writeFiles } from '../events/write-slices.ts';
import { changeColumns, changeTextSql } from '../events/changes.ts';
import { type Doomed, filesWith, type ParquetKind } from './person-sql.ts';

type Input = {
  state: Pick<State, 'blobs' | 'generations'>;
  surface: string;
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
export async function eraseData({ state, surface, prepare, certificate, workDir, signal, ...what }: Input): Promise<ErasedData> {
  const { blobs, generations } = state;
  const series = `data/${surface}`;
  return withDuck({ workDir, signal }, async (duck) => {
    await prepare?.(duck);
    for (;;) {
      const before = (await readLatest(generations, series, dataState))?.document;
      if (before === undefined) return { removed: {}, slices: [] };
      const { next, removed, slices } = await without({ duck, blobs, before, ...what });
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

type Without = Pick<Input, 'doomed' | 'entryGoes'> & { duck: Duck; blobs: BlobStore; before: DataState };

async function without(input: Without): Promise<ErasedData & { next: DataState }> {
  const { before } = input;
  const events = await rewritten({ ...input, kind: 'events', slices: before.slices, rowText: rowTextSql, remaining: eventsWithout });
  const changes = await rewritten({ ...input, kind: 'changes', slices: before.changes ?? [], rowText: changeTextSql, remaining: changesWithout });
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

type Rewritten = { slices: SliceReference[]; rows: number; versions: { day: string; source: string; was: string; is: string | null }[] };
type Remaining = (path: string, doomed: Doomed) => string;

/** Each slice that holds something that goes, written again: its day stays what it was, whatever the charter's time zone is by now. */
async function rewritten({
  duck,
  blobs,
  kind,
  slices,
  doomed,
  rowText,
  remaining,
}: Pick<Without, 'duck' | 'blobs' | 'doomed'> & {
  kind: ParquetKind;
  slices: readonly SliceReference[];
  rowText: string;
  remaining: Remaining;
}): Promise<Rewritten> {
  const pathOf = new Map<SliceReference, string>();
  for (const slice of slices) pathOf.set(slice, await blobs.localPath(slice.digest));
  const hits = await filesWith({ duck, kind, doomed, paths: [...new Set(pathOf.values())] });
  const next = new Map<SliceReference, WrittenDay | undefined>();
  const files = [...pathOf].flatMap(([slice, path]) =>
    hits.has(path) ? [{ rows: remaining(path, doomed), done: (written: WrittenDay | undefined) => next.set(slice, written) }] : [],
  );
  await writeFiles({ duck, files, rowText, blobs });
  return {
    slices: slices.flatMap((slice) => {
      const written = next.get(slice);
      if (written === undefined) return next.has(slice) ? [] : [slice];
      return [{ ...slice, ...written }];
    }),
    rows: [...hits.values()].reduce((sum, rows) => sum + rows, 0),
    versions: [...next].map(([slice, written]) => ({ day: slice.day, source: slice.source ?? '', was: slice.digest, is: written?.digest ?? null })),
  };
}

/** Out of a slice they come in the order in which they are to stand. */
const eventsWithout: Remaining = (path, doomed) => `SELECT ${eventColumnList} FROM ${slicesSql([path])} WHERE NOT ${doomed.events}`;
const changesWithout: Remaining = (path, doomed) => `SELECT ${changeColumns} FROM read_parquet(${text(path)}) WHERE NOT ${doomed.changes}`;

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
