import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { building } from './building.mjs';
import { lastWords, runCommand } from './child.mjs';
import { withLock } from './lock.mjs';
import { isExecutable, onPath } from './paths.mjs';
import { SetupError } from './problem.mjs';

/** onnx and numpy make and check models of one's own, in the tests and in examples/bring-your-own. */
const requirements = ['mlflow==3.17.0', 'onnx>=1.17,<2', 'numpy>=2,<3'];
const check = 'import mlflow, mlflow.server.fastapi_app, onnx, numpy; print("mlflow", mlflow.__version__)';
const installMs = 1_800_000;

const ways =
  'Set MLFLOW_TRACKING_URI to an MLflow server that runs, or install Python 3.10 or later with venv and pip (Debian: apt install python3-venv), ' +
  'or install uv (https://docs.astral.sh/uv), and let pip or uv reach a package index (PIP_INDEX_URL, UV_DEFAULT_INDEX).';

const home = (/** @type {string} */ cache) => join(cache, 'mlflow', `venv-${createHash('sha256').update(requirements.join('\n')).digest('hex').slice(0, 12)}`);
const pythonIn = (/** @type {string} */ directory) => join(directory, 'bin', 'python');
const stampIn = (/** @type {string} */ directory) => join(directory, '.understudy-verified');

/**
 * A Python that has MLflow and was seen to import it. The stamp is written before the environment is moved to its place.
 * @param {{ cache: string, env: NodeJS.ProcessEnv }} where
 * @returns {string | undefined}
 */
export function findMlflow({ cache, env }) {
  if (env.UNDERSTUDY_MLFLOW_PYTHON && isExecutable(env.UNDERSTUDY_MLFLOW_PYTHON)) return env.UNDERSTUDY_MLFLOW_PYTHON;
  return stamped(cache) && isExecutable(pythonIn(home(cache))) ? pythonIn(home(cache)) : undefined;
}

/**
 * The Python of a virtual environment that has MLflow, made where there is none: by uv when it is there or can be had, else by pip.
 * @param {import('./dependencies.mjs').Setup} setup
 * @returns {Promise<string>}
 * @throws {SetupError} UND-MLFLOW naming every way and why it did not do
 */
export async function ensureMlflow({ cache, env, progress }) {
  const found = findMlflow({ cache, env });
  if (found !== undefined) return found;
  const task = progress.begin('MLflow', 'looking for Python');
  /** @type {string[]} */
  const reasons = [];
  try {
    const path = await withLock(
      { path: join(cache, 'locks', 'mlflow.lock'), note: task.note },
      async (childFile) => findMlflow({ cache, env }) ?? (await make({ cache, env, task, reasons, childFile })),
    );
    if (path === undefined) throw new SetupError('UND-MLFLOW', `MLflow cannot be had: ${reasons.join('; ')}.`, ways);
    task.done(`ready (${path})`);
    return path;
  } catch (error) {
    task.failed('cannot be had');
    throw error;
  }
}

/** @typedef {{ cache: string, env: NodeJS.ProcessEnv, task: import('./progress.mjs').Task, reasons: string[], childFile: string }} Attempt */

/** @param {Attempt} attempt */
function make({ cache, env, task, reasons, childFile }) {
  return building(join(cache, 'mlflow'), async (directory) => {
    const logFile = join(cache, 'logs', 'mlflow.log');
    const run = (/** @type {string} */ command, /** @type {string[]} */ args) =>
      runCommand(command, args, { env: withoutVenv(env), timeoutMs: installMs, logFile, childFile });
    const uvOnPath = onPath('uv', env)[0];
    const python = await findPython(env);
    if (python === undefined) reasons.push('no Python 3.10 or later is on PATH');
    if (!(await makeVenv({ directory, python, uv: uvOnPath, run, task, reasons }))) return undefined;
    const uv = uvOnPath ?? (await installUv({ directory, run, task }));
    if (!(await install({ directory, uv, run, task, reasons }))) return undefined;
    task.note('check: importing it once');
    // Imported with its byte code kept, so that every start of the server is a fast one.
    const imported = await runCommand(pythonIn(directory), ['-c', check], {
      env: { ...withoutVenv(env), PYTHONDONTWRITEBYTECODE: '' },
      timeoutMs: 300_000,
      logFile,
    });
    if (!imported.ok) {
      reasons.push(`it was installed but does not import: ${lastWords(imported)}`);
      return undefined;
    }
    writeFileSync(stampIn(directory), `${imported.output.trim()}\n`);
    rmSync(home(cache), { recursive: true, force: true });
    renameSync(directory, home(cache));
    return pythonIn(home(cache));
  });
}

/** @typedef {(command: string, args: string[]) => Promise<import('./child.mjs').Outcome>} Run */

/**
 * By Python's own venv, which brings pip along; by uv where Python lacks it, or where there is no Python (uv then fetches one).
 * @param {{ directory: string, python: string | undefined, uv: string | undefined, run: Run, task: import('./progress.mjs').Task, reasons: string[] }} options
 */
async function makeVenv({ directory, python, uv, run, task, reasons }) {
  task.note('venv: making a virtual environment');
  if (python !== undefined) {
    const made = await run(python, ['-m', 'venv', '--clear', directory]);
    if (made.ok) return true;
    reasons.push(`${python} -m venv failed: ${lastWords(made)}`);
  }
  if (uv === undefined) {
    reasons.push('uv is not on PATH');
    return false;
  }
  const made = await run(uv, ['venv', '--seed', '--clear', '--python', python ?? '3.12', directory]);
  if (!made.ok) reasons.push(`uv venv failed: ${lastWords(made)}`);
  return made.ok;
}

/** uv is several times faster than pip; without it pip does as well. @param {{ directory: string, run: Run, task: import('./progress.mjs').Task }} options */
async function installUv({ directory, run, task }) {
  task.note('uv: installing it, because it is faster than pip');
  const outcome = await run(pythonIn(directory), ['-m', 'pip', 'install', '--quiet', 'uv']);
  return outcome.ok ? join(directory, 'bin', 'uv') : undefined;
}

/** @param {{ directory: string, uv: string | undefined, run: Run, task: import('./progress.mjs').Task, reasons: string[] }} options */
async function install({ directory, uv, run, task, reasons }) {
  if (uv !== undefined) {
    task.note('install: mlflow by uv, 850 MB, about a minute');
    const byUv = await run(uv, ['pip', 'install', '--python', pythonIn(directory), ...requirements]);
    if (byUv.ok) return true;
    reasons.push(`uv pip install failed: ${lastWords(byUv)}`);
  }
  task.note('install: mlflow by pip, 850 MB, several minutes');
  const byPip = await run(pythonIn(directory), ['-m', 'pip', 'install', '--disable-pip-version-check', ...requirements]);
  if (!byPip.ok) reasons.push(`pip install failed: ${lastWords(byPip)}`);
  return byPip.ok;
}

/** The first Python that is new enough; those newer than packages are built for come last. @param {NodeJS.ProcessEnv} env */
export async function findPython(env) {
  /** @type {string | undefined} */
  let newest;
  for (const name of ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python']) {
    for (const path of onPath(name, env)) {
      const answer = await runCommand(path, ['-c', 'import sys; print(sys.version_info[1] if sys.version_info[0] == 3 else 0)'], { env, timeoutMs: 20_000 });
      const minor = answer.ok ? Number(answer.output.trim()) : 0;
      if (minor >= 10 && minor < 14) return path;
      if (minor >= 14) newest ??= path;
    }
  }
  return newest;
}

/** An environment that is active in the user's shell is not ours. @param {NodeJS.ProcessEnv} env */
function withoutVenv(env) {
  const { VIRTUAL_ENV: _venv, PYTHONHOME: _home, PYTHONPATH: _path, ...rest } = env;
  return rest;
}

function stamped(/** @type {string} */ cache) {
  try {
    return readFileSync(stampIn(home(cache)), 'utf8').includes('mlflow');
  } catch {
    return false;
  }
}
