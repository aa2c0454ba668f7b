import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { expect, inject, it, onTestFinished } from 'vitest';
import { openState } from '../activities/context.ts';
import { logTraffic, registerTiny } from '../activities/watch/testing.ts';
import { runDirectory } from '../cli/system/pid-file.ts';
import { startWorker } from '../cli/system/start-own.ts';
import { startTemporal } from '../cli/system/start-servers.ts';
import type { WatchLook } from '../models/contracts/alert.ts';
import { auditFollowUpWorkflowId, auditWorkflowId, rootCauseWorkflowId, taskQueues, watchWorkflowId, workflowNames } from '../models/contracts/messages.ts';
import { readAlerts, silenceAlert } from '../stores/alerts.ts';
import { openReceiver } from './testing-receiver.ts';
import { openWorld, type World } from './testing.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed };
const hourMs = 3_600_000;
const weekMs = 168 * hourMs;
const begin = Date.UTC(2026, 2, 2);

/** A surface with five weeks behind it, whose clock the test holds. */
async function openWatched(receivers: { webhook: string | null; alertmanager: string | null }): Promise<{ world: World; clock: { nowMs: number } }> {
  const charter = { watch: { signals: ['fallback', 'slates', 'reward'], weeks: 4 } };
  const world = await openWorld({ ...servers, charter, serving: false });
  onTestFinished(() => world.close());
  const clock = { nowMs: begin + 6 * 60_000 };
  Object.assign(world.context, { now: () => clock.nowMs, alerts: receivers });
  await world.changeCharter((one) => one);
  await traffic(world, { fromMs: begin - 5 * weekMs, toMs: begin });
  return { world, clock };
}

const traffic = ({ stateDir, surface }: World, span: { fromMs: number; toMs: number; broken?: { fallbackShare: number } }) =>
  logTraffic({ stateDir, surface, slatesAnHour: 20, seed: seed + span.fromMs / hourMs, ...span });

async function look({ client, surface }: World): Promise<WatchLook> {
  const workflowId = watchWorkflowId(surface);
  return client.workflow.execute(workflowNames.watch, { workflowId, taskQueue: taskQueues.control, args: [{ surface }] });
}

it('what breaks gives one alert, of which a receiver that was down hears once, and once more when it is over', async () => {
  const webhook = await openReceiver({ refusals: 2 });
  const alertmanager = await openReceiver();
  const { world, clock } = await openWatched({ webhook: `${webhook.url}/hook`, alertmanager: alertmanager.url });
  expect(await look(world)).toMatchObject({ opened: [], closed: [] });

  clock.nowMs += 5 * hourMs;
  await traffic(world, { fromMs: begin, toMs: begin + 5 * hourMs, broken: { fallbackShare: 0.7 } });
  const first = await look(world);
  expect(first.opened).toHaveLength(1);
  expect(first.receivers).toEqual(['webhook', 'alertmanager']);
  const id = first.opened[0]?.alert ?? '';
  expect(id).toMatch(/^fallback-popularity-up-/);
  await expect.poll(() => webhook.told, { timeout: 60_000 }).toHaveLength(1);
  expect(webhook.calls()).toBe(3);
  expect(webhook.told[0]).toMatchObject({ path: '/hook', key: `${world.surface}/${id}/opened` });
  expect(webhook.told[0]?.body.text).toContain('slates that a lower rung answered, rung popularity');
  await expect.poll(() => alertmanager.told, { timeout: 60_000 }).toHaveLength(1);
  expect(alertmanager.told[0]?.path).toBe('/api/v2/alerts');

  // It lasts: nobody hears of it again, however often it is looked at.
  for (const hours of [6, 8, 11]) {
    const from = clock.nowMs - 6 * 60_000;
    clock.nowMs = begin + hours * hourMs + 6 * 60_000;
    await traffic(world, { fromMs: from, toMs: begin + hours * hourMs, broken: { fallbackShare: 0.7 } });
    expect(await look(world)).toMatchObject({ opened: [], closed: [] });
    expect(await look(world)).toMatchObject({ opened: [], closed: [] });
  }

  const from = clock.nowMs - 6 * 60_000;
  clock.nowMs += 8 * hourMs;
  await traffic(world, { fromMs: from, toMs: from + 8 * hourMs });
  expect(await look(world)).toMatchObject({ opened: [], closed: [id] });
  await expect
    .poll(() => webhook.told.map(({ key }) => key), { timeout: 60_000 })
    .toEqual([`${world.surface}/${id}/opened`, `${world.surface}/${id}/resolved`]);
  await expect.poll(() => alertmanager.told, { timeout: 60_000 }).toHaveLength(2);
  expect((await readAlerts(world.state.generations, world.surface)).map(({ state }) => state)).toEqual(['resolved']);
  const entries = async (begins: string) => (await world.ledger()).filter(({ action }) => action.startsWith(begins));
  expect((await entries('alert-')).map(({ action }) => action)).toEqual(['alert-opened', 'alert-resolved']);
  // Its cause was looked for, once.
  const workflowId = rootCauseWorkflowId(world.surface, id);
  expect((await readAlerts(world.state.generations, world.surface))[0]).toMatchObject({ workflowId });
  await expect
    .poll(async () => (await entries('root-cause-opened')).map(({ releaseId }) => releaseId?.startsWith(workflowId)), { timeout: 60_000 })
    .toEqual([true]);
});

it('nobody is told while a silence holds, and whoever is to know is told when it ends and the trouble does not', async () => {
  const webhook = await openReceiver();
  const { world, clock } = await openWatched({ webhook: webhook.url, alertmanager: null });
  await look(world);
  clock.nowMs += 5 * hourMs;
  await traffic(world, { fromMs: begin, toMs: begin + 5 * hourMs, broken: { fallbackShare: 0.7 } });
  // Of the same signal, from before.
  const about = { surface: world.surface, signal: 'fallback', part: 'popularity', direction: 'up', id: 'earlier' } as const;
  await silenceAlert(world.state.generations, about, { by: 'sre', why: 'a planned rehearsal', untilMs: clock.nowMs + 1_000, nowMs: clock.nowMs });
  const id = (await look(world)).opened[0]?.alert;
  expect(webhook.told).toEqual([]);
  clock.nowMs += 2_000;
  await expect.poll(() => webhook.told.map(({ key }) => key), { timeout: 60_000 }).toEqual([`${world.surface}/${id}/opened`]);
  expect((await world.ledger()).map(({ action }) => action)).toContain('alert-silenced');
});

it('whoever hears of alerts hears of an audit that nobody made, and of the next one that was', async () => {
  const webhook = await openReceiver();
  const { world, clock } = await openWatched({ webhook: webhook.url, alertmanager: null });
  const { client, surface, state } = world;
  const call = (type: string, workflowId: string) =>
    client.workflow.execute(type, { workflowId, taskQueue: taskQueues.control, args: [{ surface, by: 'sre' }] });
  const followUp = () => call(workflowNames.auditFollowUp, auditFollowUpWorkflowId(surface));
  // The charter is of now, by the world's own clock.
  clock.nowMs = Date.now() + 40 * 24 * hourMs;
  await followUp();
  const [found] = await readAlerts(state.generations, surface);
  expect(found).toMatchObject({ signal: 'audit', state: 'open' });
  await expect.poll(() => webhook.told.map(({ key }) => key), { timeout: 60_000 }).toEqual([`${surface}/${found?.id}/opened`]);
  expect(webhook.told[0]?.body.text).toContain('no audit ever');
  // Tried again, and the next day: nobody hears of it again.
  await followUp();
  clock.nowMs += 24 * hourMs;
  await followUp();
  await call(workflowNames.audit, auditWorkflowId(surface));
  clock.nowMs += 24 * hourMs;
  await followUp();
  await expect
    .poll(() => webhook.told.map(({ key }) => key), { timeout: 60_000 })
    .toEqual([`${surface}/${found?.id}/opened`, `${surface}/${found?.id}/resolved`]);
});

it('a worker that is killed while it tells somebody loses nothing', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-watch-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true, maxRetries: 5 }));
  const surroundings = { stateDir, runDir: runDirectory(stateDir), restart: false };
  const temporal = await startTemporal({ ...surroundings, env: process.env, cli: servers.temporalCli, port: 0, uiPort: 0 });
  onTestFinished(() => temporal.child.stop());
  let isSilent = true;
  const webhook = await openReceiver({ silent: () => isSilent });
  const state = openState(stateDir);
  const surface = await registerTiny(state, { watch: { signals: ['fallback'], weeks: 4 } });
  // The workers' clock is this machine's.
  const now = Math.floor((Date.now() - 6 * 60_000) / hourMs) * hourMs;
  const of = { stateDir, surface, slatesAnHour: 20, seed };
  await logTraffic({ ...of, fromMs: now - 5 * weekMs, toMs: now - 6 * hourMs });
  await logTraffic({ ...of, seed: seed + 1, fromMs: now - 6 * hourMs, toMs: now + hourMs, broken: { fallbackShare: 0.8 } });
  const env = { ...process.env, UNDERSTUDY_ALERT_WEBHOOK: webhook.url };
  const addresses = { temporalAddress: temporal.address, temporalNamespace: 'default', mlflowUrl: servers.mlflowUrl };
  const first = await startWorker({ ...surroundings, env, role: 'control', addresses });
  const connection = await Connection.connect({ address: temporal.address });
  onTestFinished(() => connection.close());
  const client = new Client({ connection });
  const look: WatchLook = await client.workflow.execute(workflowNames.watch, {
    workflowId: `${watchWorkflowId(surface)}-${randomBytes(3).toString('hex')}`,
    taskQueue: taskQueues.control,
    args: [{ surface }],
  });
  expect(look.opened).toHaveLength(1);
  await expect.poll(() => webhook.calls(), { timeout: 60_000 }).toBe(1);
  process.kill(first.pid() ?? 0, 'SIGKILL');
  isSilent = false;
  const second = await startWorker({ ...surroundings, env, role: 'control', addresses });
  onTestFinished(() => second.stop());
  await expect.poll(() => webhook.told.map(({ key }) => key), { timeout: 60_000 }).toEqual([`${surface}/${look.opened[0]?.alert}/opened`]);
});
