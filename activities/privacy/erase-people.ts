import {
  type ErasureCertificate,
  type ErasureRequest,
  erasureCertificate,
  type SignedCertificate,
  signedCertificate,
  type Subjects,
} from '../../models/contracts/erasure.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type DataState, dataState, type SliceReference, type WindowManifest, windowManifest } from '../../models/contracts/window.ts';
import { type BlobStore, getDocument, putDocument } from '../../stores/blobs.ts';
import { latestDeployment } from '../../stores/deployments.ts';
import { appendLedger } from '../../stores/ledger.ts';
import { forgetAnswers } from '../../stores/orders.ts';
import { signingKey } from '../../stores/signatures.ts';
import { clearScratch, type Context, inScratch, readCharter, readLatest } from '../context.ts';
import { withDuck } from '../events/duckdb.ts';
import { currentCharter, listSurfaces } from '../registry/charters.ts';
import { listRuns } from '../registry/runs.ts';
import { publishProfiles } from '../windows/publish-profiles.ts';
import type { CertifiedErasure } from '../api.ts';
import type { Beat } from '../worker.ts';
import { awaitTrainings } from './await-trainings.ts';
import { signCertificate } from './certificate.ts';
import { eraseData } from './erase-data.ts';
import { eraseFeatures } from './erase-features.ts';
import { eraseLogs, refuseTheirs, topicsOfTheirs } from './erase-logs.ts';
import { readRequest, removeRequest, writeRequest } from './erasure-files.ts';
import { forgetAtReplicas } from './forget-at-replicas.ts';
import { isTheirs, loadPersons, parquetBlobs, wholeOf } from './person-sql.ts';
import { lookEverywhere, sweepBlobs } from './sweep.ts';

/*
 * The steps of an erasure. Each can be repeated at whatever point it died: what is gone is gone, and the request says what was counted before. Its id is all
 * that a workflow knows; whom it is about stands in the request's own file, which goes with the last step.
 */
type Step = { id: string };
const seriesOf = (id: string) => `erasures/${id}`;

/** Whom it is about as a whole, sessions and devices included. @throws UND-SIGNING-KEY, UND-LOG-KEPT before anything is touched. */
export async function surveyErasure(context: Context, { id }: Step, beat: Beat): Promise<{ over: boolean; surfaces: string[]; retrain: boolean }> {
  signingKey(context.signingKey);
  const request = await readRequest(context.state.root, id);
  if (request === undefined) {
    const { surfaces, retrain } = certified(await readCertificate(context, id));
    return { over: true, surfaces, retrain };
  }
  const people = request.whole ?? request.people;
  const logged = await ownedInLogs(context, people);
  await inScratch(context.state, 'erase', (workDir) =>
    withDuck({ workDir, signal: beat.signal }, async (duck) => {
      const { events, changes } = await parquetBlobs({ duck, blobs: context.state.blobs });
      await writeRequest(context.state.root, { ...request, whole: await wholeOf({ duck, paths: events, changes, people: logged }) });
    }),
  );
  await refuseTheirs(context, { surfaces: await listSurfaces(context.state), people: (await requestOf(context, id)).people });
  return { over: false, surfaces: [], retrain: false };
}

/** With sessions and devices that the logs know as theirs, be they taken in already or not, and as nobody else's. */
async function ownedInLogs({ state }: Context, people: Subjects): Promise<Subjects> {
  const users = new Set(people.userIds);
  const owners = { sessionId: new Map<string, Set<string>>(), deviceId: new Map<string, Set<string>>() };
  for (const surface of await listSurfaces(state)) {
    const { records } = await state.logReader(surface, 'events').tail({}, { containing: '"userId"' });
    for (const record of records as { userId?: string; sessionId?: string; deviceId?: string }[])
      for (const id of ['sessionId', 'deviceId'] as const) {
        const [value, userId] = [record[id], record.userId];
        if (value === undefined || userId === undefined) continue;
        owners[id].set(value, (owners[id].get(value) ?? new Set()).add(userId));
      }
  }
  const theirs = (id: keyof typeof owners) => [...owners[id]].flatMap(([value, of]) => ([...of].every((user) => users.has(user)) ? [value] : []));
  const unique = (values: readonly string[]) => [...new Set(values)].sort();
  return {
    userIds: people.userIds,
    sessionIds: unique([...people.sessionIds, ...theirs('sessionId')]),
    deviceIds: unique([...people.deviceIds, ...theirs('deviceId')]),
  };
}

/** Out of logs, data and profiles of every surface, out of the memory of every replica, and out of the feature store. */
export async function eraseEverywhere(context: Context, { id }: Step, beat: Beat): Promise<void> {
  for (const surface of await listSurfaces(context.state)) {
    const { people } = await requestOf(context, id);
    await note(context, id, { surface, removed: await eraseLogs(context, { surface, people, certificate: id }) });
    beat.beat();
    const charter = await readCharter(context.state.blobs, await currentCharter(context.state, surface));
    await inScratch(context.state, 'erase', async (workDir) => {
      const erased = await eraseData({
        state: context.state,
        surface,
        doomed: isTheirs,
        prepare: (duck) => loadPersons(duck, people),
        certificate: id,
        workDir,
        signal: beat.signal,
      });
      await note(context, id, { surface, ...erased });
      const data = await readLatest(context.state.generations, `data/${surface}`, dataState);
      if (data !== undefined) await publishProfiles(context.state, { data: data.document, charter, workDir, signal: beat.signal });
    });
    await forgetAtReplicas(context, { surface, people });
    beat.beat();
  }
  const { people } = await requestOf(context, id);
  const featureRows = await eraseFeatures(context, people);
  if (featureRows > 0) await note(context, id, { removed: { featureRows } });
}

/** Every blob with something of theirs, of whatever generation or window, is gone behind this. */
export async function sweepErased(context: Context, { id }: Step, beat: Beat): Promise<void> {
  const { people } = await requestOf(context, id);
  // An answer may say what they were shown.
  await forgetAnswers(context.state.root, Number.POSITIVE_INFINITY);
  // What an ingest has stored and not published yet looks like what a failed one left behind.
  if ((await clearScratch(context.state)).includes('ingest'))
    throw new UnderstudyError('UND-OVERLOADED', 'An ingest is under way: the sweep waits for its end');
  const blobs = await inScratch(context.state, 'erase', (workDir) =>
    sweepBlobs({ blobs: context.state.blobs, people, certificate: id, workDir, signal: beat.signal }),
  );
  await note(context, id, { blobs });
}

/** Reads every file of the state directory, and signs that nothing was found; answers where something was, that came in meanwhile. */
export async function certifyErasure(context: Context, { id }: Step, beat: Beat): Promise<CertifiedErasure> {
  const key = signingKey(context.signingKey);
  const { state } = context;
  // An attempt before this one has come to the end and could not say so.
  if ((await readRequest(state.root, id)) === undefined) return certified(await readCertificate(context, id));
  const { request, people } = await requestOf(context, id);
  const verified = await inScratch(context.state, 'erase', (workDir) =>
    lookEverywhere({ root: state.root, blobs: state.blobs, people, workDir, signal: beat.signal }),
  );
  for (const surface of await listSurfaces(state)) verified.found.push(...(await topicsOfTheirs(context, { surface, people })));
  if (verified.found.length > 0) return { done: false, found: verified.found.slice(0, 20), surfaces: [], retrain: false };
  // What was done is read off what it left: an attempt that died before it could count says nothing wrong.
  const slices = await versionsBy(state, id);
  const blobs: string[] = [];
  for await (const { digest, certificate } of state.blobs.erased()) if (certificate === id) blobs.push(digest);
  await awaitTrainings(context, new Set(blobs));
  const { runs, windows } = await dependentsOf(context, new Set(blobs));
  const surfaces = [...new Set([...request.surfaces, ...slices.map(({ surface }) => surface), ...runs.map(({ surface }) => surface)])].sort();
  const certificate: ErasureCertificate = erasureCertificate.parse({
    kind: 'erasure-certificate',
    id,
    surfaces,
    people: request.commitments.length,
    commitments: request.commitments,
    requestedAtMs: request.requestedAtMs,
    doneAtMs: context.now(),
    by: request.by,
    why: request.why,
    reference: request.reference,
    removed: request.removed,
    slices,
    windows,
    blobs,
    runs,
    models: { decision: request.models, why: request.why },
    verified: { files: verified.files, bytes: verified.bytes, found: 0 },
  });
  const signed = signCertificate(certificate, key);
  await state.generations.create(seriesOf(id), 1, signed).catch((error) => {
    // An attempt before this one has signed already.
    if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
  });
  const kept = await readCertificate(context, id);
  const digest = await putDocument(state.blobs, kept);
  for (const surface of kept.certificate.surfaces)
    await appendLedger(state.generations, {
      operationId: `erasure/${id}`,
      atMs: context.now(),
      surface,
      action: 'people-erased',
      by: request.by,
      releaseId: null,
      detail: {
        message: `${request.why}: ${request.commitments.length} people erased; models that were trained on them are ${request.models === 'retrain' ? 'trained anew' : 'kept'}`,
        certificate: digest,
        erasure: id,
        runs: kept.certificate.runs.filter((run) => run.surface === surface).map(({ runId }) => runId),
      },
    });
  await removeRequest(state.root, id);
  return certified(kept);
}

const certified = ({ certificate }: SignedCertificate): CertifiedErasure => ({
  done: true,
  found: [],
  surfaces: certificate.surfaces,
  retrain: certificate.models.decision === 'retrain',
});

/** @throws UND-NOT-FOUND */
export async function readCertificate({ state }: Pick<Context, 'state'>, id: string): Promise<SignedCertificate> {
  const found = await readLatest(state.generations, seriesOf(id), signedCertificate);
  if (found === undefined) throw new UnderstudyError('UND-NOT-FOUND', `There is no erasure ${id}`);
  return found.document;
}

async function requestOf(context: Context, id: string): Promise<{ request: ErasureRequest; people: Subjects }> {
  const request = await readRequest(context.state.root, id);
  if (request?.whole === undefined || request.whole === null) throw new UnderstudyError('UND-NOT-FOUND', `There is no erasure ${id} under way`);
  return { request, people: request.whole };
}

/** Adds to what is counted. An attempt that died in between has removed without counting: then the certificate counts less than was done, and never more. */
async function note(context: Context, id: string, add: Partial<Pick<ErasureRequest, 'removed' | 'slices' | 'blobs'>> & { surface?: string }): Promise<void> {
  const { request } = await requestOf(context, id);
  const touched = add.surface !== undefined && Object.keys(add.removed ?? {}).length > 0 ? [add.surface] : [];
  const removed = { ...request.removed };
  for (const [what, count] of Object.entries(add.removed ?? {})) removed[what] = (removed[what] ?? 0) + count;
  await writeRequest(context.state.root, {
    ...request,
    surfaces: [...new Set([...request.surfaces, ...touched])].sort(),
    removed,
    slices: [...request.slices, ...(add.slices ?? [])],
    blobs: [...new Set([...request.blobs, ...(add.blobs ?? [])])].sort(),
  });
}

/** Days that the erasure gave another version, or none, by the generations of data that it made. */
async function versionsBy({ generations }: Context['state'], id: string): Promise<ErasureCertificate['slices']> {
  const versions: ErasureCertificate['slices'] = [];
  for (const series of await generations.series('data/')) {
    const newest = (await generations.latest(series))?.generation ?? 0;
    let before: DataState | undefined;
    for (let generation = 1; generation <= newest; generation += 1) {
      const data = dataState.parse(await generations.read(series, generation));
      if (data.erasedBy === id && before !== undefined) versions.push(...changedSlices(before, data));
      before = data;
    }
  }
  return versions;
}

function changedSlices(before: DataState, after: DataState): ErasureCertificate['slices'] {
  const keyOf = ({ day, source = '', shiftDays = 0 }: SliceReference) => `${day} ${source} ${shiftDays}`;
  const now = new Map(after.slices.map((slice) => [keyOf(slice), slice.digest]));
  return before.slices.flatMap((slice) => {
    const is = now.get(keyOf(slice)) ?? null;
    return is === slice.digest ? [] : [{ surface: before.surface, day: slice.day, source: slice.source ?? '', was: slice.digest, is }];
  });
}

/** Runs whose windows held what is gone, and those windows over the days as they are now. */
async function dependentsOf({ state }: Context, gone: ReadonlySet<string>): Promise<Pick<ErasureCertificate, 'runs' | 'windows'>> {
  const runs: ErasureCertificate['runs'] = [];
  const windows = new Map<string, string | null>();
  for (const surface of await listSurfaces(state)) {
    const champion = (await latestDeployment(state.generations, surface))?.champion;
    const data = await readLatest(state.generations, `data/${surface}`, dataState);
    for (const run of await listRuns(state, surface)) {
      const window = await getDocument(state.blobs, run.window, windowManifest);
      if (![...window.trainSlices, ...window.testSlices].some(({ digest }) => gone.has(digest))) continue;
      runs.push({ surface, runId: run.runId, artifact: run.artifact, isChampion: run.artifact === champion });
      if (!windows.has(run.window))
        windows.set(run.window, await windowNow(state.blobs, { window, current: data?.document.slices ?? [], changes: data?.document.changes }));
    }
  }
  return { runs, windows: [...windows].map(([was, is]) => ({ was, is })).sort((a, b) => (a.was < b.was ? -1 : 1)) };
}

type Now = { window: WindowManifest; current: readonly SliceReference[]; changes: SliceReference[] | undefined };

/** The same days as they are now. */
async function windowNow(blobs: BlobStore, { window, current, changes }: Now): Promise<string | null> {
  const within = (part: readonly SliceReference[]) =>
    part.flatMap(({ day, source }) => current.filter((slice) => slice.day === day && slice.source === source && slice.rows > 0));
  const [trainSlices, testSlices] = [within(window.trainSlices), within(window.testSlices)];
  if (trainSlices.length === 0) return null;
  const rowsOf = (slices: readonly SliceReference[]) => slices.reduce((sum, { rows }) => sum + rows, 0);
  const { earlier, changes: _changes, ...rest } = window;
  const ofSplit = (split: NonNullable<typeof earlier>[number]) => ({ ...split, trainSlices: within(split.trainSlices), testSlices: within(split.testSlices) });
  return putDocument(
    blobs,
    windowManifest.parse({
      ...rest,
      trainSlices,
      testSlices,
      ...(changes === undefined ? {} : { changes }),
      ...(earlier === undefined ? {} : { earlier: earlier.map(ofSplit) }),
      rows: { train: rowsOf(trainSlices), test: rowsOf(testSlices) },
    }),
  );
}
