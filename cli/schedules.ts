import { type Client, ScheduleAlreadyRunning, type ScheduleDescription, ScheduleNotFoundError, ScheduleOverlapPolicy } from '@temporalio/client';
import type { PrepareRequest } from '../activities/api.ts';
import { auditFollowUpWorkflowId, auditWorkflowId, retentionWorkflowId, taskQueues, watchWorkflowId, workflowNames } from '../models/contracts/messages.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';

/** A surface's schedule of retraining. `nextAtMs` is null where it never comes again. */
export type ScheduleStatus = {
  cron: string;
  nextAtMs: number | null;
  paused: boolean;
  /** Why it is paused, where somebody said it. */
  note: string | null;
  /** Null: all of the charter's. */
  candidates: string[] | null;
  guest: string | null;
};

type NewSchedule = Pick<PrepareRequest, 'surface' | 'candidates' | 'guest'> & { cron: string };

/** What may be scheduled of a surface. */
type ScheduleId = `${'retrain' | 'retention' | 'audit' | 'audit-follow-up' | 'watch'}/${string}`;
const idOf = (surface: string): ScheduleId => `retrain/${surface}`;

/**
 * Makes the surface's schedule, or changes the one there is: which stays as it was when the new one is refused. A paused one stays paused.
 * @throws UND-INPUT when Temporal cannot read the cron expression
 */
export async function putSchedule(client: Client, { surface, cron, candidates, guest }: NewSchedule): Promise<ScheduleStatus> {
  const request: PrepareRequest = { surface, candidates, guest, charter: null };
  const action = { workflowType: workflowNames.requestRetrain, workflowId: `request-retrain/${surface}`, args: [request] };
  return putScheduleOf(client, { id: idOf(surface), cron, action });
}

/** What a surface's charter keeps for so long and no longer is enforced on this schedule. @throws UND-INPUT */
export async function putRetentionSchedule(client: Client, { surface, cron }: { surface: string; cron: string }): Promise<ScheduleStatus> {
  const action = { workflowType: workflowNames.retention, workflowId: retentionWorkflowId(surface), args: [{ surface }] };
  return putScheduleOf(client, { id: `retention/${surface}`, cron, action });
}

/** An audit on this schedule, and each day at five (UTC) a look at what became of its findings. @throws UND-INPUT */
export async function putAuditSchedule(client: Client, { surface, cron }: { surface: string; cron: string }): Promise<ScheduleStatus> {
  const action = { workflowType: workflowNames.audit, workflowId: auditWorkflowId(surface), args: [{ surface, by: 'schedule' }] };
  const made = await putScheduleOf(client, { id: `audit/${surface}`, cron, action });
  const followUp = { workflowType: workflowNames.auditFollowUp, workflowId: auditFollowUpWorkflowId(surface), args: [{ surface }] };
  await putScheduleOf(client, { id: `audit-follow-up/${surface}`, cron: '0 5 * * *', action: followUp });
  return made;
}

/** The surface is looked at on this schedule, and whoever is to know of an alert is told. @throws UND-INPUT */
export async function putWatchSchedule(client: Client, { surface, cron }: { surface: string; cron: string }): Promise<ScheduleStatus> {
  const action = { workflowType: workflowNames.watch, workflowId: watchWorkflowId(surface), args: [{ surface }] };
  return putScheduleOf(client, { id: `watch/${surface}`, cron, action });
}

type Scheduled = { id: ScheduleId; cron: string; action: { workflowType: string; workflowId: string; args: unknown[] } };

async function putScheduleOf(client: Client, { id, cron, ...scheduled }: Scheduled): Promise<ScheduleStatus> {
  const [expression = ''] = cron.split('#');
  // Temporal takes an expression to pieces and keeps the comment behind it.
  const spec = { cronExpressions: [`${expression.trim()} # ${expression.trim()}`] };
  const action = { type: 'startWorkflow' as const, taskQueue: taskQueues.control, ...scheduled.action };
  const policies = { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 hour' } as const;
  try {
    await client.schedule.create({ scheduleId: id, spec, policies, action }).catch(async (error) => {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      await client.schedule.getHandle(id).update((before) => ({ ...before, spec, policies, action }));
    });
  } catch (cause) {
    // What the server calls an invalid argument the client throws as a TypeError.
    if (cause instanceof TypeError) throw new UnderstudyError('UND-INPUT', `The schedule ${JSON.stringify(cron)} cannot be read: ${cause.message}`, { cause });
    throw cause;
  }
  const made = await readScheduleOf(client, id);
  if (made === null) throw new UnderstudyError('UND-NOT-FOUND', `The schedule ${id} was removed in the same moment`);
  return made;
}

/** @throws UND-NOT-FOUND when there is none */
export async function removeSchedule(client: Client, surface: string, id = idOf(surface)): Promise<void> {
  try {
    await client.schedule.getHandle(id).delete();
  } catch (cause) {
    if (cause instanceof ScheduleNotFoundError) throw new UnderstudyError('UND-NOT-FOUND', `${surface} has no schedule`, { cause });
    throw cause;
  }
}

export const readSchedule = (client: Client, surface: string): Promise<ScheduleStatus | null> => readScheduleOf(client, idOf(surface));

async function readScheduleOf(client: Client, id: ScheduleId): Promise<ScheduleStatus | null> {
  let found: ScheduleDescription;
  try {
    found = await client.schedule.getHandle(id).describe();
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return null;
    throw error;
  }
  const [request] = (found.action.args ?? []) as [PrepareRequest?];
  return {
    cron: cronOf(found.spec),
    nextAtMs: found.info.nextActionTimes[0]?.getTime() ?? null,
    paused: found.state.paused,
    note: found.state.note || null,
    candidates: request?.candidates ?? null,
    guest: request?.guest?.name ?? null,
  };
}

function cronOf({ calendars = [], intervals = [] }: ScheduleDescription['spec']): string {
  const [interval] = intervals;
  return calendars[0]?.comment ?? (interval === undefined ? 'of its own' : `@every ${interval.every / 1000}s`);
}

/** In one line, for a person. */
export function describeSchedule({ cron, nextAtMs, paused, note, candidates, guest }: ScheduleStatus): string {
  const what = [...(candidates ?? []), ...(guest === null ? [] : [guest])];
  const next = nextAtMs === null ? 'never comes again' : `next ${new Date(nextAtMs).toISOString()}`;
  return `${cron} (UTC)${what.length === 0 ? '' : `, ${what.join(', ')}`}, ${paused ? `PAUSED${note === null ? '' : `: ${note}`}` : next}`;
}
