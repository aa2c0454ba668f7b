/**
 * Every command starts here, on any Node from 20 on and without a single dependency: sets up what is missing, then runs the command
 * under the pinned Node. `node bootstrap/run.mjs COMMAND` is `understudy COMMAND`; --test, --check, --bench and --format are npm's scripts.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { killRunning } from './child.mjs';
import { checkNode, ensureDependencies, pinnedNode } from './dependencies.mjs';
import { ensureMlflow, findMlflow } from './mlflow.mjs';
import { cacheDirectory, root } from './paths.mjs';
import { planOf, withOwnPrograms, withoutOwnPrograms } from './plan.mjs';
import { reportProblem } from './problem.mjs';
import { Progress } from './progress.mjs';
import { ensureTemporal, findTemporal } from './temporal.mjs';

/** @typedef {import('./plan.mjs').Plan} Plan */

/** @param {Plan} plan @param {Progress} progress @returns {Promise<NodeJS.ProcessEnv>} the environment for the command */
async function setUp(plan, progress) {
  const setup = { root, cache: cacheDirectory(plan.env), env: withoutOwnPrograms(root, plan.env), progress };
  const dependencies = ensureDependencies(setup);
  const { temporal, mlflow } = await settle({
    dependencies,
    temporal: wants(plan, 'TEMPORAL_ADDRESS') ? ensureTemporal({ ...setup, dependencies }) : plan.servers === 'report' ? findTemporal(setup) : undefined,
    mlflow: wants(plan, 'MLFLOW_TRACKING_URI') ? ensureMlflow(setup) : plan.servers === 'report' ? findMlflow(setup) : undefined,
  });
  const found = { UNDERSTUDY_TEMPORAL_CLI: temporal, UNDERSTUDY_MLFLOW_PYTHON: mlflow };
  // Every process of ours reads the same few hundred modules: compiled once, each starts in half the time.
  const compiled = { NODE_COMPILE_CACHE: plan.env.NODE_COMPILE_CACHE ?? join(setup.cache, 'compiled') };
  return { ...compiled, ...withOwnPrograms(root, plan.env), ...Object.fromEntries(Object.entries(found).filter(([, path]) => path !== undefined)) };
}

const wants = (/** @type {Plan} */ plan, /** @type {string} */ elsewhere) =>
  plan.servers === 'all' || (plan.servers === 'unless-elsewhere' && !plan.env[elsewhere]);

/**
 * Waits for all, so that one that fails does not cut short what the others have nearly fetched; then throws the first failure.
 * @param {{ dependencies: Promise<void>, temporal: Promise<string> | string | undefined, mlflow: Promise<string> | string | undefined }} work
 */
async function settle({ dependencies, temporal, mlflow }) {
  const [installed, temporalOutcome, mlflowOutcome] = await Promise.allSettled([dependencies, temporal, mlflow]);
  if (installed.status === 'rejected') throw installed.reason;
  if (temporalOutcome.status === 'rejected') throw temporalOutcome.reason;
  if (mlflowOutcome.status === 'rejected') throw mlflowOutcome.reason;
  return { temporal: temporalOutcome.value, mlflow: mlflowOutcome.value };
}

/** Runs the command in our place: its signals, its streams, its exit code. @param {Plan} plan @param {NodeJS.ProcessEnv} env @returns {Promise<number>} */
function runInstead(plan, env) {
  const child = spawn(pinnedNode(root), plan.command, { cwd: plan.cwd, env, stdio: 'inherit' });
  // A terminal's Ctrl-C reaches the child by itself; a second one would cut its orderly stop short.
  const byTerminal = Boolean(process.stdin.isTTY);
  process.on('SIGINT', () => void (byTerminal || child.kill('SIGINT')));
  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP'])) process.on(signal, () => void child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));
  });
}

/** @param {readonly string[]} args @returns {Promise<number>} the exit code */
async function main(args) {
  const progress = new Progress();
  const interrupted = (/** @type {NodeJS.Signals} */ signal) => {
    killRunning();
    progress.stop();
    process.exit(128 + constants.signals[signal]);
  };
  const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
  try {
    checkNode();
    const plan = planOf({ root, args, env: process.env, cwd: process.cwd() });
    for (const signal of signals) process.on(signal, interrupted);
    const env = await setUp(plan, progress);
    for (const signal of signals) process.off(signal, interrupted);
    progress.stop();
    return await runInstead(plan, env);
  } catch (error) {
    progress.stop();
    return reportProblem(error, { json: args.includes('--json') });
  }
}

process.exitCode = await main(process.argv.slice(2));
