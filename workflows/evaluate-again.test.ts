import { expect, inject, it, onTestFinished } from 'vitest';
import { runRetrain } from '../cli/commands/retrain.ts';
import { findRunRecord, listRuns } from '../activities/registry/runs.ts';
import { openWorld, quickRelease } from './testing.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };

it('a run is not trained twice, but judged again when what judges it has changed or when somebody asks; each time is a release of its own', async () => {
  const world = await openWorld({ ...servers, release: { ...quickRelease, remindAfterMs: 500, escalateAfterMs: 1_000, expireAfterMs: 1_500 } });
  onTestFinished(() => world.close());
  const champion = await world.bootstrapped();
  const endings = async () => (await world.ledger()).filter((entry) => entry.by === first?.runId && entry.detail.disagreement !== undefined);
  const ended = (count: number) => expect.poll(async () => (await endings()).map(({ action }) => action), { timeout: 30_000 }).toHaveLength(count);

  const [first] = await world.retrain('item-knn');
  if (first === undefined) throw new Error('no run');
  await ended(1);
  // The same charter again: what is done is not done again.
  expect(await world.retrain('item-knn')).toEqual([first]);

  await world.changeCharter((charter) => ({ ...charter, gates: { minUsers: 100_000 } }));
  const [judged] = await world.retrain('item-knn');
  expect(judged).toMatchObject({
    runId: first.runId,
    artifact: first.artifact,
    passed: false,
    attempt: 2,
    reasons: [expect.stringContaining('at least 100000 needed')],
  });
  await ended(2);
  // The title judges nothing.
  await world.changeCharter((charter) => ({ ...charter, gates: { minUsers: 100_000 }, title: 'Another title' }));
  expect((await world.retrain('item-knn'))[0]).toMatchObject({ attempt: 2 });

  await world.changeCharter((charter) => charter);
  const [back] = await world.retrain('item-knn');
  expect(back).toMatchObject({ passed: true, attempt: 3, report: expect.not.stringContaining(judged?.report ?? '') });
  await ended(3);
  const { command, stateDir, surface } = world;
  const [again] = await runRetrain(command, { stateDir, surface, candidates: ['item-knn'], guest: null, resubmit: true });
  expect(again).toMatchObject({ passed: true, attempt: 4, artifact: first.artifact });
  await ended(4);
  expect((await endings()).map(({ action }) => action)).toEqual(['release-expired', 'release-refused', 'release-expired', 'release-expired']);
  expect(new Set((await endings()).map(({ releaseId }) => releaseId)).size).toBe(4);
  expect((await listRuns(world.state, world.surface)).filter(({ candidate }) => candidate === 'item-knn')).toHaveLength(1);
  expect(await findRunRecord(world, first.runId)).toMatchObject({ artifact: first.artifact, passed: true });
  expect(await world.champion()).toBe(champion);
});
