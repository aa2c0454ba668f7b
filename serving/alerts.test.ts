import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type Alert, alertSeries } from '../models/contracts/alert.ts';
import { slateRecord } from '../models/contracts/slate.ts';
import { silenceAlert } from '../stores/alerts.ts';
import { openLogReader } from '../stores/event-log-files.ts';
import { openGenerationDirectory } from '../stores/generations-directory.ts';
import { alertsAnswer } from './routes/answers.ts';
import { stages } from './stage-times.ts';
import { call, makeServedState, startReplica } from './testing.ts';

const alert: Alert = {
  ...{ kind: 'alert', id: 'p99-up-2026030200', surface: 'home', signal: 'p99', part: '', direction: 'up', state: 'open' },
  ...{ sinceMs: 1, openedAtMs: 2, resolvedAtMs: null, value: 90, expected: { value: 40, low: 30, high: 50 }, unit: 'ms', says: 'slow', suspect: null },
  ...{ workflowId: null, picture: [] },
};

it('answers the alerts that are open, and measures what they are about', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-alerts-'));
  const state = await makeServedState({ stateDir });
  await state.publish({ champion: await state.train('popularity') });
  const serving = await startReplica(stateDir);
  onTestFinished(async () => {
    await serving.close();
    await rm(stateDir, { recursive: true, force: true });
  });
  expect((await call(`${serving.url}/v1/admin/alerts`)).body).toEqual({ alerts: [] });
  const generations = openGenerationDirectory({ root: join(stateDir, 'series') });
  const over: Alert = { ...alert, id: 'p99-up-2026010100', state: 'resolved', resolvedAtMs: 3 };
  for (const one of [alert, over]) await generations.create(alertSeries('home', one.id), 1, one);
  await silenceAlert(generations, alert, { by: 'sre', why: 'known', untilMs: 8e12, nowMs: 1 });
  const { alerts } = alertsAnswer.parse((await call(`${serving.url}/v1/admin/alerts`)).body);
  expect(alerts).toEqual([{ ...alert, silence: expect.objectContaining({ by: 'sre', why: 'known' }) }]);

  await call(`${serving.url}/v1/recommend`, { surface: 'home', sessionId: 'me' });
  const event = { eventId: 'e', kind: 'click', surface: 'home', sessionId: 'me', itemId: 'i0012', atMs: Date.now() - 100_000 };
  await call(`${serving.url}/v1/events`, { events: [event] });
  const metrics = (await call(`${serving.url}/metrics`)).body;
  for (const stage of stages) expect(metrics).toContain(`understudy_stage_seconds_count{surface="home",stage="${stage}"} 1`);
  expect(metrics).toMatch(/understudy_event_age_seconds_bucket\{le="60",surface="home"\} 0/);
  expect(metrics).toMatch(/understudy_event_age_seconds_bucket\{le="300",surface="home"\} 1/);
  expect(metrics).toMatch(/understudy_model_threads_ready\{surface="home"\} \d/);
  expect(metrics).toMatch(/understudy_breaker_open\{surface="home",artifact="sha256:\w+"\} 0/);
  await expect
    .poll(async () => {
      const { records } = await openLogReader({ directory: join(stateDir, 'log', 'home', 'slates') }).tail({});
      return records.map((record) => Object.keys(slateRecord.parse(record).stagesMs ?? {}));
    })
    .toEqual([[...stages]]);
});
