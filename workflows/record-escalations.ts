import { castStep } from '../cli/escalations/steps.ts';
import { escalationWorkflowId } from '../models/contracts/messages.ts';
import { fileReport } from '../stores/report-inbox.ts';
import { latestReport } from '../stores/reports.ts';
import { openWorld, type World } from './testing.ts';

type Recorder = (world: World, name: string, workflowId: string) => Promise<void>;

/** A report that is blocked, goes up its list to the end, and is answered after all; one that is rejected, so that it is shown again; and one that is attached. */
export async function recordEscalations(options: Parameters<typeof openWorld>[0], record: Recorder): Promise<void> {
  const escalation = {
    owners: { high: ['one', 'two'], low: ['one'] },
    acknowledgeWithinMinutes: { high: 0.03 },
    blockAtOnce: { kinds: ['harmful', 'wrong'] },
  };
  const world = await openWorld({ ...options, serving: false, charter: { escalation } });
  try {
    const { surface, stateDir, state, client } = world;
    Object.assign(world.context, { reportWebhook: 'http://127.0.0.1:9/' });
    await world.changeCharter((charter) => charter);
    const about = { of: 'item', itemId: 'i001' } as const;
    const file = async (kind: 'harmful' | 'wrong') =>
      (await fileReport({ root: stateDir, generations: state.generations }, { surface, about, kind, words: 'w', reporter: {}, nowMs: Date.now() })).id;
    const until = async (id: string, isSo: (steps: string[]) => boolean): Promise<void> => {
      while (!isSo(((await latestReport(state.generations, { surface, id }))?.steps ?? []).map(({ what }) => what)))
        await new Promise((resolve) => setTimeout(resolve, 50));
    };
    const answered = await file('harmful');
    await until(answered, (steps) => steps.includes('overdue'));
    const attached = await file('harmful');
    await until(attached, (steps) => steps.includes('attached'));
    const step = { by: 'two', why: 'a test' } as const;
    await castStep(client, { surface, id: answered, step: { ...step, do: 'acknowledge' }, key: undefined });
    await castStep(client, { surface, id: answered, step: { ...step, do: 'acknowledge' }, key: undefined }).catch(() => undefined);
    await castStep(client, { surface, id: answered, step: { ...step, do: 'reassign', to: 'one' }, key: undefined });
    await castStep(client, { surface, id: answered, step: { ...step, do: 'resolve' }, key: undefined });
    const rejected = await file('wrong');
    await until(rejected, (steps) => steps.includes('blocked'));
    await castStep(client, { surface, id: rejected, step: { ...step, do: 'reject' }, key: undefined });
    for (const [name, id] of Object.entries({ answered, attached, rejected })) {
      await client.workflow.getHandle(escalationWorkflowId(surface, id)).result();
      await record(world, `escalation-${name}`, escalationWorkflowId(surface, id));
    }
  } finally {
    await world.close();
  }
}
