import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { benchContext } from '../../activities/events/testing.ts';
import { missDeadline } from '../../activities/escalation/take-step.ts';
import { openReport } from '../../activities/escalation/open-report.ts';
import { registerTiny } from '../../activities/watch/testing.ts';
import type { Report } from '../../models/contracts/escalation.ts';
import { latestReport } from '../../stores/reports.ts';
import { readEnvironment } from '../environment.ts';
import { writtenBy } from '../testing.ts';
import { escalationsCommand } from './command.ts';

const startMs = Date.UTC(2026, 2, 2, 9);
const minuteMs = 60_000;

it('files reports without any server, lists what waits for an answer, and shows one; erased, it says so', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-escalations-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true }));
  let nowMs = startMs;
  const context = benchContext(stateDir, { now: () => nowMs });
  const { state } = context;
  const surface = await registerTiny(state, { owners: ['ann'] });
  const command = { env: readEnvironment({}), cwd: stateDir, now: () => nowMs };
  const run = (...args: string[]) => writtenBy(() => escalationsCommand(command).parseAsync([...args, '--state', stateDir], { from: 'user' }));
  const file = async (...args: string[]) => (JSON.parse(await run('file', surface, '--by', 'kim', ...args, '--json')) as { id: string }).id;

  expect(await run()).toBe('No report waits for an answer.\n');
  const id = await file('--item', 'i001', '--kind', 'harmful', '--words', 'It bites.');
  const twin = await file('--item', 'i001', '--kind', 'harmful');
  const urgent = await file('--pattern', 'only one brand', '--kind', 'unfair', '--severity', 'critical');
  expect(await run(surface)).toBe('No report waits for an answer.\n3 more are filed and wait for a worker.\n');
  await expect(run('show', id)).rejects.toMatchObject({ code: 'UND-NO-REQUEST', message: expect.stringContaining('waits for a worker') });
  for (const one of [id, twin, urgent]) await openReport(context, { surface, id: one });
  const text = await run(surface);
  expect(text).toMatch(new RegExp(`${id} +tiny +item i001 +harmful +high +2 +ann +60 min +open\n`));
  expect(text).toMatch(new RegExp(`${urgent} +tiny +pattern +unfair +critical +1 +ann +15 min +open, not-blocked\n`));
  expect(text).not.toContain(twin);
  expect(await run(surface, '--only', 'duplicate')).toContain(twin);
  expect(JSON.parse(await run('--all', '--json')).reports).toHaveLength(3);
  expect(await run('show', urgent)).toMatch(
    /pattern, unfair, critical\n {2}"only one brand"\n {2}said by kim\nopen, ann's, due in 15 min.*\nnot-blocked: a pattern is no item/,
  );

  nowMs += 20 * minuteMs;
  await missDeadline(context, { surface, id: urgent, generation: 1 });
  nowMs += 300 * minuteMs;
  await missDeadline(context, { surface, id: urgent, generation: 2 });
  expect(await run(surface)).toMatch(new RegExp(`${urgent} .* OVERDUE +open, not-blocked\n`));
  const report = (await latestReport(state.generations, { surface, id })) as Report;
  await state.blobs.erase(report.text, 'er-000000000000000000000000');
  expect(await run('show', id)).toMatch(/harmful, high\n {2}[^"]*er-000000000000000000000000[^\n]*\nopen/);

  await expect(run('file', surface, '--by', 'kim', '--kind', 'other')).rejects.toMatchObject({ code: 'UND-INPUT' });
  await expect(run('file', surface, '--by', 'kim', '--kind', 'other', '--item', 'a', '--slate', 'b')).rejects.toMatchObject({ code: 'UND-INPUT' });
  await expect(run('file', 'nowhere', '--by', 'kim', '--kind', 'other', '--item', 'a')).rejects.toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
  await expect(run('nowhere')).rejects.toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
  await expect(run('show', 'r-1')).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
  await expect(run('resolve', id, '--by', 'ann', '--why', 'done')).rejects.toMatchObject({ code: 'UND-TEMPORAL' });
});
