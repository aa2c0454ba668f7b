import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openDrift } from '../../activities/drift/testing.ts';
import type { DriftReport } from '../../models/contracts/drift.ts';
import { isWellFormed } from '../../experiments/pictures/testing.ts';
import { driftPicture } from '../../experiments/drift/drift-picture.ts';
import { readEnvironment } from '../environment.ts';
import { driftCommand } from './command.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
let world: Awaited<ReturnType<typeof openDrift>>;
beforeAll(async () => {
  world = await openDrift({ seed, moves: true });
}, 120_000);
afterAll(() => world.close());

async function drift(...args: string[]): Promise<string> {
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    const command = driftCommand({ env: readEnvironment({}), cwd: world.state.root, now: () => 1_000 });
    await command.exitOverride().parseAsync(['home', '--state', world.state.root, ...args], { from: 'user' });
    return written.mock.calls.map(([part]) => String(part)).join('');
  } finally {
    vi.restoreAllMocks();
  }
}

it('tells what moved between the champion and the one before, and the newest weeks and those before', { timeout: 120_000 }, async () => {
  // Nothing serves yet.
  const early = JSON.parse(await drift('--json')) as DriftReport;
  expect(early).toMatchObject({ kind: 'drift', generation: 1, models: null, days: { to: { to: '2026-02-15' } } });
  await world.serve(world.newer, world.older);
  const report = JSON.parse(await drift('--retrain', '3', '--json', '--html', 'drift.html')) as DriftReport;
  expect(report).toMatchObject({ generation: 2, models: { retrainings: 3, from: { artifact: world.older }, to: { artifact: world.newer } } });
  expect(report.answers.filter(({ moved }) => moved).map(({ what }) => what)).toEqual(expect.arrayContaining(['features', 'label-rate']));
  const page = await readFile(join(world.state.root, 'drift.html'), 'utf8');
  expect(page).toContain('label-rate');
  expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
  const svg = driftPicture(report);
  expect(isWellFormed(svg)).toBe(true);
  expect(page).toContain(svg);
  // The bars of what was asked, of ten items and of the segments.
  expect(svg.match(/<rect x=/g)).toHaveLength(report.answers.length + 10 + report.segments.length);

  const text = await drift();
  expect(text).toMatch(/^home, drift 3: .*label-rate.* moved/);
  expect(text).toContain('60 items in common, 3 retrainings of the older');
  expect(text).toMatch(/hats +15 +\d/);
  // Days that the older model was not trained on.
  expect(text).toMatch(/user-vectors .*where the model puts users of 2026-02-02 to 2026-02-08 and of 2026-02-09 to 2026-02-15/);
});

it('takes days by name, and refuses what cannot be compared', async () => {
  const [from, to] = ['2026-01-05..2026-01-11', '2026-01-12..2026-01-18'];
  expect(JSON.parse(await drift('--from', from, '--to', to, '--json'))).toMatchObject({ days: { from: { from: '2026-01-05' }, to: { to: '2026-01-18' } } });
  await expect(drift('--from', from)).rejects.toMatchObject({ code: 'UND-INPUT' });
  await expect(drift('--from', from, '--to', '2026-01-12..2026-01-20')).rejects.toMatchObject({
    code: 'UND-INPUT',
    message: expect.stringContaining('7 and 9 days'),
  });
  await expect(drift('--retrain', '1')).rejects.toMatchObject({ code: 'UND-INPUT' });
  await expect(drift('--from', 'retrain/home/0123456789ab/0123456789ab')).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
  await expect(drift('--from', 'last week')).rejects.toMatchObject({ code: 'commander.invalidArgument' });
  await expect(drift('--from', '2026-02-30..2026-03-01')).rejects.toMatchObject({ code: 'commander.invalidArgument' });
  const elsewhere = driftCommand({ env: readEnvironment({}), cwd: world.state.root, now: () => 1 });
  await expect(elsewhere.parseAsync(['elsewhere', '--state', world.state.root], { from: 'user' })).rejects.toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
});
