import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * One run of a writer, told apart from every other by its id: `<host>.<kernel>.<numbers>.<pid>.<start>.<count>` in base 36. Two runs never share a file, and
 * from the id alone another process can tell whether the run is over.
 */
export type Life = { readonly id: string; end(): void };

const short = (text: string, digits: number): string =>
  BigInt(`0x${createHash('sha256').update(text).digest('hex').slice(0, 10)}`)
    .toString(36)
    .padStart(digits, '0');
const tryRead = (read: () => string): string => {
  try {
    return read();
  } catch {
    return '';
  }
};

const host = short(hostname(), 8);
/** A boot of a machine and the process numbers that hold in it: containers have numbers of their own. */
const kernel = short(
  tryRead(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
  8,
);
const numbers = short(
  tryRead(() => readlinkSync('/proc/self/ns/pid')),
  8,
);
const self = { pid: process.pid.toString(36), start: startOf(process.pid) ?? Math.floor(Date.now() - process.uptime() * 1_000).toString(36) };
const living = new Set<string>();
let count = 0;

export function beginLife(): Life {
  count += 1;
  const id = [host, kernel, numbers, self.pid, self.start, count.toString(36)].join('.');
  living.add(id);
  return { id, end: () => void living.delete(id) };
}

/** Whether that run is over; undefined where it ran elsewhere and this process cannot know. */
export function isOver(id: string): boolean | undefined {
  if (living.has(id)) return false;
  const [itsHost, itsKernel, itsNumbers, pid = '', start] = id.split('.');
  if (itsHost !== host) return undefined;
  // The machine was started again since: nothing of before runs.
  if (itsKernel !== kernel) return true;
  if (itsNumbers !== numbers) return undefined;
  if (pid === self.pid && start === self.start) return true;
  const now = startOf(Number.parseInt(pid, 36));
  if (now !== undefined) return now !== start;
  return !runs(Number.parseInt(pid, 36));
}

/** When a process began, undefined where the system does not tell or it does not run. A number that is given again has another beginning. */
function startOf(pid: number): string | undefined {
  const stat = tryRead(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  // Behind the name, which may hold anything: the state, and as the 20th field from there the start in ticks since the boot.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (stat === '' || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return Number(fields[19]).toString(36);
}

export function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return startOf(pid) !== undefined || process.platform !== 'linux';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
