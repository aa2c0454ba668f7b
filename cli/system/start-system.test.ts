import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { cacheDirectory } from '../../bootstrap/paths.mjs';
import { ensureSwiftshader } from '../../bootstrap/swiftshader.mjs';
import { freePort } from './ports.ts';
import { isAlive } from './processes.ts';
import { answers, temporalAnswers } from './start-servers.ts';
import { type System, type SystemOptions, startSystem } from './start-system.ts';

const anyPorts = { serving: 0, temporal: 0, temporalUi: 0, mlflow: 0 };
const elsewhere = { temporalAddress: inject('temporalAddress'), mlflowUri: inject('mlflowUrl') };
const here = { temporalCli: inject('temporalCli'), mlflowPython: inject('mlflowPython') };

async function stateDirectory(): Promise<string> {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-system-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true, maxRetries: 5 }));
  return stateDir;
}

async function start(options: Partial<SystemOptions> & { stateDir: string }): Promise<{ system: System; said: string[] }> {
  const said: string[] = [];
  const system = await startSystem({ ports: anyPorts, gpu: 'off', say: (line) => void said.push(line), ...options });
  onTestFinished(() => system.stop());
  return { system, said };
}

const names = (system: System) => system.children.map((child) => child.name);
const temporalIsUp = (address: string) => temporalAnswers({ address, namespace: 'default', timeoutMs: 1_000 });

describe('the system', () => {
  it('starts whole, mends what dies, stops in reverse order, and starts again on what it left', async () => {
    const stateDir = await stateDirectory();
    const { system, said } = await start({ stateDir, ...here });
    expect(names(system)).toEqual(['temporal', 'mlflow', 'worker-control', 'worker-training', 'serving']);
    expect(await temporalIsUp(system.temporalAddress)).toBe(true);
    expect(await answers(`${system.mlflowUrl}/health`, { timeoutMs: 5_000 })).toBe(true);
    expect(await answers(system.temporalUiUrl ?? '', { timeoutMs: 5_000 })).toBe(true);
    expect(await answers(`${system.servingUrl}/livez`, { timeoutMs: 5_000 })).toBe(true);

    for (const child of system.children.filter(({ name }) => name === 'serving' || name === 'temporal')) process.kill(child.pid() ?? 0, 'SIGKILL');
    await expect.poll(() => answers(`${system.servingUrl}/livez`, { timeoutMs: 1_000 }), { timeout: 30_000 }).toBe(true);
    await expect.poll(() => temporalIsUp(system.temporalAddress), { timeout: 30_000 }).toBe(true);
    expect(said).toContain('serving ended (SIGKILL); starting it again');

    const stopped: string[] = [];
    for (const child of system.children) {
      const stop = child.stop;
      child.stop = async () => {
        await stop();
        stopped.push(child.name);
      };
    }
    const pids = system.children.map((child) => child.pid() ?? 0);
    await system.stop();
    expect(stopped).toEqual(names(system).toReversed());
    expect(pids.filter(isAlive)).toEqual([]);

    const again = await start({ stateDir, temporalCli: here.temporalCli, mlflowUri: elsewhere.mlflowUri });
    expect(again.said.filter((line) => line.includes('earlier start'))).toEqual([]);
    await again.system.stop();
  });

  it('uses the servers of others without starting or stopping them', async () => {
    const { system } = await start({ stateDir: await stateDirectory(), ...elsewhere });
    expect(names(system)).toEqual(['worker-control', 'worker-training', 'serving']);
    expect(system).toMatchObject({ temporalAddress: elsewhere.temporalAddress, mlflowUrl: elsewhere.mlflowUri, temporalUiUrl: null });
    await system.stop();
    expect(await temporalIsUp(elsewhere.temporalAddress)).toBe(true);
  });

  it('starts a worker for a GPU, for one in software only if asked', async () => {
    const env = { ...process.env, LD_LIBRARY_PATH: await ensureSwiftshader({ cache: cacheDirectory(process.env), env: process.env }) };
    const { system, said } = await start({ stateDir: await stateDirectory(), ...elsewhere, env, gpu: 'any' });
    expect(names(system)).toEqual(['worker-control', 'worker-training', 'serving', 'worker-training-gpu']);
    expect(said).toContainEqual(expect.stringMatching(/^a worker trains on .*SwiftShader/));
    await system.stop();
    const without = await start({ stateDir: await stateDirectory(), ...elsewhere, env, gpu: 'found' });
    expect(names(without.system)).toEqual(['worker-control', 'worker-training', 'serving']);
  });

  it('names what cannot be reached or had, and leaves nothing running', async () => {
    const port = await freePort(0);
    const stateDir = await stateDirectory();
    await expect(start({ stateDir, ...elsewhere, temporalAddress: `127.0.0.1:${port}` })).rejects.toMatchObject({ code: 'UND-TEMPORAL' });
    await expect(start({ stateDir, ...elsewhere, mlflowUri: `http://127.0.0.1:${port}` })).rejects.toMatchObject({ code: 'UND-MLFLOW' });
    await expect(start({ stateDir, mlflowUri: elsewhere.mlflowUri })).rejects.toMatchObject({ code: 'UND-TEMPORAL' });
    await expect(start({ stateDir, temporalCli: here.temporalCli, mlflowPython: '/no/such/python' })).rejects.toMatchObject({ code: 'UND-MLFLOW' });
  });

  it('is one a state directory; what a killed supervisor left is stopped first', async () => {
    const stateDir = await stateDirectory();
    const first = supervisor(stateDir);
    const pids = await first.started;
    await expect(start({ stateDir, ...elsewhere })).rejects.toMatchObject({ code: 'UND-SETUP', message: expect.stringContaining(String(first.process.pid)) });
    first.process.kill('SIGKILL');
    await first.ended;
    expect(pids.map(isAlive)).toEqual([true, true, true]);
    const { system, said } = await start({ stateDir, ...elsewhere });
    expect(pids.map(isAlive)).toEqual([false, false, false]);
    expect(said.some((line) => line.startsWith('stopped what an earlier start left'))).toBe(true);
    await system.stop();
  });
});

/** A supervisor as a process of its own, to be killed. */
function supervisor(stateDir: string): { process: ChildProcess; started: Promise<number[]>; ended: Promise<void> } {
  const script = `
    import { startSystem } from ${JSON.stringify(new URL('start-system.ts', import.meta.url).href)};
    const system = await startSystem({ ...${JSON.stringify({ stateDir, ...elsewhere, ports: anyPorts })}, say: () => {} });
    console.log(JSON.stringify(system.children.map((child) => child.pid())));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  const started = new Promise<number[]>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      said += chunk;
      if (said.includes('\n')) resolve(JSON.parse(said));
    });
    child.once('exit', () => reject(new Error('the supervisor ended')));
  });
  return { process: child, started, ended: new Promise((resolve) => child.once('exit', () => resolve())) };
}
