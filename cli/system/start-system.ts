import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Role } from '../../activities/worker.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { runDirectory, stopLeftovers } from './pid-file.ts';
import { lookForGpu } from './look-for-gpu.ts';
import { defaultPorts } from './ports.ts';
import type { Child } from './start-child.ts';
import { startServing, startWorker } from './start-own.ts';
import { answers, startMlflow, startTemporal, temporalAnswers } from './start-servers.ts';
import { claimStateDirectory } from './supervisor.ts';

export type SystemOptions = {
  stateDir: string;
  /** Path of the `temporal` command; not needed with an address. */
  temporalCli?: string;
  /** A Temporal of the user's own: nothing is started. */
  temporalAddress?: string;
  temporalNamespace?: string;
  /** A Python that has MLflow; not needed with a URI. */
  mlflowPython?: string;
  /** An MLflow of the user's own: nothing is started. */
  mlflowUri?: string;
  /** Where to begin to look for free ports; 0 for any. */
  ports?: Partial<Record<keyof typeof defaultPorts, number>>;
  /** `found`: a worker trains on this machine's GPU, if there is one. `any`: on one in software too. */
  gpu?: 'found' | 'any' | 'off';
  say: (line: string) => void;
  /** What the children inherit. */
  env?: NodeJS.ProcessEnv;
};

export type System = {
  temporalAddress: string;
  temporalUiUrl: string | null;
  mlflowUrl: string;
  servingUrl: string;
  /** In the order of their start. */
  children: readonly Child[];
  /** Stops what was started, in reverse order. */
  stop: () => Promise<void>;
};

/**
 * Starts Temporal and MLflow side by side, then the workers and the serving tier, and keeps them running: a child that dies is started again.
 * What a killed supervisor left is stopped first.
 * @throws UND-TEMPORAL, UND-MLFLOW, UND-SERVING naming what did not start; what had started is stopped by then
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { stateDir, temporalNamespace = 'default', say, env = process.env } = options;
  const ports = { ...defaultPorts, ...options.ports };
  const runDir = runDirectory(stateDir);
  mkdirSync(runDir, { recursive: true });
  const release = await claimStateDirectory({ stateDir, runDir, say });
  const children: Child[] = [];
  const killAll = () => {
    for (const child of children) child.kill();
  };
  process.once('exit', killAll);
  // A terminal that is closed asks for the same as SIGTERM.
  const hangUp = () => void process.kill(process.pid, 'SIGTERM');
  process.on('SIGHUP', hangUp);
  const stop = once(async () => {
    for (const child of children.toReversed()) await child.stop();
    rmSync(join(runDir, 'system.json'), { force: true });
    release();
    process.off('exit', killAll);
    process.off('SIGHUP', hangUp);
  });
  const surroundings = {
    stateDir,
    runDir,
    // TLS and API key belong to the server that TEMPORAL_ADDRESS names.
    env: options.temporalAddress === undefined ? withoutTemporal(env) : env,
    restart: true,
    onExit: (end: { name: string; code: number | null; signal: NodeJS.Signals | null }) =>
      say(`${end.name} ended (${end.signal ?? `exit code ${end.code}`}); starting it again`),
  };
  try {
    const left = await stopLeftovers({ runDir });
    if (left.length > 0) say(`stopped what an earlier start left: ${left.join(', ')}`);
    const temporal = async () => {
      if (options.temporalAddress !== undefined)
        return reachTemporal({ address: options.temporalAddress, namespace: temporalNamespace, env: { ...env, TEMPORAL_ADDRESS: options.temporalAddress } });
      const cli = needed(options.temporalCli, 'UND-TEMPORAL', 'No temporal CLI is known and TEMPORAL_ADDRESS is not set');
      const started = await startTemporal({ ...surroundings, cli, namespace: temporalNamespace, port: ports.temporal, uiPort: ports.temporalUi });
      say(`Temporal is up at ${started.address}`);
      return started;
    };
    const mlflow = async () => {
      if (options.mlflowUri !== undefined) return reachMlflow(options.mlflowUri);
      const python = needed(options.mlflowPython, 'UND-MLFLOW', 'No Python with MLflow is known and MLFLOW_TRACKING_URI is not set');
      const started = await startMlflow({ ...surroundings, python, port: ports.mlflow });
      say(`MLflow is up at ${started.url}`);
      return started;
    };
    const looking = gpuFor(options, surroundings.env);
    const [temporalServer, mlflowServer] = await startTogether(children, [temporal, mlflow]);
    const addresses = { temporalAddress: temporalServer.address, temporalNamespace, mlflowUrl: mlflowServer.url };
    const worker = (role: Role) => async () => ({ child: await startWorker({ ...surroundings, role, addresses }) });
    const [, , serving] = await startTogether(children, [worker('control'), worker('training'), () => startServing({ ...surroundings, port: ports.serving })]);
    const gpu = await looking;
    if (gpu !== undefined) {
      // A driver that fails takes a worker with it, and not the system.
      await startTogether(children, [worker('training-gpu')]).then(
        () => say(`a worker trains on ${gpu}`),
        (error: Error) => say(`no worker trains on ${gpu}: ${error.message}`),
      );
    }
    say(`serving is up at ${serving.url}`);
    return {
      temporalAddress: temporalServer.address,
      temporalUiUrl: temporalServer.uiUrl,
      mlflowUrl: mlflowServer.url,
      servingUrl: serving.url,
      children,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The name of a GPU that a worker is to be started for. */
async function gpuFor({ gpu: wanted = 'found' }: SystemOptions, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (wanted === 'off') return undefined;
  const found = await lookForGpu(env);
  return 'name' in found && (wanted === 'any' || !found.software) ? found.name : undefined;
}

type Starters = readonly (() => Promise<{ child?: Child }>)[];
type Started<T extends Starters> = { -readonly [K in keyof T]: Awaited<ReturnType<T[K]>> };

/**
 * Starts side by side and waits for all, so that one that fails leaves none behind that is just starting.
 */
async function startTogether<const T extends Starters>(children: Child[], starters: T): Promise<Started<T>> {
  const outcomes = await Promise.allSettled(starters.map((start) => start()));
  for (const outcome of outcomes) if (outcome.status === 'fulfilled' && outcome.value.child !== undefined) children.push(outcome.value.child);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<unknown>).value) as Started<T>;
}

function withoutTemporal(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TEMPORAL_')));
}

async function reachTemporal({
  address,
  namespace,
  env,
}: {
  address: string;
  namespace: string;
  env: NodeJS.ProcessEnv;
}): Promise<{ child?: Child; address: string; uiUrl: string | null }> {
  if (await temporalAnswers({ address, namespace, timeoutMs: 10_000, env })) return { address, uiUrl: null };
  throw new UnderstudyError('UND-TEMPORAL', `Temporal does not answer at ${address} for the namespace ${namespace}`);
}

async function reachMlflow(url: string): Promise<{ child?: Child; url: string }> {
  if (await answers(`${url.replace(/\/+$/, '')}/health`, { timeoutMs: 10_000 })) return { url };
  throw new UnderstudyError('UND-MLFLOW', `MLflow does not answer at ${url}`);
}

function needed(path: string | undefined, code: 'UND-TEMPORAL' | 'UND-MLFLOW', message: string): string {
  if (path === undefined) throw new UnderstudyError(code, `${message}; \`npm start\` finds or fetches it`);
  return path;
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}
