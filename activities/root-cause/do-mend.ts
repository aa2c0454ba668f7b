import { tmpdir } from 'node:os';
import { digestJson } from '../../models/contracts/digest.ts';
import { replayWorkflowId } from '../../models/contracts/messages.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { rootCauseFacts } from '../../models/contracts/root-cause.ts';
import { dataState } from '../../models/contracts/window.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import { overrideDeployment } from '../../stores/deployments.ts';
import { openFeatures } from '../../stores/features/open-features.ts';
import { appendLedger } from '../../stores/ledger.ts';
import { readReplicaReport } from '../../stores/replicas.ts';
import { type Context, readLatest } from '../context.ts';
import { materializeFeatures } from '../features/materialize-features.ts';
import { registeredViews } from '../features/register-view.ts';
import { currentCharter } from '../registry/charters.ts';
import type { Beat } from '../worker.ts';
import type { CauseEntry, MendRequest, MendStep } from './api.ts';
import { objectionTo, quarantineOf } from './object-to-mend.ts';

const drainPatienceMs = 10_000;

/**
 * Does one mend, or says which work is to be started for it. Once: a second time finds it done.
 * @throws UND-MEND where it cannot be done (any more), UND-NO-REQUEST, UND-UNAUTHORIZED
 */
export async function doMend(context: Context, request: MendRequest, beat: Beat): Promise<MendStep> {
  const { surface, mend } = request;
  const nothing: MendStep = { did: '', replays: [], retrain: null, override: null };
  switch (mend.action) {
    case 'rollback':
    case 'pause-releases':
      return { ...nothing, ...(await override(context, request)) };
    case 'drain-replica':
      return { ...nothing, did: await drain(context, mend.target ?? '') };
    case 'replay-quarantine':
      return { ...nothing, ...(await planReplays(context, request)) };
    case 'refresh-features':
      return { ...nothing, did: await refreshFeatures(context, surface, beat) };
    case 'rebuild-window':
      return { ...nothing, did: 'a retraining on the data as they are now was asked for', retrain: { surface, candidates: null, guest: null, charter: null } };
    case 'block-items':
      throw new UnderstudyError('UND-MEND', (await objectionTo(context, { surface, mend, facts: { model: null } })) ?? '');
  }
}

/** The override that a person would order. A rollback takes back the champion that was diagnosed, and no other. */
async function override(context: Context, { id, surface, look, mend, by, why, facts }: MendRequest): Promise<Pick<MendStep, 'did' | 'override'>> {
  const { generations, blobs } = context.state;
  const action = mend.action === 'rollback' ? 'rollback' : 'pause';
  const { model } = await getDocument(blobs, facts, rootCauseFacts);
  const operationId = `${id}/${look}/${action}`;
  const nowMs = context.now();
  const reason = `${why} (${id})`;
  const ordered = await overrideDeployment(
    generations,
    { action, surface, by, why: reason, operationId, nowMs },
    { releaseId: null, champion: model?.artifact },
  );
  const { generation, champion, fencedRelease, note } = ordered;
  await appendLedger(generations, {
    ...{ operationId, atMs: nowMs, surface, action, by, releaseId: fencedRelease },
    detail: { why: reason, generation, champion, note },
  });
  return { did: note, override: { releaseId: fencedRelease, generation, action, why: `${by}: ${reason}` } };
}

/** The replica answers what is under way and ends; who watches over it starts another, with what is in force now. */
async function drain(context: Context, replica: string): Promise<string> {
  const report = await readReplicaReport(context.state.root, replica);
  if (report === undefined) return `the replica ${replica} is not there any more`;
  const key: Record<string, string> = context.servingKey === null ? {} : { authorization: `Bearer ${context.servingKey}` };
  const answer = await fetch(new URL('/v1/admin/drain', report.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...key },
    body: '{}',
    signal: AbortSignal.timeout(drainPatienceMs),
  }).catch((cause: unknown) => {
    throw new UnderstudyError('UND-MEND', `The replica ${replica} does not answer at ${report.url}: end the process ${report.pid} on ${report.host}`, {
      cause,
    });
  });
  if (answer.status === 401) throw new UnderstudyError('UND-UNAUTHORIZED', `The replica ${replica} does not take the worker's UNDERSTUDY_ADMIN_KEY`);
  if (!answer.ok) throw new UnderstudyError('UND-MEND', `The replica ${replica} answered ${answer.status}`);
  return `the replica ${replica} takes no more traffic`;
}

/** Rows of the reason come in again as they are: by rules, or a charter, that are right by now. */
async function planReplays(context: Context, { surface, mend, by, why, id }: MendRequest): Promise<Pick<MendStep, 'did' | 'replays'>> {
  const entries = await quarantineOf(context, { surface, target: mend.target });
  const charter = await currentCharter(context.state, surface);
  const asTheyAre = await putDocument(context.state.blobs, { kind: 'mend', edits: [], mapping: null });
  const replays = entries.map(({ digest, reasons }) => {
    const reason = mend.target !== null && (reasons[mend.target] ?? 0) > 0 ? mend.target : null;
    const replay = { quarantine: digest, reason, mend: asTheyAre };
    return { workflowId: replayWorkflowId(surface, digestJson(replay)), request: { surface, charter, by, why: `${why} (${id})`, replay } };
  });
  return { did: `${replays.length} quarantine${replays.length === 1 ? '' : 's'} replayed`, replays };
}

async function refreshFeatures({ state, featuresUrl, now }: Context, surface: string, { beat, signal }: Beat): Promise<string> {
  const data = await readLatest(state.generations, `data/${surface}`, dataState);
  if (data === undefined) throw new UnderstudyError('UND-NO-DATA', `${surface} has no data yet`);
  const store = await openFeatures({ stateDir: state.root, url: featuresUrl ?? undefined });
  let entities = 0;
  try {
    const views = await registeredViews(state, surface);
    for (const view of views) {
      const made = await materializeFeatures({ state, data: data.document, view, asOfMs: now(), store, workDir: tmpdir(), signal, onBatch: () => beat() });
      entities += made.entities;
    }
    return `${views.length} feature views made again, with ${entities} entities`;
  } finally {
    await store.close();
  }
}

/** Each step once in the ledger. */
export async function recordCause({ state, now }: Pick<Context, 'state' | 'now'>, { id, surface, action, look, by, detail }: CauseEntry): Promise<void> {
  await appendLedger(state.generations, {
    ...{ operationId: `${id}/${look}/root-cause-${action}`, atMs: now(), surface, action: `root-cause-${action}`, by, releaseId: id, detail },
  });
}
