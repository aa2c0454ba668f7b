import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { expect, inject, it, onTestFinished } from 'vitest';
import { openState } from '../../activities/context.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import { makeTinySurface } from '../../test/tiny-surface/make-tiny-surface.ts';
import { readEnvironment } from '../environment.ts';
import { writtenBy } from '../testing.ts';
import type { ScheduleStatus } from '../schedules.ts';
import { loadSurfaceConfig } from '../surface-config.ts';
import { retrainCommand } from './retrain.ts';
import { statusCommand } from './status.ts';

/** A registered surface, a real Temporal and the commands. */
async function open() {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-schedule-'));
  const surface = `tiny-${randomBytes(3).toString('hex')}`;
  const address = inject('temporalAddress');
  const connection = await Connection.connect({ address });
  const handle = new Client({ connection }).schedule.getHandle(`retrain/${surface}`);
  onTestFinished(async () => {
    await handle.delete().catch(() => undefined);
    await connection.close();
    await rm(folder, { recursive: true, force: true });
  });
  const state = join(folder, 'state');
  const { config } = await makeTinySurface({ folder, seed: 1, people: 12, charter: { surface } });
  await registerCharter(openState(state), (await loadSurfaceConfig(config)).input, Date.now());
  const context = { env: readEnvironment({ TEMPORAL_ADDRESS: address }), cwd: folder, now: Date.now };
  const run = (command: typeof retrainCommand, ...args: string[]) =>
    writtenBy(() => command(context).parseAsync([...args, '--state', state], { from: 'user' }));
  const retrain = (...args: string[]) => run(retrainCommand, surface, ...args);
  const status = async () =>
    (JSON.parse(await run(statusCommand, surface, '--json')) as { surfaces: { schedule: ScheduleStatus | null }[] }).surfaces[0]?.schedule;
  return { surface, handle, retrain, status, statusText: () => run(statusCommand, surface), run };
}

it('a schedule is made, shown, changed and ended', async () => {
  const { surface, handle, retrain, status, statusText } = await open();
  expect(await status()).toBeNull();
  expect(JSON.parse(await retrain('--schedule', '0 4 * * *', '--candidate', 'ials', '--json'))).toMatchObject({ surface, schedule: { cron: '0 4 * * *' } });
  const made = await status();
  expect(made).toMatchObject({ cron: '0 4 * * *', paused: false, candidates: ['ials'], guest: null });
  expect(new Date(made?.nextAtMs ?? 0).toISOString()).toMatch(/T04:00:00.000Z$/);
  expect(made?.nextAtMs).toBeGreaterThan(Date.now());

  await handle.pause('the sales');
  expect(await statusText()).toContain('schedule    0 4 * * * (UTC), ials, PAUSED: the sales');
  // Another time for what is paused does not wake it.
  await retrain('--schedule', '30 5 * * 1 # by hand');
  expect(await status()).toMatchObject({ cron: '30 5 * * 1', paused: true, candidates: null });
  await handle.unpause();
  expect(await statusText()).toMatch(/schedule {4}30 5 \* \* 1 \(UTC\), next \d{4}-\d\d-\d\dT05:30:00.000Z/);
  await retrain('--schedule', '@every 6h');
  expect(await status()).toMatchObject({ cron: '@every 21600s' });
  expect((await handle.describe()).policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 3_600_000 });

  expect(JSON.parse(await retrain('--unschedule', '--json'))).toEqual({ surface, schedule: null });
  expect(await status()).toBeNull();
  await expect(retrain('--unschedule')).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
});

it.each(['not a cron', '', '99 4 * * *', 'TZ=Mars 0 4 * * *'])('%j is refused, and what there was stays', async (cron) => {
  const { retrain, status } = await open();
  await expect(retrain('--schedule', cron)).rejects.toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining(JSON.stringify(cron)) });
  expect(await status()).toBeNull();
  await retrain('--schedule', '0 4 * * *');
  await expect(retrain('--schedule', cron)).rejects.toMatchObject({ code: 'UND-INPUT' });
  expect(await status()).toMatchObject({ cron: '0 4 * * *' });
});

it('what would fail each night is refused now', async () => {
  const { retrain, run, status } = await open();
  const cron = ['--schedule', '0 4 * * *'];
  await expect(run(retrainCommand, 'nowhere', ...cron)).rejects.toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
  await expect(retrain(...cron, '--candidate', 'ials', 'magic')).rejects.toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining('magic') });
  await expect(retrain(...cron, '--guest', 'no-such-folder')).rejects.toMatchObject({ code: 'UND-FILE' });
  expect(await status()).toBeNull();
});
