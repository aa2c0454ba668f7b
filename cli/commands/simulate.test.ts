import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { openState } from '../../activities/context.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { makeTinySurface } from '../../test/tiny-surface/make-tiny-surface.ts';
import { readEnvironment } from '../environment.ts';
import type { Shop } from '../shoppers/shop.ts';
import { loadSurfaceConfig } from '../surface-config.ts';
import { runDirectory } from '../system/pid-file.ts';
import { writeSystemFile } from '../system-file.ts';
import { simulateCommand } from './simulate.ts';

/** `simulate --json` with a shop of the test's own. */
async function simulate(serve: Shop['serve']) {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-simulate-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { config } = await makeTinySurface({ folder, seed: 1, people: 12 });
  await registerCharter(openState(folder), (await loadSurfaceConfig(config)).input, Date.now());
  await mkdir(runDirectory(folder), { recursive: true });
  await writeSystemFile(folder, { temporalAddress: 'here:7233', temporalUiUrl: null, mlflowUrl: 'http://mlflow', servingUrl: 'http://serving', pid: 1 });
  const shop = { counts: { visits: 3, slates: 6, events: 9, purchases: 1, buyers: 1 }, serve, close: () => undefined } as unknown as Shop;
  const written: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  const before = process.exitCode;
  try {
    await simulateCommand({ env: readEnvironment({}), cwd: folder, now: Date.now }, () => shop).parseAsync(['tiny', '--state', folder, '--json'], {
      from: 'user',
    });
    return { document: JSON.parse(written.join('')) as unknown, exitCode: process.exitCode };
  } finally {
    process.exitCode = before;
    write.mockRestore();
  }
}

it('answers with what it counted, also where it is stopped', async () => {
  expect(await simulate(async () => undefined)).toMatchObject({ document: { surface: 'tiny', slates: 6 }, exitCode: undefined });
  const stopped = await simulate(async ({ signal }) => {
    process.emit('SIGINT');
    signal.throwIfAborted();
  });
  expect(stopped).toMatchObject({ document: { surface: 'tiny', slates: 6 }, exitCode: 130 });
});

it('fails where the serving tier does', async () => {
  const away = new UnderstudyError('UND-SERVING', 'away');
  await expect(simulate(() => Promise.reject(away))).rejects.toBe(away);
});
