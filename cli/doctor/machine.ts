import { execFile } from 'node:child_process';
import { mkdir, rm, rmdir, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findPython } from '../../bootstrap/mlflow.mjs';
import { lookForGpu } from '../system/look-for-gpu.ts';
import { defaultPorts, isPortFree } from '../system/ports.ts';
import { answers, temporalAnswers } from '../system/start-servers.ts';
import { type Check, failed, note, ok } from './check.ts';

const execute = promisify(execFile);
const giga = 1e9;
/** What the loop on the example leaves, with room. */
const neededBytes = 1 * giga;

/** @param version as process.versions.node */
export function checkNode(version: string): Check {
  const [major = 0] = version.split('.').map(Number);
  if (major >= 24) return ok('node', version);
  return failed('node', `${version}, where 24 is needed`, 'Start with `npm start` or `npm run understudy --`: they use the Node of the lockfile.');
}

export async function checkPython(env: NodeJS.ProcessEnv): Promise<Check> {
  const path = await findPython(env);
  if (path !== undefined) return ok('python', path);
  return note(
    'python',
    'no Python 3.10 or later on PATH',
    'Needed to set MLflow up and to train models of your own in Python: install Python 3.10 or later with venv.',
  );
}

/** That trainings can be done on. */
export async function checkGpu(env: NodeJS.ProcessEnv): Promise<Check> {
  const found = await lookForGpu(env);
  if ('why' in found)
    return note(
      'gpu',
      found.why,
      'Needed by candidates with `gpu` in the charter alone: the npm package webgpu, and a driver with Vulkan, Metal or Direct3D 12.',
    );
  if (found.software)
    return note(
      'gpu',
      `${found.name}, in software`,
      'It is slower than the CPU that it runs on: `understudy up` starts a worker for it with UNDERSTUDY_GPU=any alone.',
    );
  return ok('gpu', found.name);
}

/** A CLI that runs, or a server that answers. */
type WhichTemporal = { cli: string | undefined; address: string | undefined; namespace: string; env?: NodeJS.ProcessEnv };

export async function checkTemporal({ cli, address, namespace, env }: WhichTemporal): Promise<Check> {
  const remedy = 'Set TEMPORAL_ADDRESS, put `temporal` on PATH, or run `npm start`, which downloads it or builds it with Go.';
  if (address !== undefined) {
    if (await temporalAnswers({ address, namespace, timeoutMs: 5_000, env }))
      return ok('temporal', `TEMPORAL_ADDRESS ${address} answers for the namespace ${namespace}`);
    return failed(
      'temporal',
      `TEMPORAL_ADDRESS ${address} does not answer for the namespace ${namespace}`,
      'Start that server, mend the address or TEMPORAL_NAMESPACE, or unset it to use one of our own.',
    );
  }
  if (cli === undefined) return failed('temporal', 'no `temporal` that is known to work', remedy);
  return firstLine(cli, ['--version']).then(
    (line) => ok('temporal', `${cli}: ${line}`),
    (error: Error) => failed('temporal', `${cli} does not run: ${error.message.split('\n')[0]}`, remedy),
  );
}

/** A Python that imports MLflow, or a server that answers. */
export async function checkMlflow({ python, uri }: { python: string | undefined; uri: string | undefined }): Promise<Check> {
  const remedy = 'Set MLFLOW_TRACKING_URI, or run `npm start`, which installs it with Python 3.10 or later, by uv or pip.';
  if (uri !== undefined) {
    if (await answers(`${uri.replace(/\/+$/, '')}/health`, { timeoutMs: 5_000 })) return ok('mlflow', `MLFLOW_TRACKING_URI ${uri} answers`);
    return failed('mlflow', `MLFLOW_TRACKING_URI ${uri} does not answer`, 'Start that server, mend the address, or unset it to use one of our own.');
  }
  if (python === undefined) return failed('mlflow', 'no Python with MLflow is known to work', remedy);
  return firstLine(python, ['-c', 'import importlib.metadata as m; print("mlflow", m.version("mlflow"))']).then(
    (line) => ok('mlflow', `${python}: ${line}`),
    (error: Error) => failed('mlflow', `${python} has no MLflow: ${error.message.trim().split('\n').at(-1)}`, remedy),
  );
}

export async function checkStateDirectory(stateDir: string): Promise<Check> {
  const probe = join(stateDir, `.doctor-${process.pid}`);
  try {
    const made = await mkdir(stateDir, { recursive: true });
    await writeFile(probe, 'written');
    await rm(probe);
    // Looking leaves nothing, and takes nothing away that another program has put there by now.
    for (let path = stateDir; made !== undefined && path.length >= made.length; path = dirname(path)) await rmdir(path).catch(() => undefined);
    return ok('state directory', `${stateDir} can be written`);
  } catch (error) {
    return failed(
      'state directory',
      `${stateDir} cannot be written: ${(error as Error).message}`,
      'Give yourself the right to write there, or name another directory with --state.',
    );
  }
}

export async function checkDisk(stateDir: string, free: (path: string) => Promise<number> = freeBytes): Promise<Check> {
  const bytes = await free(stateDir);
  const found = `${(bytes / giga).toFixed(1)} GB free for ${stateDir}`;
  return bytes >= neededBytes ? ok('disk', found) : failed('disk', found, 'Free a gigabyte, or name a directory on another disk with --state.');
}

/** Of the next directory upward that exists. */
async function freeBytes(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (error) {
    if (dirname(path) === path) throw error;
    return freeBytes(dirname(path));
  }
}

/** Taken ports are no failure: a start takes the next ones. */
export async function checkPorts(): Promise<Check> {
  const taken: string[] = [];
  for (const [name, port] of Object.entries(defaultPorts)) if (!(await isPortFree(port))) taken.push(`${port} (${name})`);
  if (taken.length === 0) return ok('ports', `${Object.values(defaultPorts).join(', ')} are free`);
  return note('ports', `taken: ${taken.join(', ')}`, 'Nothing to do: a start takes the next free ones and says which.');
}

async function firstLine(command: string, args: readonly string[]): Promise<string> {
  const { stdout } = await execute(command, args, { timeout: 30_000 });
  return stdout.trim().split('\n')[0] ?? '';
}
