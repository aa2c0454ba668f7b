import { afterEach, expect, inject, it } from 'vitest';
import { takeInOrders } from '../activities/root-cause/testing.ts';
import { fromTemporal } from '../activities/from-temporal.ts';
import { type CauseWorld, openCauseWorld } from './testing-root-cause.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
let world: CauseWorld | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

const actionsOf = async ({ ledger }: CauseWorld, id: string) =>
  (await ledger()).filter(({ releaseId }) => releaseId?.startsWith(id)).map(({ action }) => action);

it('proposes, asks those who decide on releases, takes the worse artifact back, and sees that it helped', async () => {
  world = await openCauseWorld({ temporalCli: inject('temporalCli'), seed });
  const { shop, start, until, decide, rules, deployment } = world;
  await shop.state.publish({ champion: shop.bad, championRelease: 'release-worse', previousChampion: shop.good, createdAtMs: Date.now() });
  // As many as leave no doubt, whatever the seed.
  await world.visit(480);

  // Nobody answers.
  await rules({ decideWithinHours: 1 / 3_600 });
  const unheard = await start('unheard');
  expect(await until(unheard, ({ phase }) => phase === 'closed')).toMatchObject({ outcome: 'not-answered', layer: 'model', cause: 'new-artifact' });

  // Somebody says no.
  await rules({ recoverWithinMinutes: 1 });
  const unwanted = await start('unwanted');
  await until(unwanted, ({ phase }) => phase === 'approval');
  await decide(unwanted, 'lead', { decision: 'reject' });
  expect(await until(unwanted, ({ phase }) => phase === 'closed')).toMatchObject({ outcome: 'rejected' });
  expect((await deployment())?.champion).toBe(shop.bad);

  // Who may decide says yes, and only to what was found.
  const id = await start('reward-drop');
  expect(await start('reward-drop')).toBe(id);
  expect(await start('unwanted')).not.toBe(unwanted);
  const waiting = await until(id, ({ phase }) => phase === 'approval');
  expect(waiting).toMatchObject({ look: 1, mend: { action: 'rollback', target: shop.bad }, policy: { votesNeeded: 1 } });
  const code = (error: unknown) => (fromTemporal(error) as { code?: string }).code;
  expect(await decide(id, 'somebody').catch(code)).toBe('UND-NOT-APPROVER');
  expect(await decide(id, 'lead', { evidence: waiting.facts ?? '' }).catch(code)).toBe('UND-STALE-EVIDENCE');
  await decide(id, 'lead');
  world.trade();
  const closed = await until(id, ({ phase }) => phase === 'closed');
  expect(closed).toMatchObject({ outcome: 'recovered', look: 1, mends: [{ action: 'rollback', by: 'lead' }] });
  expect(await deployment()).toMatchObject({ champion: shop.good, author: { kind: 'override', name: 'lead', action: 'rollback' } });
  expect(await actionsOf(world, id)).toEqual([
    'root-cause-opened',
    'approval-opened',
    'vote-refused',
    'vote-refused',
    'vote-approve',
    'root-cause-mended',
    'root-cause-recovered',
    'root-cause-closed',
  ]);
});

it('does by itself what the charter allows, looks again where it did not help, and ends where nothing is left to do', async () => {
  world = await openCauseWorld({ temporalCli: inject('temporalCli'), seed, serving: { modelDeadlineMs: 0.01 } });
  await world.rules({ automatic: ['rollback'], recoverWithinMinutes: 0.2 });
  await world.visit(160);
  const id = await world.start('fallback-rise');
  world.trade();
  const closed = await world.until(id, ({ phase }) => phase === 'closed');
  // What was there before the first champion answers no better: the models are not given the time.
  expect(closed).toMatchObject({ outcome: 'no-mend', look: 2, cause: 'fallback', mends: [{ action: 'rollback', by: 'charter' }] });
  expect(closed.why).toContain('no earlier champion');
  const actions = await actionsOf(world, id);
  expect(actions.filter((one) => one.startsWith('root-cause'))).toEqual(['root-cause-opened', 'root-cause-mended', 'root-cause-reopened', 'root-cause-closed']);
});

it('lets in again what was put aside, as the charter allows, and sees that events come as they used to', async () => {
  world = await openCauseWorld({ temporalCli: inject('temporalCli'), seed });
  await world.rules({ automatic: ['replay-quarantine'], recoverWithinMinutes: 1 });
  await world.visit(160, { events: (events) => events.map((event) => ({ ...event, itemId: `sku-${event.itemId}` })) });
  await takeInOrders(world.shop);
  await world.ingestLog();
  const id = await world.start('schema');
  world.trade();
  const closed = await world.until(id, ({ phase }) => phase === 'closed');
  expect(closed).toMatchObject({ outcome: 'recovered', cause: 'schema', mends: [{ action: 'replay-quarantine', target: 'log', by: 'charter' }] });
  expect((await world.ledger()).some(({ action, by }) => action === 'data-mended' && by === 'charter')).toBe(true);
});
