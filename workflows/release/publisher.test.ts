import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { surfaceStatus } from '../../cli/commands/status.ts';
import { releaseMessages, releaseWorkflowId } from '../../models/contracts/messages.ts';
import { openWorld, type World } from '../testing.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };

async function open(options: Partial<Parameters<typeof openWorld>[0]> = {}): Promise<World> {
  const world = await openWorld({ ...servers, ...options });
  onTestFinished(() => world.close());
  return world;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('the publisher of a surface', () => {
  it('outlives any history: a rehearsal and a canary go on as new runs, with what waits behind them', async () => {
    const world = await open({ longHistory: 40, release: { rehearsal: { slates: 400, maxDurationMs: 30_000 } } });
    await world.bootstrapped();
    // While the next one is trained nobody comes: this canary must not be over before.
    let busy = true;
    await world.trade(() => busy);
    const [run] = await world.retrain('item-knn');
    await world.until('approval', (now) => now.phase === 'approval');
    await world.vote('lead');
    await world.until('canary', (now) => now.phase === 'canary' && now.look >= 1);
    busy = false;
    const [next] = await world.retrain('ials');
    busy = true;
    expect(await world.closing(run?.runId ?? '')).toMatchObject({ action: 'release-promoted', detail: { disagreement: null } });
    const runs = await all(world.client.workflow.list({ query: `WorkflowId = '${releaseWorkflowId(world.surface)}'` }));
    expect(runs.map(({ status }) => status.name).sort()).toEqual([...Array<string>(runs.length - 1).fill('CONTINUED_AS_NEW'), 'RUNNING']);
    expect(runs.length).toBeGreaterThan(3);
    const stages = (await world.ledger()).flatMap(({ action, detail }) => (action === 'spec-published' ? [(detail.change as { stage?: number }).stage] : []));
    expect(stages.filter((stage) => stage !== undefined)).toEqual(stages.filter((stage) => stage !== undefined).toSorted());
    // Trained against the champion from before, it is measured again against the new one.
    await expect
      .poll(async () => (await world.ledger()).some((entry) => entry.action === 'release-stale' && entry.by === next?.runId), { timeout: 60_000 })
      .toBe(true);
  });

  it('outlives a step that cannot be done, a cancellation, and signals that are no messages', async () => {
    const world = await open({ canary: { minUnits: [10, 100_000] } });
    const champion = await world.bootstrapped();
    // Training and shoppers would fight for the cores.
    let busy = false;
    await world.trade(() => busy);
    const handle = world.client.workflow.getHandle(releaseWorkflowId(world.surface));
    for (const nothing of [undefined, null, 'candidate', { artifact: 7 }]) {
      await handle.signal(releaseMessages.submitCandidate, nothing);
      await handle.signal(releaseMessages.overridden, nothing);
      await handle.signal(releaseMessages.decide, nothing);
    }
    const nowhere = `sha256:${'0'.repeat(64)}`;
    await world.context.submit({ surface: world.surface, runId: 'lost', candidate: 'lost', artifact: nowhere, report: nowhere });
    expect(await world.closing('lost')).toMatchObject({ action: 'release-failed', detail: { why: expect.stringContaining('UND-NOT-FOUND') } });

    const inCanary = async (candidate: string) => {
      busy = false;
      const [run] = await world.retrain(candidate);
      await world.until('approval', (now) => now.phase === 'approval' && now.candidate === candidate);
      busy = true;
      await world.vote('lead');
      await world.until('canary', (now) => now.phase === 'canary' && now.candidate === candidate && now.share !== null);
      return run?.runId ?? '';
    };
    const first = await inCanary('item-knn');
    const charter = ((await world.deployment())?.charter ?? '').slice('sha256:'.length);
    const path = join(world.stateDir, 'blobs', 'sha256', charter.slice(0, 2), charter);
    await rename(path, `${path}.away`);
    expect(await world.closing(first)).toMatchObject({ action: 'release-failed', detail: { champion, why: expect.stringContaining('UND-NOT-FOUND') } });
    await rename(`${path}.away`, path);
    expect(await world.deployment()).toMatchObject({ champion, canary: null, challenger: null });

    const second = await inCanary('ials');
    await handle.cancel();
    expect(await world.closing(second)).toMatchObject({ action: 'release-failed', detail: { why: 'the release workflow was cancelled' } });
    expect(await world.deployment()).toMatchObject({ champion, canary: null, challenger: null });
  });

  it('leaves a canary that nobody watches when it is terminated: `status` raises the alarm, the next release takes it off', async () => {
    const world = await open({ canary: { minUnits: [10, 100_000] } });
    await world.bootstrapped();
    const [first] = await world.retrain('item-knn');
    const second = await world.retrain('ials');
    await world.until('approval', (now) => now.phase === 'approval' && now.candidate === 'ials');
    await world.trade();
    await world.vote('lead');
    const { releaseId } = await world.until('canary', (now) => now.phase === 'canary' && now.share !== null);
    const alarms = async () => (await surfaceStatus(world.command, world.stateDir, world.surface)).alarms;
    expect(await alarms()).toEqual([]);
    await world.client.workflow.getHandle(releaseWorkflowId(world.surface)).terminate('a mistake');
    expect(await alarms()).toEqual([expect.stringContaining(`${releaseId} has traffic and no workflow`)]);
    if (first === undefined || second === undefined) throw new Error('no runs');
    const { runId, candidate, artifact, report } = first;
    await world.context.submit({ surface: world.surface, runId, candidate, artifact, report });
    await world.until('approval', (now) => now.phase === 'approval' && now.candidate === 'item-knn');
    expect(await world.deployment()).toMatchObject({ canary: null, challenger: artifact });
    expect(await alarms()).toEqual([]);
  });
});
