import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { startedAt } from './started-at.mjs';

/** @typedef {{ ok: boolean, code: number | null, output: string, timedOut: boolean, missing: boolean }} Outcome */

const keptCharacters = 200_000;

/** Process groups under way, ended when we are. @type {Set<number>} */
const running = new Set();

/** Ends what is still under way: an install that lost its parent must not go on writing. */
export function killRunning() {
  for (const pid of running) killGroup(pid, 'SIGTERM');
}

/**
 * Ends the command that a killed start left running: it would go on writing where the next one writes.
 * @param {string} childFile
 */
export function endOrphan(childFile) {
  try {
    const { pid, started } = JSON.parse(readFileSync(childFile, 'utf8'));
    if (started !== null && started === startedAt(pid)) killGroup(pid, 'SIGKILL');
  } catch {
    // None was left.
  }
  rmSync(childFile, { force: true });
}

/**
 * Runs a command in a process group of its own and keeps the end of what it said.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number, logFile?: string, childFile?: string, signal?: AbortSignal }} [options] `childFile` notes it for whoever comes after us, should we be killed
 * @returns {Promise<Outcome>}
 */
export function runCommand(command, args, { cwd, env = process.env, timeoutMs = 900_000, logFile, childFile, signal } = {}) {
  if (logFile !== undefined) mkdirSync(dirname(logFile), { recursive: true });
  const log = logFile === undefined ? undefined : createWriteStream(logFile, { flags: 'a' });
  log?.write(`\n$ ${command} ${args.join(' ')}\n`);
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const pid = child.pid ?? 0;
    if (pid > 0) running.add(pid);
    if (pid > 0 && childFile !== undefined) writeFileSync(childFile, JSON.stringify({ pid, started: startedAt(pid) }));
    let output = '';
    let timedOut = false;
    const stop = () => {
      timedOut = true;
      killGroup(pid, 'SIGTERM');
      setTimeout(() => killGroup(pid, 'SIGKILL'), 3_000).unref();
    };
    const timer = setTimeout(stop, timeoutMs);
    signal?.addEventListener('abort', stop, { once: true });
    const take = (/** @type {Buffer} */ chunk) => {
      log?.write(chunk);
      output = (output + chunk.toString('utf8')).slice(-keptCharacters);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const end = (/** @type {number | null} */ code, missing = false) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      running.delete(pid);
      if (childFile !== undefined) rmSync(childFile, { force: true });
      log?.end();
      resolve({ ok: code === 0 && !timedOut, code, output, timedOut, missing });
    };
    child.on('error', (error) => {
      output += String(error);
      end(null, true);
    });
    child.on('close', (code) => end(code));
  });
}

/** The last words of a command that failed, in one line. @param {Outcome} outcome */
export function lastWords(outcome) {
  if (outcome.missing) return 'not installed';
  const lines = outcome.output
    .trim()
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const telling = lines.filter((line) => /error|fail|refus|cannot|not found|denied|forbidden/i.test(line)).slice(-2);
  const words = (telling.length > 0 ? telling : lines.slice(-2)).join(' / ').slice(0, 300);
  return outcome.timedOut ? `gave up waiting${words === '' ? '' : ` (${words})`}` : words || `exit code ${outcome.code}`;
}

function killGroup(/** @type {number} */ pid, /** @type {NodeJS.Signals} */ signal) {
  if (!(pid > 1)) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It is gone.
  }
}
