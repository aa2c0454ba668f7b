import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FeatureView, featureView } from '../../models/contracts/feature.ts';
import type { ProposedMend } from '../../models/contracts/root-cause.ts';
import { openFeatures } from '../../stores/features/open-features.ts';
import { latestDeployment } from '../../stores/deployments.ts';
import { readLedger } from '../../stores/ledger.ts';
import { putDocument } from '../../stores/blobs.ts';
import { liveReplicas, replicaReports, writeReplicaReport } from '../../stores/replicas.ts';
import { startReplica } from '../../serving/testing.ts';
import { benchContext, quietBeat } from '../events/testing.ts';
import { featureSetOf } from '../features/materialize-features.ts';
import { registerView } from '../features/register-view.ts';
import { doMend, recordCause } from './do-mend.ts';
import { objectionTo } from './object-to-mend.ts';
import { closeShop, copyOf, lookAt, openShopState, type Shop, shopSurface, takeInOrders } from './testing.ts';

const adminKey = 'the-key-of-admins';
let origin: Shop;
let copies = 0;
beforeAll(async () => {
  origin = await openShopState();
});
afterAll(() => closeShop(origin));

/** A state directory of its own, and a look at it. */
async function opened(servingKey: string | null = null) {
  copies += 1;
  const shop = await copyOf(origin, `mend-${copies}`);
  const context = benchContext(shop.stateDir, { now: Date.now, servingKey });
  const { facts } = await lookAt(shop);
  const digest = await putDocument(context.state.blobs, facts);
  const request = (mend: ProposedMend) => ({
    ...{ id: 'root-cause/home/drop/1', surface: shopSurface, look: 1, facts: digest, diagnosis: digest },
    mend,
    by: 'ann',
    why: 'a test',
  });
  const proposed = (action: ProposedMend['action'], target: string | null = null): ProposedMend => ({ action, target, why: 'a test' });
  return {
    ...{ shop, context, facts },
    mend: (action: ProposedMend['action'], target: string | null = null) => doMend(context, request(proposed(action, target)), quietBeat),
    objection: (action: ProposedMend['action'], target: string | null = null) =>
      objectionTo(context, { surface: shopSurface, mend: proposed(action, target), facts }),
    deployment: () => latestDeployment(context.state.generations, shopSurface),
  };
}

describe('a mend', () => {
  it('takes a champion back once, however often it is done, and the ledger says who and why', async () => {
    const { shop, context, mend, objection, deployment } = await opened();
    expect(await objection('rollback')).toBeNull();
    const { override } = await mend('rollback');
    expect(override).toMatchObject({ action: 'rollback', generation: 2 });
    await mend('rollback');
    expect(await deployment()).toMatchObject({ generation: 2, champion: shop.bad, author: { name: 'ann', kind: 'override' } });
    const rollbacks = (await readLedger(context.state.generations, shopSurface)).filter(({ action }) => action === 'rollback');
    expect(rollbacks).toMatchObject([{ by: 'ann', detail: { generation: 2 } }]);
    expect(await objection('rollback')).toBe('there is no earlier champion to go back to');
  });

  it('does not take back a champion that came since', async () => {
    const { shop, objection, mend, deployment } = await opened();
    await shop.state.publish({ champion: shop.bad, previousChampion: shop.good });
    expect(await objection('rollback')).toBe('another champion is live by now');
    await mend('rollback');
    expect((await deployment())?.generation).toBe(2);
  });

  it('pauses releases', async () => {
    const { objection, mend, deployment } = await opened();
    expect(await objection('pause-releases')).toBeNull();
    await mend('pause-releases');
    expect((await deployment())?.paused).toBe(true);
    expect(await objection('pause-releases')).toBe('releases are paused already');
  });

  it('drains a replica, which then takes no more traffic, with the key that it asks for', async () => {
    const { shop, context, mend, objection } = await opened(adminKey);
    const replica = await startReplica(shop.stateDir, { adminKey, keys: ['a-key-of-callers'] });
    expect(await objection('drain-replica', 'r1')).toBeNull();
    const stranger = { ...context, servingKey: 'another-key' };
    const request = {
      ...{ id: 'x/1', surface: shopSurface, look: 1, facts: '', diagnosis: '', by: 'ann', why: '' },
      mend: { action: 'drain-replica' as const, target: 'r1', why: '' },
    };
    await expect(doMend(stranger, request, quietBeat)).rejects.toMatchObject({ code: 'UND-UNAUTHORIZED' });
    expect((await mend('drain-replica', 'r1')).did).toBe('the replica r1 takes no more traffic');
    await replica.ended;
    expect(await liveReplicas(shop.stateDir, Date.now())).toEqual([]);
    await expect(fetch(`${replica.url}/livez`)).rejects.toThrow();
    expect(await objection('drain-replica', 'r1')).toBe('no replica r1 reports itself');
  });

  it('says what to do by hand where a replica does not answer', async () => {
    const { shop, mend } = await opened();
    await writeReplicaReport(shop.stateDir, { replica: 'gone', url: 'http://127.0.0.1:1', pid: 4711, atMs: Date.now(), surfaces: { home: { generation: 1 } } });
    expect(await replicaReports(shop.stateDir)).toHaveLength(1);
    await expect(mend('drain-replica', 'gone')).rejects.toMatchObject({ code: 'UND-MEND', message: expect.stringContaining('end the process 4711') });
  });

  it('makes the online features again', async () => {
    const { shop, context, mend, objection } = await opened();
    await takeInOrders(shop);
    expect(await objection('refresh-features')).toBe('the surface has no feature views that are served');
    const view: FeatureView = featureView.parse({
      ...{ name: 'buyer', version: 1, owner: 'growth', entity: 'user', ttlMs: 86_400_000 },
      source: { from: 'events', kinds: ['purchase'] },
      features: [{ name: 'orders', expression: { aggregate: 'count' }, windowMs: 'all', type: 'integer' }],
    });
    await registerView(context.state, { surface: shopSurface, view });
    const store = await openFeatures({ stateDir: shop.stateDir, url: undefined });
    try {
      expect(await objection('refresh-features')).toBeNull();
      expect((await mend('refresh-features')).did).toBe('1 feature views made again, with 60 entities');
      expect(await store.current(featureSetOf(shopSurface, view))).toBeDefined();
    } finally {
      await store.close();
    }
  });

  it('asks for other work: a retraining, or what was put aside', async () => {
    const { shop, mend, objection } = await opened();
    expect(await objection('rebuild-window')).toBe('the surface has no data to train on');
    expect(await objection('replay-quarantine', 'log')).toBe('nothing is put aside any more');
    await takeInOrders(shop);
    expect(await objection('rebuild-window')).toBeNull();
    expect((await mend('rebuild-window')).retrain).toEqual({ surface: 'home', candidates: null, guest: null, charter: null });
  });

  it('refuses, with a code, what nothing here can do', async () => {
    const { mend, objection } = await opened();
    expect(await objection('block-items', 'i1')).toContain('scope');
    await expect(mend('block-items', 'i1')).rejects.toMatchObject({ code: 'UND-MEND' });
  });
});

it('each step stands in the ledger once', async () => {
  const { context } = await opened();
  const entry = { id: 'root-cause/home/drop/1', surface: shopSurface, action: 'opened' as const, look: 1, by: 'ann', detail: { cause: 'drift' } };
  for (const look of [1, 1, 2]) await recordCause(context, { ...entry, look });
  const steps = (await readLedger(context.state.generations, shopSurface)).filter(({ releaseId }) => releaseId === entry.id);
  expect(steps.map(({ action }) => action)).toEqual(['root-cause-opened', 'root-cause-opened']);
});
