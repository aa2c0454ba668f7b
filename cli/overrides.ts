import { randomUUID } from 'node:crypto';
import { releaseMessages, releaseWorkflowId } from '../models/contracts/messages.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import type { OverrideNotice } from '../models/contracts/release.ts';
import { type Override, type OverrideResult, latestDeployment, overrideDeployment } from '../stores/deployments.ts';
import { appendLedger } from '../stores/ledger.ts';
import { openState } from '../activities/context.ts';
import { type CommandContext, signingKeysOf } from './environment.ts';
import { releaseStatus, withTemporal } from './temporal.ts';

/**
 * Writes the fencing generation first: it needs the state directory and nothing else. Then it tells the workflow, if
 * Temporal can be reached; a workflow that is not told finds itself fenced at its next write.
 */
export async function orderOverride(
  context: CommandContext,
  stateDir: string,
  order: Pick<Override, 'action' | 'surface' | 'by' | 'why'>,
): Promise<OverrideResult & { told: boolean }> {
  const state = openState(stateDir, undefined, signingKeysOf(context.env));
  const nowMs = context.now();
  const before = await latestDeployment(state.generations, order.surface);
  const operationId = `override-${randomUUID()}`;
  const runningRelease = before?.canary?.releaseId ?? (await whichRuns(context, stateDir, order.surface));
  const result = await overrideDeployment(
    state.generations,
    { ...order, operationId, nowMs },
    { releaseId: order.action === 'abort' ? runningRelease : null, champion: before?.champion },
  );
  // What is written stands whatever happens to its line in the ledger, and the workflow must hear of it.
  const unrecorded = await appendLedger(state.generations, {
    operationId,
    atMs: nowMs,
    surface: order.surface,
    action: order.action,
    by: order.by,
    releaseId: result.fencedRelease,
    detail: { why: order.why, generation: result.generation, champion: result.champion, note: result.note },
  }).then(
    () => null,
    (cause: unknown) => ({ cause }),
  );
  const told =
    !result.written ||
    (await tell(context, stateDir, order.surface, {
      releaseId: result.fencedRelease,
      generation: result.generation,
      action: order.action,
      why: `${order.by}: ${order.why}`,
    }));
  // A ledger that is signed, and no key here: the workers have it, and add the line when they hear of it, or when a release ends.
  if (unrecorded?.cause instanceof UnderstudyError && unrecorded.cause.code === 'UND-SIGNING-KEY')
    return { ...result, note: `${result.note} Its line in the ledger is signed and added by the workers.`, told };
  if (unrecorded !== null)
    throw new UnderstudyError(
      'UND-STATE',
      `Generation ${result.generation} is written and stands (${result.note}); its line in the ledger could not be: ${unrecorded.cause instanceof Error ? unrecorded.cause.message : unrecorded.cause}`,
      { cause: unrecorded.cause },
    );
  return { ...result, told };
}

async function whichRuns(context: CommandContext, stateDir: string, surface: string): Promise<string | null> {
  return withTemporal(context, stateDir, async (client) => (await releaseStatus(client, surface))?.releaseId ?? null).catch(() => null);
}

async function tell(context: CommandContext, stateDir: string, surface: string, notice: OverrideNotice): Promise<boolean> {
  return withTemporal(context, stateDir, async (client) => {
    await client.workflow.getHandle(releaseWorkflowId(surface)).signal(releaseMessages.overridden, notice);
    return true;
  }).catch(() => false);
}
