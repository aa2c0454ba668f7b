import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Whether a process, or with a negative id any process of a group, is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** A child that nobody has waited for is dead all the same. */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) === 'Z';
  } catch {
    return false;
  }
}

/** The arguments that a process was started with, as the system tells them; undefined when it is gone. */
export function commandLineOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
  } catch {
    // No /proc here: ask ps.
  }
  try {
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  // -0 would be our own group, -1 everything there is.
  if (!(pid > 1)) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It is gone.
  }
}

/** Waits until a condition holds, looking every `everyMs`; false when it did not within `withinMs`. */
export async function until(holds: () => boolean, { withinMs, everyMs = 20 }: { withinMs: number; everyMs?: number }): Promise<boolean> {
  const deadlineMs = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() >= deadlineMs) return false;
    await delay(everyMs);
  }
  return true;
}

/** Asks a process group to end, and ends it when `graceMs` have passed. */
export async function stopGroup(pid: number, { graceMs }: { graceMs: number }): Promise<void> {
  signalGroup(pid, 'SIGTERM');
  if (await until(() => !isAlive(-pid), { withinMs: graceMs })) return;
  signalGroup(pid, 'SIGKILL');
  // Where nobody waits for orphans, they stay as zombies: no use in waiting for those.
  await until(() => !isAlive(-pid), { withinMs: 2_000 });
}
