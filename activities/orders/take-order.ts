import type { StepResult } from '../../models/contracts/escalation.ts';
import {
  auditWorkflowId,
  escalationWorkflowId,
  releaseMessages,
  releaseWorkflowId,
  reportStepUpdate,
  rootCauseMessages,
  rootCauseWorkflowId,
  rootCauseWorkflowOf,
  watchWorkflowId,
  workflowNames,
} from '../../models/contracts/messages.ts';
import type { FiledOrder, Order } from '../../models/contracts/order.ts';
import { type ProblemCode, UnderstudyError } from '../../models/contracts/problem.ts';
import { readAlerts, silenceAlert, silenceOf } from '../../stores/alerts.ts';
import { latestDeployment, overrideDeployment } from '../../stores/deployments.ts';
import { appendLedger } from '../../stores/ledger.ts';
import { followFinding } from '../audit/follow-up.ts';
import type { Context } from '../context.ts';
import { explainRequest } from '../provenance/explain-request.ts';
import { currentCharter } from '../registry/charters.ts';

export type OrderContext = Pick<Context, 'state' | 'now' | 'log' | 'update' | 'begin' | 'signal'>;

/**
 * Does what an order says, under the rules of the command of that name. A second time does nothing twice: updates are known by the order's id, and the rest looks
 * whether it was done.
 * @returns what the command would say as a document
 * @throws what the command would
 */
export async function takeOrder(context: OrderContext, { id, order, filedAtMs }: FiledOrder): Promise<unknown> {
  const { state } = context;
  if ('surface' in order) await currentCharter(state, order.surface);
  switch (order.do) {
    case 'vote':
      return context.update({ workflowId: releaseWorkflowId(order.surface), update: releaseMessages.decide, updateId: id, input: order.vote });
    case 'decide-mend':
      return context.update({ workflowId: rootCauseWorkflowOf(order.id), update: rootCauseMessages.decide, updateId: id, input: order.vote });
    case 'report-step':
      return accepted(
        await context.update<StepResult>({
          ...{ workflowId: escalationWorkflowId(order.surface, order.report), update: reportStepUpdate },
          ...{ updateId: id, input: order.step },
        }),
      );
    case 'follow-finding':
      return follow(context, order, filedAtMs);
    case 'silence':
      return silence(context, order);
    case 'abort':
    case 'rollback':
    case 'pause':
    case 'resume':
      return override(context, id, order);
    case 'audit':
      return context.begin({ workflow: workflowNames.audit, workflowId: auditWorkflowId(order.surface), input: { surface: order.surface, by: order.by } });
    case 'watch':
      return context.begin({ workflow: workflowNames.watch, workflowId: watchWorkflowId(order.surface), input: { surface: order.surface } });
    case 'retrain': {
      const { surface, candidates = null } = order;
      const input = { surface, candidates, guest: null, charter: await currentCharter(state, surface) };
      return context.begin({ workflow: workflowNames.requestRetrain, workflowId: `request-retrain/${surface}/${filedAtMs}`, input });
    }
    case 'root-cause': {
      const { surface, by, fromMs, toMs, promotion } = order;
      if (fromMs >= toMs || toMs > context.now()) throw new UnderstudyError('UND-INPUT', '`fromMs` must lie before `toMs`, and `toMs` not in the future');
      const input = { surface, alert: null, signal: null, promotion, fromMs, toMs, by };
      return context.begin({ workflow: workflowNames.rootCause, workflowId: rootCauseWorkflowId(surface, fromMs), input });
    }
    case 'explain':
      return explainRequest(state, { requestId: order.requestId });
  }
}

type Of<Do extends Order['do']> = Extract<Order, { do: Do }>;

function accepted(result: StepResult): StepResult {
  if (result.accepted) return result;
  throw new UnderstudyError((result.code ?? 'UND-INTERNAL') as ProblemCode, result.message);
}

async function follow(context: OrderContext, { do: _do, surface, finding, ...said }: Of<'follow-finding'>, filedAtMs: number) {
  return followFinding(context, { surface, id: finding, ...said, sinceMs: filedAtMs });
}

async function silence({ state: { generations }, now }: OrderContext, { surface, alert: id, by, why, untilMs }: Of<'silence'>) {
  const alert = (await readAlerts(generations, surface)).find((one) => one.id === id);
  if (alert === undefined) throw new UnderstudyError('UND-NOT-FOUND', `${surface} has no alert ${id}`);
  const known = await silenceOf(generations, alert, now());
  if (known !== undefined && known.by === by && known.why === why && known.untilMs === untilMs) return known;
  return silenceAlert(generations, alert, { by, why, untilMs, nowMs: now() });
}

async function override(
  { state: { generations }, now, signal }: OrderContext,
  operationId: string,
  { do: action, surface, by, why }: Of<'abort' | 'rollback' | 'pause' | 'resume'>,
) {
  const before = await latestDeployment(generations, surface);
  const nowMs = now();
  const order = { action, surface, by, why, operationId, nowMs };
  const target = { releaseId: action === 'abort' ? (before?.canary?.releaseId ?? null) : null, champion: before?.champion };
  const result =
    before?.operationId === operationId
      ? { written: false, generation: before.generation, champion: before.champion, fencedRelease: null, note: 'It was done before.' }
      : await overrideDeployment(generations, order, target);
  const { generation, champion, fencedRelease, note } = result;
  await appendLedger(generations, { operationId, atMs: nowMs, surface, action, by, releaseId: fencedRelease, detail: { why, generation, champion, note } });
  // A release that does not hear of it finds itself fenced at its next write.
  const notice = { releaseId: fencedRelease, generation, action, why: `${by}: ${why}` };
  await signal({ workflowId: releaseWorkflowId(surface), signal: releaseMessages.overridden, input: notice });
  return result;
}
