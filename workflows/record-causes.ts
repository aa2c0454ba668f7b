import { takeInOrders } from '../activities/root-cause/testing.ts';
import { rootCauseWorkflowOf } from '../models/contracts/messages.ts';
import { type CauseWorld, openCauseWorld } from './testing-root-cause.ts';

type Record = (world: Pick<CauseWorld, 'client'>, name: string, workflowId: string) => Promise<void>;

async function inWorld(options: Parameters<typeof openCauseWorld>[0], happen: (world: CauseWorld) => Promise<void>): Promise<void> {
  const world = await openCauseWorld(options);
  try {
    await happen(world);
  } finally {
    await world.close();
  }
}

/** A look that nobody answers, one that is refused, one that helps; one that does not help by itself; and one that starts other work. */
export async function recordCauses({ temporalCli, seed }: { temporalCli: string; seed: number }, record: Record): Promise<void> {
  await inWorld({ temporalCli, seed }, async (world) => {
    const { shop, until, decide, rules } = world;
    await shop.state.publish({ champion: shop.bad, championRelease: 'release-worse', previousChampion: shop.good, createdAtMs: Date.now() });
    await world.visit(160);
    await rules({ decideWithinHours: 1 / 3_600 });
    const unheard = await world.start('unheard');
    await until(unheard, ({ phase }) => phase === 'closed');
    await record(world, 'root-cause-not-answered', rootCauseWorkflowOf(unheard));
    await rules({ recoverWithinMinutes: 1 });
    const unwanted = await world.start('unwanted');
    await until(unwanted, ({ phase }) => phase === 'approval');
    await decide(unwanted, 'lead', { decision: 'reject' });
    await until(unwanted, ({ phase }) => phase === 'closed');
    await record(world, 'root-cause-rejected', rootCauseWorkflowOf(unwanted));
    const id = await world.start('reward-drop');
    await until(id, ({ phase }) => phase === 'approval');
    await decide(id, 'somebody').catch(() => undefined);
    await decide(id, 'lead');
    world.trade();
    await until(id, ({ phase }) => phase === 'closed');
    await record(world, 'root-cause-recovered', rootCauseWorkflowOf(id));
  });
  await inWorld({ temporalCli, seed, serving: { modelDeadlineMs: 0.01 } }, async (world) => {
    await world.rules({ automatic: ['rollback'], recoverWithinMinutes: 0.2 });
    await world.visit(160);
    const id = await world.start('fallback-rise');
    world.trade();
    await world.until(id, ({ phase }) => phase === 'closed');
    await record(world, 'root-cause-reopened', rootCauseWorkflowOf(id));
  });
  await inWorld({ temporalCli, seed }, async (world) => {
    await world.rules({ automatic: ['replay-quarantine'], recoverWithinMinutes: 1 });
    await world.visit(160, { events: (events) => events.map((event) => ({ ...event, itemId: `sku-${event.itemId}` })) });
    await takeInOrders(world.shop);
    await world.ingestLog();
    const id = await world.start('schema');
    world.trade();
    await world.until(id, ({ phase }) => phase === 'closed');
    await record(world, 'root-cause-replayed', rootCauseWorkflowOf(id));
  });
}
