import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type DataState, dataState } from '../../models/contracts/window.ts';
import { eraseFromLog } from '../../stores/erase-log.ts';
import { parseGeneration } from '../../stores/generations.ts';
import { directoryOf } from '../../stores/open-logs.ts';
import { appendLedger } from '../../stores/ledger.ts';
import type { RetentionResult } from '../api.ts';
import { type Context, inScratch, readCharter, readLatest, type State } from '../context.ts';
import { type Duck, withDuck } from '../events/duckdb.ts';
import { currentCharter, listSurfaces } from '../registry/charters.ts';
import { sealLog } from '../release/seal-log.ts';
import { dayIn } from '../windows/days.ts';
import { publishProfiles } from '../windows/publish-profiles.ts';
import type { Beat } from '../worker.ts';
import { type Cutoffs, cutoffsOf, doomedBy, isOldRecord } from './cutoffs.ts';
import { eraseData } from './erase-data.ts';
import { eraseOldReports } from './erase-old-reports.ts';
import { refuseWhatIsKept } from './kept-in-kafka.ts';
import { type Doomed, filesWith, type ParquetKind } from './person-sql.ts';

/**
 * Erases what is older than the charter keeps: rows of data by their kind, records of both logs, quarantine by its age, what reporters said, and the versions of
 * before that held them. Windows that held them can be read no more. Running it again the same day changes nothing.
 * @throws UND-CHARTER when the charter keeps everything; UND-LOG-KEPT when the log is in a Kafka and holds something older.
 */
export async function enforceRetention(context: Context, { surface }: { surface: string }, beat: Beat): Promise<RetentionResult> {
  const { state } = context;
  const charter = await readCharter(state.blobs, await currentCharter(state, surface));
  const { retention, timeZone } = charter;
  if (retention === undefined)
    throw new UnderstudyError('UND-CHARTER', `The charter of ${surface} has no \`retention\`: everything is kept`, {
      mistakes: [{ path: '/retention', message: 'is missing' }],
    });
  const cutoffs = cutoffsOf({ retention, timeZone, nowMs: context.now() });
  const certificate = `retention-${surface}-${dayIn(timeZone, context.now())}`;
  const removed = await eraseOldRecords(context, { surface, cutoffs, certificate });
  beat.beat();
  const erased = await inScratch(state, 'retention', async (workDir) => {
    const doomed = doomedBy(cutoffs);
    const entryGoes = ({ sinceMs }: { sinceMs?: number | undefined }) => sinceMs !== undefined && sinceMs < cutoffs.quarantine;
    const result = await eraseData({ state, surface, doomed, entryGoes, certificate, workDir, signal: beat.signal });
    const data = await readLatest(state.generations, `data/${surface}`, dataState);
    if (data !== undefined) await publishProfiles(state, { data: data.document, charter, workDir, signal: beat.signal });
    const blobs = await sweepGenerations({ state, surface, doomed, entryGoes, certificate, workDir, signal: beat.signal });
    return { ...result, blobs };
  });
  const reports = await eraseOldReports(state, { surface, beforeMs: cutoffs.reports, certificate });
  const result: RetentionResult = {
    ...{ surface, certificate, days: erased.slices.length, blobs: erased.blobs + reports },
    removed: { ...erased.removed, ...removed, ...(reports === 0 ? {} : { reports }) },
  };
  if (Object.keys(result.removed).length > 0)
    await appendLedger(state.generations, {
      operationId: `${certificate}/${context.now()}`,
      atMs: context.now(),
      surface,
      action: 'retention-enforced',
      by: 'retention',
      releaseId: null,
      detail: {
        message: Object.entries(result.removed)
          .map(([what, count]) => `${count} ${what}`)
          .join(', '),
        certificate,
      },
    });
  return result;
}

/** What of the logs is older than the charter keeps. */
function oldIn(cutoffs: Cutoffs) {
  return {
    events: (record: unknown): boolean => isOldRecord(record, cutoffs),
    slates: (record: unknown): boolean => ((record as { atMs?: number } | undefined)?.atMs ?? Number.POSITIVE_INFINITY) < cutoffs.slates,
  };
}

async function eraseOldRecords(
  context: Context,
  { surface, cutoffs, certificate }: { surface: string; cutoffs: Cutoffs; certificate: string },
): Promise<Record<string, number>> {
  const old = oldIn(cutoffs);
  await refuseWhatIsKept({ state: context.state, surfaces: [surface], what: 'that are older than the charter keeps', doomed: old });
  await sealLog(context, { surface });
  const { events: ofEvents, changes, quarantine } = cutoffs;
  // What is kept shortest may stand in torn tails.
  const shortest = { events: Math.max(...Object.values(ofEvents), changes, quarantine), slates: Math.max(cutoffs.slates, quarantine) };
  const eraseFrom = (stream: 'events' | 'slates') =>
    eraseFromLog({
      directory: directoryOf(context.state.root, { surface, stream }),
      matches: old[stream],
      certificate,
      cutsBeforeMs: shortest[stream],
    });
  const [events, slates] = [await eraseFrom('events'), await eraseFrom('slates')];
  const removed = { loggedEvents: events.records, slates: slates.records, tornTails: (events.cuts ?? 0) + (slates.cuts ?? 0) };
  return Object.fromEntries(Object.entries(removed).filter(([, count]) => count > 0));
}

type Sweep = {
  state: State;
  surface: string;
  doomed: Doomed;
  entryGoes: (entry: { sinceMs?: number | undefined }) => boolean;
  certificate: string;
  workDir: string;
  signal?: AbortSignal;
};

/** Removes the blobs of earlier generations that held what is too old, and earlier profiles. What another surface reads too is its own matter. */
async function sweepGenerations({ state, surface, doomed, entryGoes, certificate, workDir, signal }: Sweep): Promise<number> {
  const { blobs, generations } = state;
  const series = `data/${surface}`;
  const newest = (await generations.latest(series))?.generation ?? 0;
  const byKind: Record<ParquetKind, Set<string>> = { events: new Set(), changes: new Set(), quarantine: new Set() };
  const aside = new Set<string>();
  for (let generation = 1; generation <= newest; generation += 1) {
    const data: DataState = parseGeneration(dataState, { series, generation, document: await generations.read(series, generation) });
    for (const { digest } of data.slices) byKind.events.add(digest);
    for (const { digest } of data.changes ?? []) byKind.changes.add(digest);
    for (const entry of data.quarantine ?? []) if (entryGoes(entry)) aside.add(entry.digest);
  }
  // What came in meanwhile may stand beside what is too old: the next time it is written again, and then goes.
  const elsewhere = await readBy(state);
  const doomedDigests = await withDuck({ workDir, signal }, async (duck) => {
    const found = [...aside];
    for (const kind of ['events', 'changes'] as const) found.push(...(await digestsWith({ duck, state, kind, digests: [...byKind[kind]], doomed })));
    return found;
  });
  const gone = doomedDigests.filter((digest) => !elsewhere.has(digest));
  let count = 0;
  for (const digest of gone) {
    if (!(await blobs.has(digest))) continue;
    await blobs.erase(digest, certificate);
    count += 1;
  }
  // Profiles are made again from the data, perhaps the same: nothing is said where they stood.
  for (const digest of await earlierProfiles(state, surface)) if (!elsewhere.has(digest)) await blobs.drop(digest);
  return count;
}

async function digestsWith({
  duck,
  state,
  kind,
  digests,
  doomed,
}: {
  duck: Duck;
  state: State;
  kind: ParquetKind;
  digests: readonly string[];
  doomed: Doomed;
}): Promise<string[]> {
  const byPath = new Map<string, string>();
  for (const digest of digests) if (await state.blobs.has(digest)) byPath.set(await state.blobs.localPath(digest), digest);
  const hits = await filesWith({ duck, kind, paths: [...byPath.keys()], doomed });
  return [...hits.keys()].flatMap((path) => byPath.get(path) ?? []);
}

async function earlierProfiles({ generations }: State, surface: string): Promise<string[]> {
  const series = `profiles/${surface}`;
  const newest = (await generations.latest(series))?.generation ?? 0;
  const earlier = new Set<string>();
  for (let generation = 1; generation < newest; generation += 1)
    for (const digest of digestsOfProfiles(await generations.read(series, generation))) earlier.add(digest);
  return [...earlier];
}

function digestsOfProfiles(document: unknown): string[] {
  const { blob, consents } = (document ?? {}) as { blob?: string; consents?: string };
  return [blob, consents].filter((digest) => digest !== undefined);
}

/** What the newest data and profiles of any surface name. */
async function readBy(state: State): Promise<Set<string>> {
  const digests = new Set<string>();
  for (const surface of await listSurfaces(state)) {
    const data = (await readLatest(state.generations, `data/${surface}`, dataState))?.document;
    for (const { digest } of [...(data?.slices ?? []), ...(data?.changes ?? []), ...(data?.quarantine ?? [])]) digests.add(digest);
    for (const digest of digestsOfProfiles((await state.generations.latest(`profiles/${surface}`))?.document)) digests.add(digest);
  }
  return digests;
}
