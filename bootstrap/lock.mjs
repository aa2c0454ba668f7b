import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endOrphan } from './child.mjs';
import { startedAt } from './started-at.mjs';

/**
 * One at a time among processes: holds `path` while `work` runs. The lock of a process that died is taken over, and the command that it
 * left running is ended: `work` is given the file in which commands under this lock are noted.
 * @template T
 * @param {{ path: string, note?: (text: string) => void }} options
 * @param {(childFile: string) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock({ path, note = () => {} }, work) {
  mkdirSync(dirname(path), { recursive: true });
  const mine = JSON.stringify({ pid: process.pid, started: startedAt(process.pid) });
  while (!create(path, mine)) {
    const holder = read(path);
    if (holder === undefined) continue;
    if (lives(holder)) {
      note(`process ${pidOf(holder)} is at it; waiting`);
      await delay(250);
    } else {
      breakLock(path, holder);
    }
  }
  try {
    const childFile = `${path}.child`;
    endOrphan(childFile);
    return await work(childFile);
  } finally {
    if (read(path) === mine) rmSync(path, { force: true });
  }
}

/** The lock comes into being whole: written aside, then linked, which fails where there is one. */
function create(/** @type {string} */ path, /** @type {string} */ text) {
  const aside = `${path}.${process.pid}`;
  writeFileSync(aside, text);
  try {
    linkSync(aside, path);
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Two that break the same lock: the second may have moved the first one's new lock aside, and puts it back. */
function breakLock(/** @type {string} */ path, /** @type {string} */ stale) {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
    if (read(aside) !== stale) linkSync(aside, path);
  } catch {
    // Somebody else was faster.
  }
  rmSync(aside, { force: true });
}

function read(/** @type {string} */ path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function pidOf(/** @type {string} */ text) {
  try {
    return Number(JSON.parse(text).pid);
  } catch {
    return 0;
  }
}

function lives(/** @type {string} */ text) {
  const pid = pidOf(text);
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
  // A pid is used again; the time the process started is not.
  return JSON.parse(text).started === startedAt(pid);
}
