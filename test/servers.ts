import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { ensureMlflow } from '../bootstrap/mlflow.mjs';
import { cacheDirectory, root } from '../bootstrap/paths.mjs';
import { Progress } from '../bootstrap/progress.mjs';
import { ensureTemporal } from '../bootstrap/temporal.mjs';
import { runDirectory } from '../cli/system/pid-file.ts';
import type { Child } from '../cli/system/start-child.ts';
import { startMlflow, startTemporal } from '../cli/system/start-servers.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    temporalAddress: string;
    mlflowUrl: string;
    /** Paths, for tests that start servers of their own. */
    temporalCli: string;
    mlflowPython: string;
  }
}

/** One Temporal and one MLflow for the whole run, on ports and directories of their own; tests keep apart by names. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { cli, python } = await findServers();
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-test-'));
  const surroundings = { stateDir, runDir: runDirectory(stateDir), env: process.env, restart: false };
  const children: Child[] = [];
  const teardown = async () => {
    for (const child of children) await child.stop();
    await rm(stateDir, { recursive: true, force: true });
  };
  process.once('exit', () => {
    for (const child of children) child.kill();
  });
  const outcomes = await Promise.allSettled([startTemporal({ ...surroundings, cli, port: 0, uiPort: 0 }), startMlflow({ ...surroundings, python, port: 0 })]);
  for (const outcome of outcomes) if (outcome.status === 'fulfilled') children.push(outcome.value.child);
  const [temporal, mlflow] = outcomes;
  if (temporal.status === 'rejected' || mlflow.status === 'rejected') {
    await teardown();
    throw temporal.status === 'rejected' ? temporal.reason : (mlflow as PromiseRejectedResult).reason;
  }
  project.provide('temporalAddress', temporal.value.address);
  project.provide('mlflowUrl', mlflow.value.url);
  project.provide('temporalCli', cli);
  project.provide('mlflowPython', python);
  return teardown;
}

/** `npm test` says where they are; a test runner that was started by hand looks as the bootstrap does. */
export async function findServers(): Promise<{ cli: string; python: string }> {
  const { env } = process;
  const { UNDERSTUDY_TEMPORAL_CLI: cli, UNDERSTUDY_MLFLOW_PYTHON: python } = env;
  if (cli && python) return { cli, python };
  const look = { root, cache: cacheDirectory(env), env, progress: new Progress(), dependencies: Promise.resolve() };
  try {
    const [foundCli, foundPython] = await Promise.all([cli ?? ensureTemporal(look), python ?? ensureMlflow(look)]);
    return { cli: foundCli, python: foundPython };
  } finally {
    look.progress.stop();
  }
}
