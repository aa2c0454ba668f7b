import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { temporalConnection } from '../../activities/temporal-connection.ts';
import { onFreePorts } from './on-free-ports.ts';
import { type Child, type ChildOptions, startChild } from './start-child.ts';

const host = '127.0.0.1';

/** What every child of a state directory shares. */
export type Surroundings = Pick<ChildOptions, 'env' | 'runDir' | 'onExit' | 'restart'> & { stateDir: string };

export type TemporalServer = { child: Child; address: string; uiUrl: string };

/**
 * Temporal's dev server, its state kept in SQLite under the state directory.
 * @param cli path of the `temporal` command
 * @throws UND-TEMPORAL when it does not become ready
 */
export async function startTemporal(
  input: Surroundings & {
    cli: string;
    namespace?: string;
    port: number;
    uiPort: number /** The server's own settings, by name. */;
    dynamicConfig?: Readonly<Record<string, number>>;
  },
): Promise<TemporalServer> {
  const { stateDir, cli, namespace = 'default', port, uiPort, dynamicConfig = {}, ...rest } = input;
  const directory = join(stateDir, 'temporal');
  mkdirSync(directory, { recursive: true });
  const { child, ports } = await onFreePorts([port, uiPort], ([free = 0, freeUi = 0]) =>
    startChild({
      ...rest,
      name: 'temporal',
      command: cli,
      args: [
        ...['server', 'start-dev', '--ip', host, '--port', String(free), '--ui-port', String(freeUi), '--namespace', namespace],
        ...Object.entries(dynamicConfig).flatMap(([name, value]) => ['--dynamic-config-value', `${name}=${value}`]),
        ...['--db-filename', join(directory, 'temporal.db'), '--search-attribute', 'Surface=Keyword', '--log-level', 'error'],
      ],
      logFile: join(rest.runDir, 'temporal.log'),
      ready: { probe: () => temporalAnswers({ address: `${host}:${free}`, namespace, timeoutMs: 2_000 }) },
      code: 'UND-TEMPORAL',
    }),
  );
  return { child, address: `${host}:${ports[0]}`, uiUrl: `http://${host}:${ports[1]}` };
}

type Question = {
  address: string;
  namespace: string;
  timeoutMs: number /** Where TLS and API key of a server that is not ours stand. */;
  env?: NodeJS.ProcessEnv;
};

/** Whether Temporal answers for a namespace: a port that listens is not enough. */
export async function temporalAnswers({ address, namespace, timeoutMs, env = {} }: Question): Promise<boolean> {
  let connection: Connection | undefined;
  // Where nobody listens, the client would try again until its time is up.
  if (!(await accepts(address, { timeoutMs }))) return false;
  try {
    connection = await Connection.connect({ ...temporalConnection(address, env), connectTimeout: timeoutMs });
    await connection.withDeadline(Date.now() + timeoutMs, () => (connection as Connection).workflowService.describeNamespace({ namespace }));
    return true;
  } catch {
    return false;
  } finally {
    await connection?.close();
  }
}

/** @param address `host:port` */
function accepts(address: string, { timeoutMs }: { timeoutMs: number }): Promise<boolean> {
  const cut = address.lastIndexOf(':');
  return new Promise((resolve) => {
    const socket = connect({ host: address.slice(0, cut).replace(/^\[|\]$/g, ''), port: Number(address.slice(cut + 1)), timeout: timeoutMs });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}

export type MlflowServer = { child: Child; url: string };

/**
 * MLflow's tracking server and registry, on SQLite under the state directory.
 * @param python of an environment that has MLflow
 * @throws UND-MLFLOW when it does not become ready
 */
export async function startMlflow(input: Surroundings & { python: string; port: number }): Promise<MlflowServer> {
  const { stateDir, python, port, ...rest } = input;
  const directory = join(stateDir, 'mlflow');
  mkdirSync(directory, { recursive: true });
  const { child, ports } = await onFreePorts([port], ([free = 0]) =>
    startChild({
      ...rest,
      // Jobs would bring seven more processes of 225 MB each.
      env: {
        ...rest.env,
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
        MLFLOW_DISABLE_TELEMETRY: 'true',
        MLFLOW_TRACKING_URI: undefined,
        PYTHONDONTWRITEBYTECODE: '',
      },
      name: 'mlflow',
      command: python,
      args: [
        ...['-m', 'mlflow', 'server', '--workers', '1', '--host', host, '--port', String(free)],
        ...['--backend-store-uri', `sqlite:///${join(directory, 'mlflow.db')}`, '--artifacts-destination', join(directory, 'artifacts')],
      ],
      cwd: directory,
      logFile: join(rest.runDir, 'mlflow.log'),
      ready: { probe: () => answers(`http://${host}:${free}/health`, { timeoutMs: 2_000 }) },
      readyMs: 120_000,
      code: 'UND-MLFLOW',
    }),
  );
  return { child, url: `http://${host}:${ports[0]}` };
}

/** Whether a URL answers with success in time. */
export async function answers(url: string, { timeoutMs }: { timeoutMs: number }): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
