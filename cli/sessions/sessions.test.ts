import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { columnMapping } from '../../activities/events/column-mapping.ts';
import { ingestSource } from '../../activities/events/ingest-source.ts';
import { benchContext, openBench, quietBeat, testCharter } from '../../activities/events/testing.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import { digestBytes } from '../../models/contracts/digest.ts';
import { putDocument } from '../../stores/blobs.ts';
import { readEnvironment } from '../environment.ts';
import { sessionsCommand } from './command.ts';
import { durationMs, durationText } from './duration.ts';

/** A surface in Kolkata, whose charter is known, and `understudy sessions` on it. */
async function openSurface() {
  const { folder, close } = await openBench();
  onTestFinished(close);
  const root = join(folder, 'state');
  const context = benchContext(root);
  const { digest } = await registerCharter(context.state, testCharter({ timeZone: 'Asia/Kolkata' }), 1);
  const run = async (...args: string[]) => {
    const [stdout, stderr] = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, 'write').mockReturnValue(true));
    try {
      const command = sessionsCommand({ env: readEnvironment({}), cwd: folder, now: () => 1 });
      await command.exitOverride().parseAsync([...args, '--state', root], { from: 'user' });
      return (stdout?.mock.calls ?? []).map(([text]) => String(text)).join('');
    } finally {
      stdout?.mockRestore();
      stderr?.mockRestore();
    }
  };
  const ingest = async (name: string, rows: readonly string[]) => {
    const path = join(folder, name);
    const content = `user,session,item,kind,at,id\n${rows.join('\n')}\n`;
    await writeFile(path, content);
    const mapping = columnMapping({ user: 'user', session: 'session', item: 'item', kind: 'kind', at: 'at', eventId: 'id' });
    const source = { path, name, digest: digestBytes(content) };
    await ingestSource(
      context,
      { surface: 'home', charter: digest, mapping: await putDocument(context.state.blobs, mapping), source, endsAt: null },
      quietBeat,
    );
  };
  return { root, run, ingest };
}

// a: a purchase within a session, an hour's rest, a session over midnight of Kolkata (18:30 UTC). b: one event. Nobody knows the third.
const rows = [
  'a,x1,lamp,view,2026-03-02 10:00:00,e1',
  'a,x1,lamp,purchase,2026-03-02 10:10:00,e2',
  'a,x2,cup,view,2026-03-02 10:40:00,e3',
  'a,x3,cup,view,2026-03-02 23:50:00,e4',
  'a,x3,cup,click,2026-03-03 00:05:00,e5',
  'b,y1,cup,view,2026-03-02 11:00:00,e6',
  ',z1,cup,view,2026-03-02 12:00:00,e7',
  ',z1,jug,view,2026-03-02 12:01:00,e8',
];

describe('understudy sessions', () => {
  it('says what the sessions of the data are like', async () => {
    const { root, run, ingest } = await openSurface();
    await ingest('shop.csv', rows);
    expect(JSON.parse(await run('home', '--json'))).toEqual({
      surface: 'home',
      generation: 1,
      timeZone: 'Asia/Kolkata',
      rules: { gapMs: 1_800_000, maxMs: 14_400_000, boundaries: { midnight: false, kinds: [], clientSession: false } },
      events: 8,
      sessions: 4,
      users: 2,
      anonymous: 1,
      eventsPerSession: { median: 2, p90: 3, max: 3 },
      lengthMs: { median: 60_000, p90: 2_400_000, max: 2_400_000 },
      singleEvent: 0.25,
      sessionsPerUser: { mean: 1.5, median: 1, p90: 2, max: 2 },
      begunBy: { first: 3, gap: 1 },
      histogram: [
        { from: 1, to: 1, sessions: 1 },
        { from: 2, to: 2, sessions: 2 },
        { from: 3, to: 4, sessions: 1 },
      ],
    });
    expect(await run('home')).toMatch(
      /home, data generation 1: 8 events of 2 users and 1 sessions without one\ncut after 30 m without an event, beyond 4 h\n\n4 sessions, 1\.50 a user on average; 25\.0 % of them are of one event\n/,
    );
    expect(await readdir(join(root, 'run', 'scratch'))).toEqual([]);
  });

  it('tries other rules, and says how many sessions each of them began', async () => {
    const { run, ingest } = await openSurface();
    await ingest('shop.csv', rows);
    const begunBy = async (...args: string[]) => JSON.parse(await run('home', '--json', ...args)).begunBy;
    expect(await begunBy('--gap', '29m')).toEqual({ first: 3, gap: 2 });
    expect(await begunBy('--max', '30m')).toEqual({ first: 3, gap: 1, maximum: 1 });
    expect(await begunBy('--max', '40m')).toEqual({ first: 3, gap: 1 });
    expect(await begunBy('--boundary', 'purchase')).toEqual({ first: 3, gap: 1, kind: 1 });
    expect(await begunBy('--boundary', 'client-session')).toEqual({ first: 3, gap: 1, 'client-session': 1 });
    expect(await begunBy('--gap', '1d', '--max', '2d', '--boundary', 'midnight', '--boundary', 'purchase')).toEqual({ first: 3, kind: 1, midnight: 1 });
    const text = await run('home', '--boundary', 'midnight', '--boundary', 'purchase', '--boundary', 'click');
    expect(text).toContain('cut after 30 m without an event, beyond 4 h, at midnight in Asia/Kolkata, after purchase, after click');
    expect(text).toMatch(/an event that ended the one before +1 +16\.7 %/);
    expect(text).toMatch(/\n1 +4 +66\.7 % +#{40}\n2 +2 +33\.3 % +#{20}\n/);
  });

  it('counts an event once that came from two sources', async () => {
    const { run, ingest } = await openSurface();
    await ingest('shop.csv', rows);
    const before = JSON.parse(await run('home', '--json'));
    await ingest('again.csv', rows);
    expect(JSON.parse(await run('home', '--json'))).toEqual({ ...before, generation: 2 });
  });

  it('says what is missing, with a code', async () => {
    const { run } = await openSurface();
    await expect(run('home')).rejects.toMatchObject({ code: 'UND-NO-DATA' });
    await expect(run('elsewhere')).rejects.toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
  });

  it.each([
    ['--gap', '30'],
    ['--gap', '0m'],
    ['--gap', '30 m'],
    ['--max', '400d'],
    ['--boundary', 'noon'],
  ])('refuses %s %s', async (option, value) => {
    const { run } = await openSurface();
    await expect(run('home', option, value)).rejects.toThrow(/It must be/);
  });
});

it('times are written as they are read', () => {
  expect([durationMs('1h30m'), durationMs('250ms'), durationMs('366d')]).toEqual([5_400_000, 250, 366 * 86_400_000]);
  expect([0, 999, 61_500, 86_400_000, 90_061_000].map(durationText)).toEqual(['0', '999 ms', '1 m 1 s', '1 d', '1 d 1 h']);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 366 * 24 }), (hours) => {
      expect(durationMs(durationText(hours * 3_600_000).replaceAll(' ', ''))).toBe(hours * 3_600_000);
    }),
  );
});
