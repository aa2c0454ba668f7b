import type { CanarySpec, DeploymentSpec } from '../../models/contracts/deployment.ts';
import { type Change, latestDeployment, publishDeployment } from '../../stores/deployments.ts';
import { appendLedger } from '../../stores/ledger.ts';
import type { PublishRequest, Published } from '../api.ts';
import { type Context, readCharter } from '../context.ts';
import { currentCharter } from '../registry/charters.ts';

/** Writes the next generation of the deployment spec for a release, unless it is fenced, paused or frozen. */
export async function publishSpec(context: Context, request: PublishRequest): Promise<Published> {
  const { generations, blobs } = context.state;
  const latest = await latestDeployment(generations, request.surface);
  const nowMs = context.now();
  if (latest !== undefined && (request.change.kind === 'split' || request.change.kind === 'promote')) {
    // The newest charter: who declares a freeze does not wait for a release to carry it.
    const charter = await readCharter(blobs, await currentCharter(context.state, request.surface));
    const frozen = charter.release.freezeWindows.find((span) => span.fromMs <= nowMs && nowMs < span.toMs);
    if (frozen !== undefined) return { status: 'frozen', generation: latest.generation, untilMs: frozen.toMs, why: `frozen: ${frozen.reason}` };
  }
  // Only a split needs it: a charter that cannot be read must not keep a challenger in traffic.
  const ladder = request.change.kind === 'split' ? (await readCharter(blobs, request.charter)).release.canary.ladder : [];
  const operationId = `${request.releaseId}/${request.step}`;
  const result = await publishDeployment(generations, {
    surface: request.surface,
    expectedGeneration: request.expectedGeneration,
    operationId,
    releaseId: request.releaseId,
    change: changeOf(request, latest, ladder),
    author: { kind: latest === undefined ? 'bootstrap' : 'release', name: request.releaseId, reason: request.reason },
    nowMs,
  });
  await appendLedger(generations, {
    operationId: `${operationId}/${result.status}`,
    atMs: nowMs,
    surface: request.surface,
    action: `spec-${result.status}`,
    by: request.releaseId,
    releaseId: request.releaseId,
    detail: { change: request.change, generation: result.generation, reason: request.reason, ...('why' in result ? { why: result.why } : {}) },
  });
  return result;
}

function changeOf(request: PublishRequest, latest: DeploymentSpec | undefined, ladder: readonly number[]): Change {
  const { change, artifact, rivals = [], releaseId } = request;
  const shareOf = (one: string) => (change.kind === 'split' ? (change.shares?.[one] ?? 0) : 0);
  // Only where there are any: one challenger is a spec as it has always been.
  const beside = rivals.length === 0 ? {} : { rivals: rivals.map((one) => ({ artifact: one, share: shareOf(one) })) };
  const registered = (all: readonly string[]): Change => ({ challenger: all[0] ?? null, rivals: all.length > 1 ? all.slice(1) : undefined });
  // One salt a release, from its id: a replay or another replica assigns the same people.
  const canary = (over: Partial<CanarySpec>): CanarySpec => ({
    releaseId,
    artifact,
    mode: 'canary',
    stage: 0,
    cap: 0,
    share: 0,
    ...beside,
    salt: releaseId,
    ...over,
  });
  switch (change.kind) {
    case 'register-challenger':
      // A canary that is still there belongs to a release that died with its workflow.
      return { ...registered([artifact, ...rivals]), canary: null };
    case 'shadow':
      return { ...registered([artifact, ...rivals]), canary: canary({ mode: 'shadow', stage: -1 }) };
    case 'split':
      return {
        ...registered(rivals.length === 0 ? [artifact] : [artifact, ...rivals].filter((one) => shareOf(one) > 0)),
        canary: canary({
          stage: change.stage,
          cap: ladder[change.stage] ?? change.share,
          share: rivals.length === 0 ? change.share : shareOf(artifact),
          ...(change.segmentShares === undefined ? {} : { segmentShares: change.segmentShares }),
        }),
      };
    case 'promote':
      return {
        champion: artifact,
        championRelease: releaseId,
        previousChampion: latest?.champion ?? null,
        canary: null,
        ...registered([]),
        charter: change.charter,
        catalog: change.catalog,
      };
    case 'withdraw':
      // All that the release did, its own promotion included.
      return {
        canary: null,
        ...registered([]),
        ...(latest?.championRelease === releaseId && latest.previousChampion !== null
          ? { champion: latest.previousChampion, championRelease: `${releaseId}-withdrawn`, previousChampion: null }
          : {}),
      };
  }
}
