import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { cacheDirectory } from '../bootstrap/paths.mjs';
import { ensureSwiftshader } from '../bootstrap/swiftshader.mjs';

const entry = fileURLToPath(new URL('../activities/main.ts', import.meta.url));
type Options = { stateDir: string; temporalAddress: string; mlflowUrl: string; env: NodeJS.ProcessEnv };

/** A worker as `UNDERSTUDY_ROLES=training-gpu` starts it, whose only GPU is one in software. @returns what ends it */
export async function startGpuWorker({ stateDir, temporalAddress, mlflowUrl, env }: Options): Promise<() => Promise<void>> {
  const child = spawn(process.execPath, [entry], {
    env: {
      PATH: env.PATH,
      LD_LIBRARY_PATH: await ensureSwiftshader({ cache: cacheDirectory(env), env }),
      UNDERSTUDY_STATE: stateDir,
      UNDERSTUDY_ROLES: 'training-gpu',
      TEMPORAL_ADDRESS: temporalAddress,
      MLFLOW_TRACKING_URI: mlflowUrl,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ready = new Promise<void>((resolve) => createInterface(child.stdout).on('line', (line) => void (line.includes('"ready":true') && resolve())));
  await Promise.race([
    ready,
    ended.then(() => {
      throw new Error('The worker with a GPU ended before it was ready');
    }),
  ]);
  return () => {
    child.kill('SIGTERM');
    return ended;
  };
}
