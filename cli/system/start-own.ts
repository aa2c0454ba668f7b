import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Role } from '../../activities/worker.ts';
import { onFreePorts } from './on-free-ports.ts';
import { type Child, startChild } from './start-child.ts';
import type { Surroundings } from './start-servers.ts';

const entry = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const host = '127.0.0.1';

/** Where our own processes find the others. */
export type Addresses = { temporalAddress: string; temporalNamespace: string; mlflowUrl: string };

/**
 * A worker process of one role: `control` runs workflows and short activities, `training` the long ones, `training-gpu` trainings on this machine's GPU.
 * @throws UND-INTERNAL when it does not become ready
 */
export function startWorker(input: Surroundings & { role: Role; addresses: Addresses }): Promise<Child> {
  const { stateDir, role, addresses, ...rest } = input;
  return startChild({
    ...rest,
    env: {
      ...rest.env,
      UNDERSTUDY_STATE: stateDir,
      UNDERSTUDY_ROLES: role,
      TEMPORAL_ADDRESS: addresses.temporalAddress,
      TEMPORAL_NAMESPACE: addresses.temporalNamespace,
      MLFLOW_TRACKING_URI: addresses.mlflowUrl,
    },
    name: `worker-${role}`,
    command: process.execPath,
    args: [entry('activities/main.ts')],
    logFile: join(rest.runDir, `worker-${role}.log`),
    ready: { line: (text) => readyLine(text) !== undefined || undefined },
    readyMs: 90_000,
    graceMs: 10_000,
  });
}

/**
 * The serving tier on one port.
 * @throws UND-SERVING when it does not become ready
 */
export async function startServing(input: Surroundings & { port: number }): Promise<{ child: Child; url: string }> {
  const { stateDir, port, ...rest } = input;
  const { child, ports } = await onFreePorts([port], ([free = 0]) =>
    startChild({
      ...rest,
      env: { ...rest.env, UNDERSTUDY_STATE: stateDir, UNDERSTUDY_HOST: host, UNDERSTUDY_PORT: String(free) },
      name: 'serving',
      command: process.execPath,
      args: [entry('serving/main.ts')],
      logFile: join(rest.runDir, 'serving.log'),
      ready: {
        line: (text) => {
          const said = readyLine(text);
          return said === undefined ? undefined : (said.url ?? true);
        },
      },
      code: 'UND-SERVING',
      graceMs: 10_000,
    }),
  );
  return { child, url: child.url ?? `http://${host}:${ports[0]}` };
}

/** `{"ready":true,...}` among whatever else a process writes. */
function readyLine(text: string): { url?: string } | undefined {
  if (!text.includes('"ready"')) return undefined;
  try {
    const said: unknown = JSON.parse(text);
    return typeof said === 'object' && said !== null && (said as { ready?: unknown }).ready === true ? (said as { url?: string }) : undefined;
  } catch {
    return undefined;
  }
}
