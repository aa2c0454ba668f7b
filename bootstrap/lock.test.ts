import { spawn } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isAlive } from '../cli/system/processes.ts';
import { withLock } from './lock.mjs';
import { startedAt } from './started-at.mjs';
import { bareMachine } from './testing.ts';

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await new Promise((resolve) => child.once('exit', resolve));
  return child.pid ?? 0;
}

describe('the lock of an install', () => {
  it('lets one at a time do its work, and leaves nothing', async () => {
    const path = join(bareMachine().cache, 'a.lock');
    let inside = 0;
    let most = 0;
    const work = () =>
      withLock({ path }, async () => {
        inside += 1;
        most = Math.max(most, inside);
        await delay(5);
        inside -= 1;
      });
    await Promise.all([work(), work(), work()]);
    expect(most).toBe(1);
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it('waits for a holder that lives, and says so', async () => {
    const path = join(bareMachine().cache, 'a.lock');
    const notes: string[] = [];
    let release = () => {};
    const first = withLock(
      { path },
      () =>
        new Promise<void>((resolve) => {
          release = resolve;
        }),
    );
    const second = withLock(
      {
        path,
        note: (text: string) => {
          notes.push(text);
          release();
        },
      },
      async () => 'second',
    );
    expect(await second).toBe('second');
    await first;
    expect(notes[0]).toContain(`process ${process.pid} is at it`);
  });

  it.each([
    ['of a process that died', async () => JSON.stringify({ pid: await deadPid(), started: '1' })],
    ['whose process id another process has by now', async () => JSON.stringify({ pid: process.pid, started: '1' })],
    ['that was cut short', async () => '{"pid":'],
    ['that is empty', async () => ''],
  ])('takes over a lock %s', async (_what, text) => {
    // Only Linux tells when a process started.
    if (startedAt(process.pid) === null && _what.includes('by now')) return;
    const path = join(bareMachine().cache, 'a.lock');
    writeFileSync(path, await text());
    expect(await withLock({ path }, async () => 'done')).toBe('done');
    expect(existsSync(path)).toBe(false);
  });

  it('ends the command that a killed start left running under it, and no other', async () => {
    const path = join(bareMachine().cache, 'a.lock');
    const [left, other] = [0, 1].map(() => spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true }));
    onTestFinished(() => void [left, other].map((child) => child?.kill('SIGKILL')));
    const pids = [left?.pid ?? 0, other?.pid ?? 0];
    const note = (pid: number, started: string | null) => writeFileSync(`${path}.child`, JSON.stringify({ pid, started }));
    note(pids[1] ?? 0, '1');
    await withLock({ path }, async () => undefined);
    note(pids[0] ?? 0, startedAt(pids[0] ?? 0));
    await withLock({ path }, async () => undefined);
    await expect.poll(() => isAlive(pids[0] ?? 0), { timeout: 5_000 }).toBe(startedAt(process.pid) === null);
    expect(isAlive(pids[1] ?? 0)).toBe(true);
    expect(existsSync(`${path}.child`)).toBe(false);
  });

  it('is given back when the work fails', async () => {
    const path = join(bareMachine().cache, 'a.lock');
    await expect(withLock({ path }, async () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(existsSync(path)).toBe(false);
  });
});
