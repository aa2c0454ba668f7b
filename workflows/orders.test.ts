import { expect, inject, it, onTestFinished } from 'vitest';
import { signVote } from '../activities/release/record-vote.ts';
import type { Order } from '../models/contracts/order.ts';
import { readReports } from '../stores/reports.ts';
import { openWorld, type World } from './testing.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };
const key = 'the key of the lead';

type Answer = { status: number; body: { id: string; state: string; result?: Record<string, unknown>; problem?: { code: string; detail: string } } };

async function call(world: World, path: string, body?: object): Promise<Answer> {
  const asked = body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(new URL(path, world.servingUrl), asked);
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

/** Whatever a worker has to do first, the answer comes. */
async function order(world: World, one: Order, operationId?: string): Promise<Answer['body']> {
  const { status, body } = await call(world, '/v1/admin/orders', { order: one, ...(operationId === undefined ? {} : { operationId }) });
  expect([200, 202], JSON.stringify(body)).toContain(status);
  if (body.state !== 'waiting') return body;
  const answer = async () => (await call(world, `/v1/admin/orders/${body.id}`)).body;
  await expect.poll(async () => (await answer()).state, { timeout: 60_000 }).not.toBe('waiting');
  return answer();
}

it('over HTTP alone a release is approved, a report answered, releases paused, an audit held, a slate explained; each once, and under the rules of the command line', async () => {
  const world = await openWorld({ ...servers, approverKeys: { lead: key } });
  onTestFinished(() => world.close());
  const { surface, state } = world;
  await world.bootstrapped();
  const actions = async (begins: string) => (await world.ledger()).filter(({ action }) => action.startsWith(begins)).map(({ action, by }) => [action, by]);

  // A release: the vote is signed, or it is refused and says why.
  const [run] = await world.retrain('item-knn');
  const { releaseId, evidence } = await world.until('the approval', (now) => now.phase === 'approval' && now.candidate === 'item-knn');
  const vote = { decision: 'approve' as const, by: 'lead', evidence: evidence ?? '', why: 'over HTTP', proof: { kind: 'unauthenticated' as const } };
  expect(await order(world, { do: 'vote', surface, vote })).toMatchObject({ state: 'refused', problem: { code: 'UND-UNAUTHORIZED' } });
  const signature = signVote(key, { releaseId: releaseId ?? '', decision: 'approve', by: 'lead', evidence: evidence ?? '' });
  const signed: Order = { do: 'vote', surface, vote: { ...vote, proof: { kind: 'hmac-sha256', signature } } };
  expect(await order(world, signed, 'vote-1')).toMatchObject({ state: 'done', result: { accepted: true } });
  expect(await order(world, signed, 'vote-1')).toMatchObject({ state: 'done', result: { accepted: true } });
  expect(await actions('vote-approve')).toEqual([['vote-approve', 'lead']]);

  // Orders over its head.
  const pause: Order = { do: 'pause', surface, by: 'sre', why: 'a sale begins' };
  const paused = await order(world, pause, 'pause-1');
  expect(paused).toMatchObject({ state: 'done', result: { written: true } });
  expect(await order(world, pause, 'pause-1')).toEqual(paused);
  expect(await world.deployment()).toMatchObject({ paused: true, author: { name: 'sre', action: 'pause' } });
  expect(await order(world, { do: 'resume', surface, by: 'sre', why: 'it is over' })).toMatchObject({ state: 'done' });
  expect(await order(world, { do: 'abort', surface, by: 'sre', why: 'enough seen' })).toMatchObject({ state: 'done' });
  expect((await world.closing(run?.runId ?? '')).action).toBe('release-aborted');
  expect(await actions('pause')).toEqual([['pause', 'sre']]);

  // A report, from the one who makes it to the one who answers it.
  const slate = (await call(world, '/v1/recommend', { surface, sessionId: 's' })).body as unknown as { requestId: string; items: { itemId: string }[] };
  const about = { of: 'item', itemId: slate.items[0]?.itemId };
  const { id: report } = (await call(world, '/v1/reports', { surface, about, kind: 'wrong', words: 'no' })).body;
  await expect.poll(async () => (await readReports(state.generations, surface)).length, { timeout: 30_000 }).toBe(1);
  const step = { do: 'resolve' as const, why: 'the title is mended', proof: { kind: 'unauthenticated' as const } };
  const answer = (by: string): Order => ({ do: 'report-step', surface, report, step: { ...step, by } });
  expect(await order(world, answer('mallory'))).toMatchObject({ state: 'refused', problem: { code: 'UND-NOT-APPROVER' } });
  expect(await order(world, answer('lead'))).toMatchObject({ state: 'refused', problem: { code: 'UND-UNAUTHORIZED' } });

  await call(world, '/v1/admin/seal', { surface });
  expect(await order(world, { do: 'explain', requestId: slate.requestId })).toMatchObject({ state: 'done', result: { requestId: slate.requestId } });
  expect(await order(world, { do: 'explain', requestId: 'never-was' })).toMatchObject({ state: 'refused', problem: { code: 'UND-NOT-FOUND' } });
  expect(await order(world, { do: 'audit', surface, by: 'auditor' })).toMatchObject({ state: 'done' });
  const audits = async () =>
    ((await call(world, '/v1/admin/audits')).body as unknown as { audits: { report: { surface: string }; findings: { id: string }[] }[] }).audits;
  await expect.poll(async () => (await audits()).length, { timeout: 60_000 }).toBe(1);
  const finding = (await audits())[0]?.findings[0]?.id ?? '';
  const follow: Order = { do: 'follow-finding', surface, finding, by: 'ann', what: 'a key is on its way' };
  expect(await order(world, follow)).toMatchObject({ state: 'done', result: { id: finding, followUp: [{ by: 'ann', what: 'a key is on its way' }] } });
  expect(await order(world, { do: 'silence', surface, alert: 'none', by: 'ann', why: 'x', untilMs: Date.now() + 1e6 })).toMatchObject({
    problem: { code: 'UND-NOT-FOUND' },
  });

  // What is no order is refused at the door, what is of no surface by the worker; a stranger's path is none.
  expect((await call(world, '/v1/admin/orders', { order: { do: 'launch', surface } })).status).toBe(400);
  expect(await order(world, { ...pause, surface: 'nowhere' } as Order)).toMatchObject({ state: 'refused', problem: { code: 'UND-UNKNOWN-SURFACE' } });
  expect((await call(world, '/v1/admin/orders/o-..%2F..%2Fsecrets')).status).toBe(404);
  expect((await call(world, '/v1/admin/root-causes')).body).toEqual({ looks: [] });
});
