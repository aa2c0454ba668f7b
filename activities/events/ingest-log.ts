import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { once } from 'node:events';
import { finished, pipeline } from 'node:stream/promises';
import type { Charter } from '../../models/contracts/charter.ts';
import type { DataSetMeasure } from '../../models/contracts/data-set-rule.ts';
import type { Digest } from '../../models/contracts/ids.ts';
import type { Pseudonyms } from '../../models/contracts/pseudonyms.ts';
import type { DataState, QuarantineEntry, SliceReference } from '../../models/contracts/window.ts';
import { type BlobStore, getDocument, putDocument } from '../../stores/blobs.ts';
import { catalogDocument } from './build-catalog.ts';
import { changeCatalog, changeLine, changeOf, quarantineConflicts, type SlicedChanges, sliceChanges, wellFormed } from './changes.ts';
import { expiredBy } from '../privacy/cutoffs.ts';
import { dayIn } from '../windows/days.ts';
import { name, text, withDuck } from './duckdb.ts';
import { eventColumns } from './event-columns.ts';
import { takeInPrevious, tellRepeats } from './extend-slices.ts';
import { countFates, holdDataSet, type IngestResult, storeManifest, type Tally } from './ingest-batch.ts';
import { createMalformed } from './malformed-rows.ts';
import type { Mapping } from './mapping.ts';
import { rulesDigestOf, stageRows } from './stage-rows.ts';
import { tellPutAside, writeQuarantine } from './write-quarantine.ts';
import { writeSlices } from './write-slices.ts';

export type IngestLogInput = {
  surface: string;
  charter: Charter;
  /** Names the source: `log`. */
  sourceName: string;
  /** Events, each checked here anew: what is none is quarantined. */
  events: AsyncIterable<unknown>;
  /** What the surface has: slices of this source are extended, never shortened. */
  previous: Pick<DataState, 'slices' | 'changes'>;
  /** What was put aside of earlier events of this source: sent again, it is no second record. */
  quarantine?: readonly Pick<QuarantineEntry, 'digest' | 'source'>[] | undefined;
  /** What the surface's items are: changes of items change it, and nothing else does. */
  catalog: Digest;
  blobs: BlobStore;
  workDir: string;
  nowMs: number;
  /** By whose key people are known; absent: by their ids. */
  pseudonyms?: Pseudonyms | null | undefined;
  signal?: AbortSignal | undefined;
};

const ofDays: readonly DataSetMeasure[] = ['weekday-volume', 'distribution-shift'];

/** Rows that are events already. */
export const eventMapping: Mapping = {
  name: 'events',
  requires: [],
  sql: `SELECT raw_line, ${eventColumns.map(({ column, type, field }) => `TRY_CAST(${name(field)} AS ${type}) AS ${column}`).join(', ')} FROM raw`,
};

/**
 * Makes day slices of live events the way a batch does. A slice of this source for the same day is taken in again, so that feeding the
 * same events twice adds nothing (they count as duplicates) and late events are added. Of the charter's data-set rules those apply
 * that speak of days, not of batches.
 */
export async function ingestLog(input: IngestLogInput): Promise<IngestResult> {
  const { charter, blobs, signal, sourceName, pseudonyms = null } = input;
  await mkdir(input.workDir, { recursive: true });
  const folder = await mkdtemp(join(input.workDir, 'log-'));
  try {
    const files = { events: join(folder, 'events.jsonl'), changes: join(folder, 'changes.jsonl') };
    const written = await writeLines({ events: input.events, files, signal });
    const ofSource = (slices: readonly SliceReference[] = []) => slices.filter((slice) => slice.source === sourceName);
    return await withDuck({ workDir: folder, signal }, async (duck) => {
      await createMalformed(duck);
      const columns = eventColumns.map(({ field }) => `${text(field)}: 'VARCHAR'`).join(', ');
      await duck.run(
        `CREATE TABLE raw AS SELECT CAST(row_number() OVER () AS DOUBLE) AS raw_line, * FROM read_json(${text(files.events)}, format = 'newline_delimited', columns = {${columns}})`,
      );
      const changed = await sliceChanges({
        duck,
        path: files.changes,
        previous: ofSource(input.previous.changes),
        timeZone: charter.timeZone,
        source: sourceName,
        blobs,
        expired: expiredBy(input)?.changes ?? 'false',
      });
      const items = changeCatalog(await getDocument(blobs, input.catalog, catalogDocument), changed.catalog);
      const knownItems = items.map(({ itemId }) => itemId);
      const { warnings } = await stageRows({ duck, mapping: eventMapping, charter, nowMs: input.nowMs, knownItems, pseudonyms, freshChanges: 'all_changes' });
      await quarantineConflicts({ duck, conflicts: changed.conflicts });
      const earlier = ofSource(input.previous.slices);
      const paths = await Promise.all(earlier.map(({ digest }) => blobs.localPath(digest)));
      await tellRepeats({ duck, paths });
      const held = await holdDataSet({
        duck,
        charter: { ...charter, data: { ...charter.data, rules: charter.data.rules.filter(({ measure }) => ofDays.includes(measure)) } },
        shiftDays: 0,
        asOfDay: dayIn(charter.timeZone, input.nowMs),
        earlier: { blobs, slices: earlier, adds: true },
      });
      const aside = (input.quarantine ?? []).filter(({ source }) => source === sourceName);
      await tellPutAside({ duck, paths: await Promise.all(aside.map(({ digest }) => blobs.localPath(digest))), keyed: pseudonyms !== null });
      const before = await takeInPrevious({ duck, timeZone: charter.timeZone, blobs, previous: earlier });
      const tally = withChanges(await countFates(duck), changed);
      const slices = await writeSlices({ duck, table: 'merged', timeZone: charter.timeZone, source: sourceName, blobs, onSlice: () => undefined });
      return storeManifest({
        blobs,
        rowsAdded: [...slices, ...changed.slices].reduce((rows, slice) => rows + slice.rows, 0) - before - changed.rowsBefore,
        manifest: {
          kind: 'ingest',
          surface: input.surface,
          source: { name: sourceName, digest: written.digest, bytes: written.bytes },
          rulesDigest: rulesDigestOf({ mapping: eventMapping, charter }),
          shiftDays: 0,
          ...tally,
          quarantine: await writeQuarantine({ duck, blobs, keyed: pseudonyms !== null }),
          catalog: changed.catalog.length === 0 ? input.catalog : await putDocument(blobs, catalogDocument.parse(items)),
          slices,
          ...(changed.slices.length === 0 ? {} : { changes: changed.slices }),
          warnings: [...warnings, ...held.warnings],
        },
      });
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Written = { digest: Digest; bytes: number };

/** Interactions, and what is neither, into the one file, changes into the other. */
async function writeLines({
  events,
  files,
  signal,
}: {
  events: AsyncIterable<unknown>;
  files: { events: string; changes: string };
  signal: AbortSignal | undefined;
}): Promise<Written> {
  const hash = createHash('sha256');
  let bytes = 0;
  const changes = createWriteStream(files.changes);
  async function* lines() {
    for await (const event of events) {
      const line = `${typeof event === 'object' ? JSON.stringify(event, wellFormed) : '{}'}\n`;
      hash.update(line);
      bytes += Buffer.byteLength(line);
      const change = changeOf(event);
      if (change === undefined) yield line;
      else if (!changes.write(`${changeLine(change)}\n`)) await once(changes, 'drain');
    }
  }
  try {
    await pipeline(lines, createWriteStream(files.events), signal === undefined ? {} : { signal });
  } finally {
    changes.end();
  }
  await finished(changes);
  return { digest: `sha256:${hash.digest('hex')}`, bytes };
}

/** Counts of interactions and of changes as one; conflicts are counted with the rows beside which they are quarantined. */
function withChanges(tally: Tally, changed: SlicedChanges): Tally {
  const fresh = Object.values(changed.accepted).reduce((sum, rows) => sum + rows, 0);
  const { counts } = tally;
  const expired = (counts.expired ?? 0) + changed.expired;
  return {
    ...tally,
    counts: {
      ...counts,
      input: counts.input + fresh + changed.duplicates + changed.expired,
      accepted: counts.accepted + fresh,
      duplicates: counts.duplicates + changed.duplicates,
      ...(expired === 0 ? {} : { expired }),
    },
    acceptedByKind: { ...tally.acceptedByKind, ...changed.accepted },
  };
}
