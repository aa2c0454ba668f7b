import { logTraffic } from '../activities/watch/testing.ts';
import { auditFollowUpWorkflowId, taskQueues, tellWorkflowId, watchWorkflowId, workflowNames } from '../models/contracts/messages.ts';
import { silenceAlert } from '../stores/alerts.ts';
import { openWorld, type World } from './testing.ts';

type Recorder = (world: World, name: string, workflowId: string) => Promise<void>;

/** A look at a surface that finds something, and who is told of it, who was silent until then; and an audit that nobody made. */
export async function recordWatched(options: Parameters<typeof openWorld>[0], record: Recorder): Promise<void> {
  const world = await openWorld({ ...options, serving: false, charter: { watch: { signals: ['fallback'], weeks: 4 } } });
  try {
    const { surface, stateDir, state, client } = world;
    const [hourMs, endMs] = [3_600_000, Date.UTC(2026, 2, 2)];
    const of = { stateDir, surface, slatesAnHour: 40 };
    Object.assign(world.context, { now: () => endMs + 6 * 60_000, alerts: { webhook: 'http://127.0.0.1:9/', alertmanager: null } });
    await world.changeCharter((charter) => charter);
    await logTraffic({ ...of, seed: 1, fromMs: endMs - 5 * 168 * hourMs, toMs: endMs - 6 * hourMs });
    await logTraffic({ ...of, seed: 2, fromMs: endMs - 6 * hourMs, toMs: endMs, broken: { fallbackShare: 0.8 } });
    const about = { surface, signal: 'fallback', part: 'popularity', direction: 'up', id: 'earlier' } as const;
    await silenceAlert(state.generations, about, { by: 'sre', why: 'a test', untilMs: endMs + 7 * 60_000, nowMs: endMs });
    const workflowId = watchWorkflowId(surface);
    const look = await client.workflow.execute(workflowNames.watch, { workflowId, taskQueue: taskQueues.control, args: [{ surface }] });
    await record(world, 'watch', workflowId);
    const telling = tellWorkflowId({ surface, alert: look.opened[0]?.alert ?? '', moment: 'opened', receiver: 'webhook' });
    // Nobody is there to be told: behind its silence it would go on for ever.
    Object.assign(world.context, { now: () => endMs + 8 * 60_000, alerts: { webhook: null, alertmanager: null } });
    await client.workflow.getHandle(telling).result();
    await record(world, 'tell-alert', telling);
    const followUp = auditFollowUpWorkflowId(surface);
    Object.assign(world.context, { now: () => Date.now() + 40 * 24 * hourMs, alerts: { webhook: 'http://127.0.0.1:9/', alertmanager: null } });
    await client.workflow.execute(workflowNames.auditFollowUp, { workflowId: followUp, taskQueue: taskQueues.control, args: [{ surface }] });
    await record(world, 'audit-missed', followUp);
  } finally {
    await world.close();
  }
}
