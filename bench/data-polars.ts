import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPython } from '../bootstrap/mlflow.mjs';

/** The peer's own Python, made once in the cache; nothing but this benchmark needs it. */
const requirement = 'polars==2.1.0';
const script = fileURLToPath(new URL('./polars_data.py', import.meta.url));

/** @returns undefined where there is no Python, or no package index */
export async function findPolars({ cache, env }: { cache: string; env: NodeJS.ProcessEnv }): Promise<string | undefined> {
  const home = join(cache, 'polars', requirement.replaceAll('=', ''));
  const python = join(home, 'bin', 'python');
  if (existsSync(python)) return python;
  const system = await findPython(env);
  if (system === undefined) return undefined;
  await mkdir(join(cache, 'polars'), { recursive: true });
  const made = await mkdtemp(join(cache, 'polars', 'making-'));
  const run = (command: string, args: string[]) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
  try {
    if (!run(system, ['-m', 'venv', made]) || !run(join(made, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', requirement])) return undefined;
    await rename(made, home);
    return python;
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

export type PolarsResult = {
  version: string;
  seconds: Record<'ingest' | 'sessionize' | 'split' | 'rotate', number>;
  cpuSeconds: Record<'ingest' | 'sessionize' | 'split' | 'rotate', number>;
  counts: Record<'input' | 'accepted' | 'aside' | 'duplicates', number>;
  sessions: number;
  interactions: number;
  maxMemoryMb: number;
};

/** The same steps over the same files. @returns undefined where it failed, for want of memory for one */
export function runPolars({ python, folder, out }: { python: string; folder: string; out: string }): PolarsResult | undefined {
  rmSync(out, { recursive: true, force: true });
  const { status, stdout } = spawnSync(python, [script, folder, out], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return status === 0 ? (JSON.parse(stdout) as PolarsResult) : undefined;
}
