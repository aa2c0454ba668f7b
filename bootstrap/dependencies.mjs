import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastWords, runCommand } from './child.mjs';
import { withLock } from './lock.mjs';
import { SetupError } from './problem.mjs';

/** @typedef {{ root: string, cache: string, env: NodeJS.ProcessEnv, progress: import('./progress.mjs').Progress }} Setup */

const oldestNode = 20;
/** The pinned Node of the lockfile, which runs TypeScript as it is. */
export const pinnedNode = (/** @type {string} */ root) => join(root, 'node_modules', '.bin', 'node');

/** @throws {SetupError} when the Node that runs this is too old to set anything up. */
export function checkNode(version = process.versions.node) {
  if (Number(version.split('.')[0]) >= oldestNode) return;
  throw new SetupError('UND-SETUP', `Node ${version} runs this, and ${oldestNode} or later is needed`, 'Install Node 20 or later with npm, and start again.');
}

/** @param {string} root */
export function dependenciesReady(root) {
  try {
    return readFileSync(stampPath(root), 'utf8') === stampOf(root) && existsSync(pinnedNode(root));
  } catch {
    return false;
  }
}

/**
 * `npm ci` when node_modules is not what the lockfile says. npm empties node_modules first and the stamp is written last, so an
 * interrupted install is seen and done again.
 * @param {Setup} setup
 */
export async function ensureDependencies({ root, cache, env, progress }) {
  if (dependenciesReady(root)) return;
  const task = progress.begin('npm', 'installing what package-lock.json names');
  const name = createHash('sha256').update(root).digest('hex').slice(0, 16);
  try {
    await withLock({ path: join(cache, 'locks', `npm-${name}.lock`), note: task.note }, async (childFile) => {
      if (dependenciesReady(root)) return;
      // A tool for GPUs downloads at install otherwise; nothing here needs it.
      const childEnv = { ...env, ONNXRUNTIME_NODE_INSTALL: 'skip' };
      const logFile = join(cache, 'logs', 'npm.log');
      const outcome = await runCommand('npm', ['ci', '--no-audit', '--no-fund', '--foreground-scripts', '--loglevel=warn'], {
        cwd: root,
        env: childEnv,
        logFile,
        childFile,
      });
      if (outcome.missing) throw new SetupError('UND-SETUP', 'npm is not installed', 'Install Node 20 or later together with npm.');
      if (!outcome.ok) throw new SetupError('UND-SETUP', `npm ci failed: ${lastWords(outcome)}`, `Look at ${logFile}; npm needs its package registry.`);
      await checkPinnedNode({ root, env: childEnv, logFile });
      writeFileSync(stampPath(root), stampOf(root));
    });
    task.done('ready');
  } catch (error) {
    task.failed('failed');
    throw error;
  }
}

/** An npm that asks before it runs install scripts leaves the pinned Node out. */
async function checkPinnedNode(/** @type {{ root: string, env: NodeJS.ProcessEnv, logFile: string }} */ { root, env, logFile }) {
  const answers = async () => (await runCommand(pinnedNode(root), ['--version'], { timeoutMs: 20_000 })).output.trim();
  if (/^v\d+\./.test(await answers())) return;
  await runCommand('npm', ['rebuild', 'node', '--foreground-scripts', '--ignore-scripts=false'], { cwd: root, env, logFile });
  if (/^v\d+\./.test(await answers())) return;
  throw new SetupError(
    'UND-SETUP',
    'the pinned Node of the lockfile does not run',
    'Let npm run install scripts (`npm config get ignore-scripts` must say false), remove node_modules and start again.',
  );
}

const stampPath = (/** @type {string} */ root) => join(root, 'node_modules', '.understudy-stamp');

function stampOf(/** @type {string} */ root) {
  const digest = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  return `${digest} ${process.platform} ${process.arch}\n`;
}
