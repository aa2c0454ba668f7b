import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type ProblemCode, UnderstudyError } from '../../models/contracts/problem.ts';
import { removePidFile, writePidFile } from './pid-file.ts';
import { isAlive, signalGroup, stopGroup } from './processes.ts';

/** How a child says that it is ready: by a line that it writes (the answer is its URL, or true), or by answering when asked. */
export type Ready = { line: (text: string) => string | true | undefined } | { probe: () => Promise<boolean> };

export type ChildOptions = {
  name: string;
  command: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  cwd?: string;
  /** What the child writes, both streams; appended to. */
  logFile: string;
  /** Where its pid file goes. */
  runDir: string;
  ready: Ready;
  readyMs?: number;
  /** Start it again when it ends by itself, with growing pauses. */
  restart?: boolean;
  /** Time to end in order before it is killed. */
  graceMs?: number;
  /** The code of the error when it does not become ready. */
  code?: ProblemCode;
  /** Told of each end that nobody asked for. */
  onExit?: (end: ChildEnd) => void;
};

export type ChildEnd = { name: string; code: number | null; signal: NodeJS.Signals | null; restarts: number };

export type Child = {
  name: string;
  /** Undefined while it is not running. */
  pid: () => number | undefined;
  /** Starts since the first that ended by themselves. */
  restarts: () => number;
  url: string | undefined;
  stop: () => Promise<void>;
  /** Without waiting: for the last moment of a supervisor. */
  kill: () => void;
};

const firstPauseMs = 250;
const longestPauseMs = 10_000;
/** A child that lived for this long starts with a short pause again. */
const settledMs = 30_000;
const largestLogBytes = 20_000_000;

/**
 * Starts a child in a process group of its own, so that a terminal's Ctrl-C reaches only its supervisor, and resolves when it is ready.
 * It writes to its log file directly, and outlives a supervisor that is killed; its pid file lets the next one find it.
 * @throws UnderstudyError with `code` when it ends or stays silent before it is ready, with its last lines
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, runDir, graceMs = 10_000, code = 'UND-INTERNAL' } = options;
  const stopping = new AbortController();
  let current = spawnOnce(options);
  let restarts = 0;
  let supervision = Promise.resolve();
  const stop = async () => {
    stopping.abort();
    const { pid } = current.process;
    if (pid !== undefined && isAlive(-pid)) await stopGroup(pid, { graceMs });
    await current.ended;
    await supervision;
    removePidFile({ runDir, name });
  };
  let url: string | undefined;
  try {
    url = await becomeReady(options, current);
  } catch (error) {
    await stop();
    throw new UnderstudyError(code, `${name} ${(error as Error).message}`, { cause: error });
  }
  supervision = supervise();

  async function supervise(): Promise<void> {
    for (let pauseMs = firstPauseMs; ; ) {
      const end = await current.ended;
      if (stopping.signal.aborted) return;
      // The leader may leave others of its group behind.
      signalGroup(end.pid, 'SIGKILL');
      options.onExit?.({ name, code: end.code, signal: end.signal, restarts });
      if (options.restart !== true) return;
      if (end.livedMs >= settledMs) pauseMs = firstPauseMs;
      await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      pauseMs = Math.min(2 * pauseMs, longestPauseMs);
      restarts += 1;
      current = spawnOnce(options);
    }
  }

  return {
    name,
    pid: () => (current.process.exitCode === null && current.process.signalCode === null ? current.process.pid : undefined),
    restarts: () => restarts,
    url,
    stop,
    kill: () => {
      stopping.abort();
      if (current.process.pid !== undefined) signalGroup(current.process.pid, 'SIGTERM');
    },
  };
}

type Spawned = {
  process: ChildProcess;
  logFrom: number;
  ended: Promise<{ pid: number; code: number | null; signal: NodeJS.Signals | null; livedMs: number; error?: Error }>;
};

function spawnOnce({ name, command, args, env, cwd, logFile, runDir }: ChildOptions): Spawned {
  const startedMs = performance.now();
  const log = openLog(logFile);
  const logFrom = fstatSync(log).size;
  const child = spawn(command, args, { env, cwd, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  const ended: Spawned['ended'] = new Promise((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null, error?: Error) =>
      resolve({ pid: child.pid ?? 0, code, signal, livedMs: performance.now() - startedMs, error });
    child.once('exit', (code, signal) => end(code, signal));
    child.once('error', (error) => end(null, null, error));
  });
  if (child.pid !== undefined) writePidFile({ runDir, name, pid: child.pid, args });
  return { process: child, logFrom, ended };
}

async function becomeReady({ ready, logFile, readyMs = 60_000 }: ChildOptions, { process: child, logFrom, ended }: Spawned): Promise<string | undefined> {
  const deadlineMs = performance.now() + readyMs;
  let over: Awaited<typeof ended> | undefined;
  void ended.then((end) => {
    over = end;
  });
  while (over === undefined) {
    if ('probe' in ready) {
      if ((await ready.probe().catch(() => false)) && over === undefined) return undefined;
    } else {
      for (const line of readLog(logFile, logFrom).split('\n')) {
        const said = ready.line(line);
        if (said !== undefined) return said === true ? undefined : said;
      }
    }
    if (performance.now() > deadlineMs)
      throw new Error(`was not ready after ${Math.round(readyMs / 1000)} s (process ${child.pid}); ${lastLines(logFile, logFrom)}`);
    await Promise.race([delay(50), ended]);
  }
  if (over.error !== undefined) throw new Error(`cannot be started: ${over.error.message}`);
  throw new Error(`ended before it was ready (${over.signal ?? `exit code ${over.code}`}); ${lastLines(logFile, logFrom)}`);
}

/** Appends; a log that has grown large makes way first. */
function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true });
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > largestLogBytes) renameSync(path, `${path}.old`);
  return openSync(path, 'a');
}

/** What was written since `from`, up to a megabyte. */
function readLog(path: string, from: number): string {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(Math.max(0, Math.min(fstatSync(file).size - from, 1_000_000)));
    return buffer.toString('utf8', 0, readSync(file, buffer, 0, buffer.length, from));
  } finally {
    closeSync(file);
  }
}

/** The lines that tell why, where there are such; the last ones otherwise. */
function lastLines(path: string, from: number): string {
  const lines = readLog(path, from)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const telling = lines.filter((line) => /error\b|UND-|fail|refused|denied|in use|no such|not found/i.test(line));
  const words = (telling.length > 0 ? telling : lines).slice(-3).join(' / ').slice(0, 600);
  return `${path}${words === '' ? ' is empty' : ` says: ${words}`}`;
}
