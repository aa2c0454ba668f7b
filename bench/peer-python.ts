import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findPython } from '../bootstrap/mlflow.mjs';

/**
 * A peer's own Python with its packages, made once in the cache; nothing but benchmarks needs it.
 * @param requirements such as `implicit==0.7.2`; the first names it
 * @returns the interpreter; undefined where there is no Python, or no package index
 */
export async function findPeerPython({
  requirements,
  cache,
  env,
}: {
  requirements: readonly string[];
  cache: string;
  env: NodeJS.ProcessEnv;
}): Promise<string | undefined> {
  const folder = join(cache, 'peers');
  const home = join(folder, requirements.join('-').replaceAll('=', ''));
  const python = join(home, 'bin', 'python');
  if (existsSync(python)) return python;
  const system = await findPython(env);
  if (system === undefined) return undefined;
  await mkdir(folder, { recursive: true });
  const made = await mkdtemp(join(folder, 'making-'));
  const run = (command: string, args: string[]) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
  try {
    if (!run(system, ['-m', 'venv', made]) || !run(join(made, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', ...requirements])) return undefined;
    await rename(made, home);
    return python;
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}
