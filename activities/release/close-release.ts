import { setTimeout as delay } from 'node:timers/promises';
import { latestDeployment } from '../../stores/deployments.ts';
import { appendLedger } from '../../stores/ledger.ts';
import { liveReplicas } from '../../stores/replicas.ts';
import type { CloseRequest } from '../api.ts';
import type { Context } from '../context.ts';
import type { CanaryWatch } from './look-at-canary.ts';
import { recordCanary } from './record-canary.ts';
import { publishCheckpoints } from '../provenance/publish-checkpoints.ts';
import { recordDecisions } from '../provenance/record-decisions.ts';
import { findRunRecord } from '../registry/runs.ts';
import { modelName } from '../registry/register-candidate.ts';

const settleMs = 10_000;

/** Writes the outcome down and brings the registry in line with the deployment spec, which alone says what serves. */
export async function closeRelease(context: Context, request: CloseRequest, overTime: CanaryWatch['canaryOverTime']): Promise<void> {
  const { generations } = context.state;
  const run = await findRunRecord(context, request.runId);
  if (run?.modelVersion)
    await context.mlflow.setVersionTag({ model: modelName(request.surface), version: run.modelVersion, key: 'understudy.outcome', value: request.outcome });
  await projectAliases(context, request.surface);
  const disagreement = await lastingDisagreement(context, request.surface);
  const spec = await latestDeployment(generations, request.surface);
  await appendLedger(generations, {
    operationId: `${request.releaseId}/close${request.beside === true ? `/${request.candidate}` : ''}`,
    atMs: context.now(),
    surface: request.surface,
    action: `release-${request.outcome}`,
    by: request.runId,
    releaseId: request.releaseId,
    detail: {
      candidate: request.candidate,
      artifact: request.artifact,
      why: request.why,
      generation: spec?.generation ?? 0,
      champion: spec?.champion ?? null,
      disagreement,
    },
  });
  if (disagreement !== null) context.log(`ALARM ${request.surface}: ${disagreement}`);
  const { canary, surface, releaseId, artifact } = request;
  // Look 0 comes before any traffic.
  if (canary !== undefined && canary.decision.look > 0)
    await recordCanary(context, { request: { ...request, canary }, points: await overTime({ surface, releaseId, artifact, intent: canary.intent, canary }) });
  await publishCheckpoints(context, surface);
}

/** The registry follows an override; where they then differ, the ledger and the log say so. */
export async function reconcile(context: Context, { surface, generation }: { surface: string; generation: number }): Promise<void> {
  await recordDecisions(context.state, surface);
  await projectAliases(context, surface);
  const disagreement = await lastingDisagreement(context, surface);
  const spec = await latestDeployment(context.state.generations, surface);
  await appendLedger(context.state.generations, {
    operationId: `reconcile/${surface}/${generation}`,
    atMs: context.now(),
    surface,
    action: 'reconciled',
    by: 'release',
    releaseId: null,
    detail: { generation: spec?.generation ?? 0, champion: spec?.champion ?? null, disagreement },
  });
  if (disagreement !== null) context.log(`ALARM ${surface}: ${disagreement}`);
  await publishCheckpoints(context, surface);
}

/** `champion` and `challenger` in MLflow follow the spec: a projection, made again from the source each time. */
export async function projectAliases(context: Context, surface: string): Promise<void> {
  const spec = await latestDeployment(context.state.generations, surface);
  // Of several challengers the first has the alias; each version's tags and the ledger tell of the others.
  for (const [alias, artifact] of [
    ['champion', spec?.champion ?? null],
    ['challenger', spec?.challenger ?? null],
  ] as const) {
    const current = await context.mlflow.getByAlias({ model: modelName(surface), alias });
    const wanted = artifact === null ? undefined : await context.mlflow.findVersion({ model: modelName(surface), artifact });
    if (current?.version === wanted?.version) continue;
    if (wanted === undefined) await context.mlflow.deleteAlias({ model: modelName(surface), alias });
    else await context.mlflow.setAlias({ model: modelName(surface), alias, version: wanted.version });
  }
}

/** Replicas need a moment to load a generation: what differs for longer is worth an alarm. */
async function lastingDisagreement(context: Context, surface: string): Promise<string | null> {
  for (const deadlineMs = context.now() + settleMs; ; await delay(100)) {
    const found = await disagreementOf(context, surface);
    if (found === null || context.now() > deadlineMs) return found;
  }
}

/** Which of spec, registry and serving differs from the spec; null when they agree. */
export async function disagreementOf(context: Context, surface: string): Promise<string | null> {
  const spec = await latestDeployment(context.state.generations, surface);
  if (spec === undefined) return null;
  const registered = await context.mlflow.getByAlias({ model: modelName(surface), alias: 'champion' });
  const differing: string[] = [];
  if (registered?.artifact !== spec.champion) differing.push(`the registry's champion is ${registered?.artifact ?? 'nothing'}, the spec's ${spec.champion}`);
  for (const replica of await liveReplicas(context.state.root, context.now())) {
    const generation = replica.surfaces[surface]?.generation;
    if (generation !== spec.generation) differing.push(`replica ${replica.replica} serves generation ${generation ?? 'none'}, the spec is ${spec.generation}`);
  }
  return differing.length === 0 ? null : differing.join('; ');
}
