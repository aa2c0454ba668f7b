import { delimiter, join } from 'node:path';

/**
 * What a start needs and what it then runs, under the pinned Node.
 *
 * @typedef {{
 *   servers: 'all' | 'unless-elsewhere' | 'report' | 'none',
 *   command: string[],
 *   cwd: string,
 *   env: NodeJS.ProcessEnv,
 * }} Plan `servers`: had in any case; had unless TEMPORAL_ADDRESS or MLFLOW_TRACKING_URI name one; looked for but not fetched; not needed
 */

/**
 * @param {{ root: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd: string }} start
 * @returns {Plan}
 */
export function planOf({ root, args, env, cwd }) {
  const [first = '--help', ...rest] = args;
  const userCwd = whereTheUserStands({ root, env, cwd });
  const common = { ...env, UNDERSTUDY_CWD: userCwd };
  // Tests and measurements use servers of their own, never someone's cluster that the environment happens to name.
  const { TEMPORAL_ADDRESS: _temporal, MLFLOW_TRACKING_URI: _mlflow, ...own } = common;
  const inRoot = (/** @type {string[]} */ ...command) => ({ command, cwd: root });
  if (first === '--test') return { servers: 'all', ...inRoot(join('node_modules', 'vitest', 'vitest.mjs'), 'run', ...rest), env: own };
  if (first === '--bench') return { servers: 'all', ...inRoot(join('bench', 'main.ts'), ...rest), env: own };
  if (first === '--study') return { servers: 'none', ...inRoot(join('bench', 'study.ts'), ...rest), env: own };
  if (first === '--check') return { servers: 'none', ...inRoot(join('bootstrap', 'check.mjs'), ...rest), env: common };
  if (first === '--format')
    return { servers: 'none', ...inRoot(join('node_modules', '@biomejs', 'biome', 'bin', 'biome'), 'check', '--write', '.', ...rest), env: common };
  const help = rest.some((arg) => arg === '--help' || arg === '-h');
  const servers = first === 'up' && !help ? 'unless-elsewhere' : first === 'doctor' && !help ? 'report' : 'none';
  return { servers, command: [join(root, 'cli', 'understudy.ts'), first, ...rest], cwd: userCwd, env: common };
}

/** npm scripts change to the clone's root and say in INIT_CWD where they were called. */
function whereTheUserStands(/** @type {{ root: string, env: NodeJS.ProcessEnv, cwd: string }} */ { root, env, cwd }) {
  return cwd === root && env.npm_lifecycle_event && env.INIT_CWD ? env.INIT_CWD : cwd;
}

/** With the clone's own programs first: `node` is the pinned one then. @param {string} root @param {NodeJS.ProcessEnv} env */
export function withOwnPrograms(root, env) {
  return { ...env, PATH: [join(root, 'node_modules', '.bin'), env.PATH ?? ''].join(delimiter) };
}

/** Without them, as npm scripts put them there: what is being installed must not run its own installation. @param {string} root @param {NodeJS.ProcessEnv} env */
export function withoutOwnPrograms(root, env) {
  const own = join(root, 'node_modules', '.bin');
  return {
    ...env,
    PATH: (env.PATH ?? '')
      .split(delimiter)
      .filter((directory) => directory !== own)
      .join(delimiter),
  };
}
