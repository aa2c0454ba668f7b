import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openState, readCharter } from '../../activities/context.ts';
import { currentCharter, registerCharter } from '../../activities/registry/charters.ts';
import { makeTinySurface } from '../../test/tiny-surface/make-tiny-surface.ts';
import { readEnvironment } from '../environment.ts';
import { loadSurfaceConfig } from '../surface-config.ts';
import { retrainCommand } from './retrain.ts';

/** A state directory that holds the charter `before`, a file that holds `now`, and the command with no Temporal anywhere. */
async function edited({ before, now }: { before: Record<string, unknown>; now: Record<string, unknown> }) {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-retrain-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const stateDir = join(folder, 'state');
  const state = openState(stateDir);
  const old = await makeTinySurface({ folder: join(folder, 'old'), seed: 1, people: 12, charter: before });
  const fresh = await makeTinySurface({ folder: join(folder, 'new'), seed: 1, people: 12, charter: now });
  const { input } = await loadSurfaceConfig(old.config);
  await registerCharter(state, input, Date.now());
  const command = { env: readEnvironment({}), cwd: folder, now: Date.now };
  const retrain = (...args: string[]) =>
    retrainCommand(command)
      .exitOverride()
      .configureOutput({ writeErr: () => undefined })
      .parseAsync(['tiny', '--state', stateDir, ...args], { from: 'user' });
  const title = async () => (await readCharter(state.blobs, await currentCharter(state, 'tiny'))).title;
  return { stateDir, retrain, title, file: fresh.config };
}

it('takes over an edited charter before it does anything else', async () => {
  const { retrain, title, file } = await edited({ before: { title: 'before' }, now: { title: 'edited' } });
  await expect(retrain()).rejects.toMatchObject({ code: 'UND-TEMPORAL' });
  expect(await title()).toBe('before');
  await expect(retrain('--config', file)).rejects.toMatchObject({ code: 'UND-TEMPORAL' });
  expect(await title()).toBe('edited');
});

it("takes over no other surface's charter, none with mistakes and none that is not there", async () => {
  const other = await edited({ before: { title: 'before' }, now: { surface: 'other' } });
  await expect(other.retrain('--config', other.file)).rejects.toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining('of other, not of tiny') });
  await expect(access(join(other.stateDir, 'series', 'charter', 'other'))).rejects.toMatchObject({ code: 'ENOENT' });
  const wrong = await edited({ before: { title: 'before' }, now: { title: 'edited', bootstrap: 'nobody' } });
  await expect(wrong.retrain('--config', wrong.file)).rejects.toMatchObject({ code: 'UND-CHARTER', mistakes: [{ path: '/bootstrap' }] });
  await expect(wrong.retrain('--config', 'nowhere.ts')).rejects.toMatchObject({ code: 'UND-FILE' });
  expect(await wrong.title()).toBe('before');
});

it('takes names for names', async () => {
  const { retrain } = await edited({ before: {}, now: {} });
  for (const args of [
    ['--candidate', '--state'],
    ['--name', 'A B'],
    ['--guest', ''],
  ])
    await expect(retrain(...args), args.join(' ')).rejects.toMatchObject({ code: 'commander.invalidArgument' });
  await expect(retrain('--schedule', '0 4 * * *', '--unschedule')).rejects.toMatchObject({ code: 'UND-INPUT' });
});
