import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Command } from 'commander';
import { type Context, openState } from '../../activities/context.ts';
import { watchSurface } from '../../activities/watch/record-look.ts';
import { logTraffic, registerTiny } from '../../activities/watch/testing.ts';
import { readLedger } from '../../stores/ledger.ts';
import { readEnvironment } from '../environment.ts';
import { writtenBy } from '../testing.ts';
import { alertsCommand } from './alerts-command.ts';
import { watchCommand } from './watch-command.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const hourMs = 3_600_000;
const end = Date.UTC(2026, 2, 2);
const nowMs = end + 6 * 60_000;

it('shows how signals stand, what is open, and lets it be silenced', { timeout: 90_000 }, async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-watch-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true }));
  const state = openState(stateDir);
  const surface = await registerTiny(state, { watch: { signals: ['slates', 'fallback'], weeks: 4 } });
  const of = { stateDir, surface, slatesAnHour: 20 };
  await logTraffic({ ...of, seed, fromMs: end - 5 * 168 * hourMs, toMs: end - 6 * hourMs });
  await logTraffic({ ...of, seed: seed + 1, fromMs: end - 6 * hourMs, toMs: end, broken: { fallbackShare: 0.9 } });
  const context = { env: readEnvironment({}), cwd: stateDir, now: () => nowMs };
  const run = (command: Command, ...args: string[]) => writtenBy(() => command.parseAsync([...args, '--state', stateDir], { from: 'user' }));
  const watch = (...args: string[]) => run(watchCommand(context), ...args);
  const alerts = (...args: string[]) => run(alertsCommand(context), ...args);

  expect(await alerts()).toContain('No alert is open');
  const shown = await watch(surface);
  expect(shown).toMatch(/slates +\d+ slates +\d+ slates +\d+ slates to \d+ slates +as expected/);
  expect(shown).toMatch(/fallback +popularity .* ALERT fallback-popularity-up-/);
  // It wrote nothing: the next one says the same.
  expect(await watch(surface)).toBe(shown);
  expect(await alerts(surface)).toContain('No alert is open');
  const look = await watchSurface({ state, now: () => nowMs, log: () => undefined } as unknown as Context, { surface, look: 'one' });
  const id = look.opened[0]?.alert ?? '';
  // As it was, out of the record.
  const recorded = await watch(surface);
  expect(recorded).toContain('It is on record');
  expect(recorded.split('\n').filter((line) => !line.startsWith('The hour'))).toEqual(
    shown.split('\n').filter((line) => !/^(The hour|Would open| {2}fallback)/.test(line)),
  );

  const listed = await alerts(surface);
  expect(listed).toContain(`${surface} ${id} (open)`);
  expect(listed).toMatch(/was {6}[▁-█·]{48}\n {2}expected [▁-█·]{48}\n/);
  expect(JSON.parse(await alerts('--json'))).toMatchObject([{ id, state: 'open', silence: null }]);
  await alerts('silence', id, '--by', 'sre', '--why', 'a load test', '--until', '4h');
  expect(await alerts()).toContain('silenced by sre until 2026-03-02 04:06: a load test');
  const decided = (await readLedger(state.generations, surface)).filter(({ action }) => action.startsWith('alert'));
  expect(decided.map(({ action, by }) => [action, by])).toEqual([
    ['alert-opened', 'watch'],
    ['alert-silenced', 'sre'],
  ]);
  expect(await alerts('show', `${surface}/${id}`, '--html', 'alert.html')).toContain(`looked into by root-cause/${surface}/${id}`);
  expect(await readFile(join(stateDir, 'alert.html'), 'utf8')).toMatch(/<svg[\s\S]*<polygon[\s\S]*a lower rung answered/);
  await expect(alerts('silence', id, '--by', 'sre', '--why', 'x', '--until', '2020-01-01T00:00:00Z')).rejects.toMatchObject({ code: 'UND-INPUT' });
  await expect(alerts('show', 'nothing')).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
  await expect(alerts('nowhere')).rejects.toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
});
