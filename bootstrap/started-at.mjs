import { readFileSync } from 'node:fs';

/**
 * Start time of a process in clock ticks since boot where the system tells it (Linux), else null. With it a process id says for sure which process.
 * @param {number} pid
 * @returns {string | null}
 */
export function startedAt(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
