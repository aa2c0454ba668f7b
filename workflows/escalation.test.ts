import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { expect, inject, it, onTestFinished } from 'vitest';
import { openState } from '../activities/context.ts';
import { registerTiny } from '../activities/watch/testing.ts';
import { escalationsCommand } from '../cli/escalations/command.ts';
import { runDirectory } from '../cli/system/pid-file.ts';
import { startWorker } from '../cli/system/start-own.ts';
import { startTemporal } from '../cli/system/start-servers.ts';
import { castStep } from '../cli/escalations/steps.ts';
import { writtenBy } from '../cli/testing.ts';
import type { Report, ReportRequest } from '../models/contracts/escalation.ts';
import { escalationWorkflowId } from '../models/contracts/messages.ts';
import { readLedger } from '../stores/ledger.ts';
import { fileReport, waitingReports } from '../stores/report-inbox.ts';
import { latestReport, readReports } from '../stores/reports.ts';
import { openReceiver } from './testing-receiver.ts';
import { openWorld, type World } from './testing.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed };
const patience = { timeout: 60_000 };

async function call(world: World, path: string, body?: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const asked = body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(new URL(path, world.servingUrl), asked);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const understudy = (world: World, ...args: string[]): Promise<string> =>
  writtenBy(() => escalationsCommand(world.command).parseAsync([...args, '--state', world.stateDir], { from: 'user' }));

/** Deadlines that nobody meets, and those that everybody does. */
const [never, soon] = [0.03, 600];

it('a report over HTTP is blocked at once, told to its owner, goes up the list when nobody answers, and its reporters learn what came of it', async () => {
  const webhook = await openReceiver();
  const world = await openWorld({
    ...servers,
    charter: {
      escalation: {
        owners: { high: ['moderator', 'head'] },
        acknowledgeWithinMinutes: { high: never },
        resolveWithinMinutes: { high: soon },
        blockAtOnce: { kinds: ['harmful'] },
      },
    },
  });
  onTestFinished(() => world.close());
  Object.assign(world.context, { reportWebhook: webhook.url });
  await world.bootstrapped();
  const { surface, state } = world;
  const slate = async () => {
    const { status, body } = await call(world, '/v1/recommend', { surface, sessionId: 's' });
    return { status, requestId: String(body.requestId), items: ((body.items ?? []) as { itemId: string }[]).map(({ itemId }) => itemId) };
  };
  await expect.poll(async () => (await slate()).status, patience).toBe(200);
  const [itemId = ''] = (await slate()).items;

  const request = { surface, about: { of: 'item', itemId }, kind: 'harmful', words: 'It has a sharp edge, says <Ann>.', reporter: { userId: 'u7' } };
  const filed = await call(world, '/v1/reports', { ...request, operationId: 'form-1' });
  expect(filed).toMatchObject({ status: 202, body: { link: `/v1/reports/${filed.body.id}` } });
  expect((await call(world, '/v1/reports', { ...request, operationId: 'form-1' })).body).toEqual(filed.body);
  const id = String(filed.body.id);
  await expect.poll(() => webhook.told.map(({ key }) => key.split('/').at(-1)), patience).toContain('3');
  expect((await slate()).items).not.toContain(itemId);
  expect(webhook.told[0]?.body.text).toMatch(
    new RegExp(`^${surface}: high report of item ${itemId}, harmful. moderator's, due 20[^\n]*\nblocked: at once, as the charter says\n`),
  );
  expect(webhook.told[1]?.body.text).toContain("escalated: moderator has not acknowledged it in time: now head's");
  expect(JSON.stringify(webhook.told)).not.toMatch(/sharp edge|Ann|u7/);
  expect((await call(world, `/v1/reports/${id}`)).body).toEqual({ id, state: 'open', outcome: null });

  // The same of the same, by somebody else: one report for whoever answers it.
  const second = await call(world, '/v1/reports', { ...request, words: 'Me too.', reporter: { contact: 'ticket 4711' } });
  const twin = String(second.body.id);
  await expect.poll(async () => (await latestReport(state.generations, { surface, id: twin }))?.state, patience).toBe('duplicate');
  expect(twin).not.toBe(id);
  // After the last of the list it is overdue, and rests.
  await expect.poll(async () => (await latestReport(state.generations, { surface, id }))?.acknowledgeByMs, patience).toBeNull();
  expect(await understudy(world, surface)).toMatch(new RegExp(`${id} +${surface} +item ${itemId} +harmful +high +2 +head +(600 min|10.0 h) +open, blocked`));
  expect(await understudy(world, 'show', id)).toMatch(/"It has a sharp edge, says <Ann>\."\n {2}said by u7\nopen, head's.*2 deadlines missed/);

  await expect(understudy(world, 'acknowledge', id, '--by', 'stranger', '--why', 'me')).rejects.toMatchObject({ code: 'UND-NOT-APPROVER' });
  expect(await understudy(world, 'acknowledge', id, '--by', 'head', '--why', 'looking')).toContain(`${id} is acknowledged, head's (head, unauthenticated)`);
  await expect(understudy(world, 'acknowledge', id, '--by', 'lead', '--why', 'me too')).rejects.toMatchObject({ code: 'UND-NO-REQUEST' });
  await expect(understudy(world, 'reassign', id, '--by', 'head', '--why', 'yours', '--to', 'nobody')).rejects.toMatchObject({ code: 'UND-INPUT' });
  await understudy(world, 'reassign', id, '--by', 'head', '--why', 'yours', '--to', 'lead');
  await expect.poll(() => webhook.told.at(-1)?.body.text, patience).toContain("lead's");
  await understudy(world, 'resolve', id, '--by', 'lead', '--why', 'recalled by its maker', '--tell', 'We have taken it off our shelves.');
  for (const one of [id, twin])
    expect((await call(world, `/v1/reports/${one}`)).body).toEqual({ id: one, state: 'resolved', outcome: 'We have taken it off our shelves.' });
  await expect(understudy(world, 'resolve', id, '--by', 'lead', '--why', 'again')).rejects.toMatchObject({ code: 'UND-NO-REQUEST' });
  expect((await slate()).items).not.toContain(itemId);
  const said = (await world.ledger()).filter(({ detail }) => detail.report === id).map(({ action }) => action);
  expect(said.slice(0, 4)).toEqual(['report-opened', 'report-blocked', 'report-escalated', 'report-overdue']);
  expect(said.slice(4).toSorted()).toEqual(
    ['report-step-refused', 'report-acknowledged', 'report-step-refused', 'report-step-refused', 'report-reassigned', 'report-resolved'].toSorted(),
  );
  expect(JSON.stringify(await world.ledger())).not.toMatch(/sharp edge|4711|"u7"/);

  // What is over is over: the next of the same is a new one. Rejected, what was blocked for it is shown again; what stays is what the first one was blocked for.
  const shown = (await slate()).items[0] ?? '';
  const wrong = String((await call(world, '/v1/reports', { ...request, about: { of: 'item', itemId: shown } })).body.id);
  // Exploration may leave it out, too: the report says when it is blocked.
  await expect.poll(async () => (await latestReport(state.generations, { surface, id: wrong }))?.block.state, patience).toBe('blocked');
  await expect.poll(async () => (await slate()).items, patience).not.toContain(shown);
  await understudy(world, 'reject', wrong, '--by', 'lead', '--why', 'nothing is wrong with it');
  await expect.poll(async () => (await slate()).items, patience).toContain(shown);
  expect((await slate()).items).not.toContain(itemId);
  const third = String((await call(world, '/v1/reports', request)).body.id);
  await expect.poll(async () => (await latestReport(state.generations, { surface, id: third }))?.duplicateOf, patience).toBeNull();

  // A slate is no item: that it is not blocked is said.
  const { requestId } = await slate();
  const ofSlate = String((await call(world, '/v1/reports', { ...request, about: { of: 'slate', requestId } })).body.id);
  await expect
    .poll(async () => (await latestReport(state.generations, { surface, id: ofSlate }))?.block, patience)
    .toEqual({ state: 'not-blocked', why: 'a slate is no item: flag the items that are meant' });
  const history = await world.client.workflow.getHandle(escalationWorkflowId(surface, id)).fetchHistory();
  expect(JSON.stringify(history.events)).not.toMatch(/sharp edge|u7/);
});

it('where approvers have keys, what is done about a report is signed', async () => {
  const world = await openWorld({ ...servers, serving: false, approverKeys: { lead: 'a secret of lead' } });
  onTestFinished(() => world.close());
  await world.changeCharter((charter) => charter);
  const { surface, state, client } = world;
  const { id } = await fileReport({ root: world.stateDir, generations: state.generations }, reportOf(surface, 'i001'));
  await expect.poll(async () => (await latestReport(state.generations, { surface, id }))?.state, patience).toBe('open');
  const step = { do: 'acknowledge' as const, by: 'lead', why: 'mine' };
  const cast = (over: object, key?: string) => castStep(client, { surface, id, step: { ...step, ...over }, key });
  await expect(cast({})).rejects.toMatchObject({ code: 'UND-UNAUTHORIZED' });
  await expect(cast({}, 'a secret of somebody')).rejects.toMatchObject({ code: 'UND-UNAUTHORIZED' });
  await expect(cast({ by: 'second' })).rejects.toMatchObject({ code: 'UND-UNAUTHORIZED' });
  await expect(cast({ why: '' }, 'a secret of lead')).rejects.toMatchObject({ code: 'UND-INPUT' });
  expect(await cast({}, 'a secret of lead')).toMatchObject({ accepted: true, message: `${id} is acknowledged, lead's (lead)` });
});

const reportOf = (surface: string, itemId: string, over: Partial<ReportRequest> = {}) => ({
  ...{ surface, about: { of: 'item' as const, itemId }, kind: 'broken' as const, words: 'w', reporter: {}, nowMs: Date.now() },
  ...over,
});

it('a worker that is killed between two steps loses nothing and does nothing twice', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-escalation-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true, maxRetries: 5 }));
  const surroundings = { stateDir, runDir: runDirectory(stateDir), restart: false };
  const temporal = await startTemporal({ ...surroundings, env: process.env, cli: servers.temporalCli, port: 0, uiPort: 0 });
  onTestFinished(() => temporal.child.stop());
  const state = openState(stateDir);
  const rules = { owners: { medium: ['one', 'two', 'three'] }, acknowledgeWithinMinutes: { medium: 0.05 } };
  const surface = await registerTiny(state, { escalation: rules });
  let isSilent = true;
  const webhook = await openReceiver({ silent: () => isSilent });
  const env = { ...process.env, UNDERSTUDY_REPORT_WEBHOOK: webhook.url };
  const addresses = { temporalAddress: temporal.address, temporalNamespace: 'default', mlflowUrl: servers.mlflowUrl };
  const start = () => startWorker({ ...surroundings, env, role: 'control', addresses });
  const stores = { root: stateDir, generations: state.generations };
  // Nobody is there to take it up yet.
  const { id } = await fileReport(stores, reportOf(surface, 'i001'));
  const first = await start();
  await expect.poll(() => webhook.calls(), patience).toBeGreaterThan(0);
  process.kill(first.pid() ?? 0, 'SIGKILL');
  const later = await fileReport(stores, reportOf(surface, 'i001', { words: 'while nobody works' }));
  expect(await waitingReports(stateDir)).toEqual([{ surface, id: later.id }]);
  isSilent = false;
  const second = await start();
  onTestFinished(() => second.stop());
  const now = () => latestReport(state.generations, { surface, id });
  await expect.poll(async () => (await now())?.steps.map(({ what }) => what), patience).toEqual(['opened', 'escalated', 'escalated', 'overdue']);
  await expect.poll(async () => (await latestReport(state.generations, { surface, id: later.id }))?.duplicateOf, patience).toBe(id);
  expect(await now()).toMatchObject({ owner: 'three', level: 2, missed: 3 });
  const connection = await Connection.connect({ address: temporal.address });
  onTestFinished(() => connection.close());
  await castStep(new Client({ connection }), { surface, id, step: { do: 'reject', by: 'three', why: 'it works' }, key: undefined });
  const keys = webhook.told.map(({ key }) => key.split('/').at(-1));
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys.toSorted()).toEqual(['1', '2', '3', '4']);
  const said = (await readLedger(state.generations, surface)).map(({ action }) => action).filter((action) => action.startsWith('report-'));
  expect(said.toSorted()).toEqual(['report-attached', 'report-escalated', 'report-escalated', 'report-opened', 'report-overdue', 'report-rejected']);
});

// A minute of one core, Temporal's part included; on a machine that has much else to do that takes its time.
it('a thousand reports are open at once, each with a handful of events', { timeout: 600_000 }, async () => {
  const world = await openWorld({ ...servers, serving: false, charter: { escalation: { acknowledgeWithinMinutes: { medium: soon } } } });
  onTestFinished(() => world.close());
  await world.changeCharter((charter) => charter);
  const { surface, state, stateDir, client } = world;
  const stores = { root: stateDir, generations: state.generations };
  const begunMs = performance.now();
  const ids: string[] = [];
  for (let from = 0; from < 1_000; from += 50)
    ids.push(...(await Promise.all(Array.from({ length: 50 }, (_, nth) => fileReport(stores, reportOf(surface, `i${from + nth}`))))).map(({ id }) => id));
  const filedMs = performance.now();
  await expect.poll(async () => (await waitingReports(stateDir)).length, { timeout: 500_000, interval: 200 }).toBe(0);
  const openMs = performance.now();
  process.stdout.write(`1000 reports: filed in ${Math.round(filedMs - begunMs)} ms, open ${Math.round(openMs - filedMs)} ms later\n`);
  const reports: Report[] = await readReports(state.generations, surface);
  expect(reports.filter(({ state: is }) => is === 'open')).toHaveLength(1_000);
  expect(new Set(reports.map(({ id }) => id))).toEqual(new Set(ids));
  const ledger = await world.ledger();
  expect(ledger.filter(({ action }) => action === 'report-opened')).toHaveLength(1_000);
  expect((await client.workflow.count(`WorkflowType = 'escalation' AND ExecutionStatus = 'Running'`)).count).toBe(1_000);
  // Any of them is answered while the others wait.
  const [id = ''] = ids.slice(seed % 1_000);
  const handle = client.workflow.getHandle(escalationWorkflowId(surface, id));
  expect((await handle.describe()).historyLength).toBeLessThan(20);
  await castStep(client, { surface, id, step: { do: 'resolve', by: 'tests', why: 'mended' }, key: undefined });
  expect(await handle.result()).toMatchObject({ state: 'resolved' });
});
