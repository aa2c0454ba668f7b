import { mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { building } from './building.mjs';
import { lastWords, runCommand } from './child.mjs';
import { pinnedNode } from './dependencies.mjs';
import { withLock } from './lock.mjs';
import { isExecutable, onPath } from './paths.mjs';
import { SetupError } from './problem.mjs';
import { remember, verdictOf } from './verified.mjs';

/** The last version that `go install` can build. */
const goVersion = 'v1.5.1';
const goPackage = `github.com/temporalio/cli/cmd/temporal@${goVersion}`;
/** A download that brings nothing for this long is given up. */
const stallMs = 20_000;
const downloadMs = 600_000;

const ways =
  'Set TEMPORAL_ADDRESS to a Temporal that runs, or put the `temporal` CLI (https://docs.temporal.io/cli) on PATH, or let this machine reach ' +
  `temporal.download, or install Go 1.23 or later so that \`go install ${goPackage}\` can build it.`;

const cachedPath = (/** @type {string} */ cache) => join(cache, 'temporal', 'temporal');

/** In the order of the search. @param {{ cache: string, env: NodeJS.ProcessEnv }} where */
function candidates({ cache, env }) {
  const named = env.UNDERSTUDY_TEMPORAL_CLI ? [env.UNDERSTUDY_TEMPORAL_CLI] : [];
  return [...named, ...onPath('temporal', env), cachedPath(cache)].filter(isExecutable);
}

/**
 * The `temporal` that would be used and was seen to answer, without asking again. Undefined when there is none, or one that was never asked.
 * @param {{ cache: string, env: NodeJS.ProcessEnv }} where
 * @returns {string | undefined}
 */
export function findTemporal({ cache, env }) {
  for (const path of candidates({ cache, env })) {
    const verdict = verdictOf(cache, path);
    if (verdict === undefined) return undefined;
    if (verdict === 'ok') return path;
  }
  return undefined;
}

/**
 * The path of a `temporal` that answers: PATH, our cache, the SDK's own download, `go install`.
 * @param {import('./dependencies.mjs').Setup & { dependencies: Promise<void> }} setup the SDK is there when `dependencies` are
 * @returns {Promise<string>}
 * @throws {SetupError} UND-TEMPORAL naming every way and why it did not do
 */
export async function ensureTemporal({ root, cache, env, progress, dependencies }) {
  const found = findTemporal({ cache, env });
  if (found !== undefined) return found;
  const task = progress.begin('Temporal', 'looking for it');
  /** @type {string[]} */
  const reasons = [];
  try {
    const path = await withLock({ path: join(cache, 'locks', 'temporal.lock'), note: task.note }, async (childFile) => {
      const present = await askAll({ cache, env, reasons });
      if (present !== undefined) return present;
      await dependencies;
      return (await download({ root, cache, env, task, reasons, childFile })) ?? (await build({ cache, env, task, reasons, childFile }));
    });
    if (path === undefined) throw new SetupError('UND-TEMPORAL', `Temporal cannot be had: ${reasons.join('; ')}.`, ways);
    task.done(`ready (${path})`);
    return path;
  } catch (error) {
    task.failed('cannot be had');
    throw error;
  }
}

/** @param {{ cache: string, env: NodeJS.ProcessEnv, reasons: string[] }} where */
async function askAll({ cache, env, reasons }) {
  for (const path of candidates({ cache, env })) {
    const verdict = await ask(path, env);
    remember(cache, path, verdict);
    if (verdict === 'ok') return path;
    reasons.push(`${path} does not do: ${verdict}`);
  }
  if (reasons.length === 0) reasons.push('no `temporal` is on PATH');
  return undefined;
}

/** @typedef {{ cache: string, env: NodeJS.ProcessEnv, task: import('./progress.mjs').Task, reasons: string[], childFile: string }} Attempt */

/** The SDK knows where its dev server comes from; we only give it a directory. @param {Attempt & { root: string }} attempt */
function download({ root, cache, env, task, reasons, childFile }) {
  task.note("download: by Temporal's SDK");
  return building(join(cache, 'temporal'), async (directory) => {
    const stalled = new AbortController();
    const stopWatching = watchGrowth({ directory, onGrowth: (bytes) => task.note(`download: ${(bytes / 1e6).toFixed(0)} MB`), onStall: () => stalled.abort() });
    try {
      const script = join(root, 'bootstrap', 'download-temporal.mjs');
      const logFile = join(cache, 'logs', 'temporal-download.log');
      const outcome = await runCommand(pinnedNode(root), [script, directory], { env, timeoutMs: downloadMs, logFile, childFile, signal: stalled.signal });
      const file = outcome.ok ? readdirSync(directory).find((name) => isExecutable(join(directory, name))) : undefined;
      if (file !== undefined) return await adopt({ cache, env, file: join(directory, file), reasons });
      reasons.push(`the SDK's download failed: ${lastWords(outcome)}`);
      return undefined;
    } finally {
      stopWatching();
    }
  });
}

/** @param {Attempt} attempt */
function build({ cache, env, task, reasons, childFile }) {
  task.note(`build: go install ${goVersion}, two to five minutes`);
  return building(join(cache, 'temporal'), async (directory) => {
    const logFile = join(cache, 'logs', 'temporal-go.log');
    const childEnv = { ...env, GOBIN: directory, CGO_ENABLED: '0', GOFLAGS: '' };
    const outcome = await runCommand('go', ['install', goPackage], { env: childEnv, timeoutMs: 1_800_000, logFile, childFile });
    if (outcome.ok) return await adopt({ cache, env, file: join(directory, 'temporal'), reasons });
    reasons.push(outcome.missing ? 'Go is not installed' : `go install failed: ${lastWords(outcome)} (${logFile})`);
    return undefined;
  });
}

/** Asked first, then moved to its place in one step. @param {{ cache: string, env: NodeJS.ProcessEnv, file: string, reasons: string[] }} found */
async function adopt({ cache, env, file, reasons }) {
  const verdict = await ask(file, env);
  if (verdict !== 'ok') {
    reasons.push(`what was fetched does not do: ${verdict}`);
    return undefined;
  }
  mkdirSync(join(cache, 'temporal'), { recursive: true });
  renameSync(file, cachedPath(cache));
  remember(cache, cachedPath(cache), 'ok');
  return cachedPath(cache);
}

/** It must name itself and know the dev server's options. @param {string} path @param {NodeJS.ProcessEnv} env @returns {Promise<string>} 'ok', or why not */
async function ask(path, env) {
  const version = await runCommand(path, ['--version'], { env, timeoutMs: 20_000 });
  if (!version.ok) return lastWords(version);
  if (!/temporal version/i.test(version.output)) return 'its --version names no temporal';
  const help = await runCommand(path, ['server', 'start-dev', '--help'], { env, timeoutMs: 20_000 });
  const knows = ['--db-filename', '--ui-port', '--search-attribute'].every((option) => help.output.includes(option));
  return knows ? 'ok' : 'its dev server lacks options that are needed; it is too old';
}

/** @param {{ directory: string, onGrowth: (bytes: number) => void, onStall: () => void }} options @returns {() => void} */
function watchGrowth({ directory, onGrowth, onStall }) {
  let grown = 0;
  let grownMs = performance.now();
  const timer = setInterval(() => {
    const bytes = sizeOf(directory);
    if (bytes > grown) {
      grown = bytes;
      grownMs = performance.now();
      onGrowth(bytes);
    } else if (performance.now() - grownMs > stallMs) onStall();
  }, 500);
  return () => clearInterval(timer);
}

function sizeOf(/** @type {string} */ directory) {
  try {
    return readdirSync(directory).reduce((bytes, name) => bytes + statSync(join(directory, name)).size, 0);
  } catch {
    return 0;
  }
}
