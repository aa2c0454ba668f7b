import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cacheDirectory } from '../../bootstrap/paths.mjs';
import { ensureSwiftshader } from '../../bootstrap/swiftshader.mjs';
import { freePort } from '../system/ports.ts';
import { writeSystemFile } from '../system-file.ts';
import { examine } from './command.ts';
import { checkDisk, checkNode, checkPorts, checkStateDirectory } from './machine.ts';

function home(): string {
  const directory = mkdtempSync(join(tmpdir(), 'understudy-doctor-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Answers `/health` and `/readyz`, or refuses. */
async function server(status: number): Promise<string> {
  const http = createServer((_request, response) => response.writeHead(status).end('OK'));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void http.close());
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

/** Without drivers of GPUs too. */
const noDrivers = { VK_DRIVER_FILES: '/nowhere', VK_ICD_FILENAMES: '/nowhere' };
const bare = (directory: string, more: NodeJS.ProcessEnv = {}) => ({
  ...{ PATH: directory, UNDERSTUDY_CACHE: join(directory, 'cache'), ...noDrivers },
  ...more,
});
const look = async (stateDir: string, env: NodeJS.ProcessEnv) => {
  const checks = await examine({ stateDir, env, nodeVersion: process.versions.node });
  return Object.fromEntries(checks.map((check) => [check.name, check]));
};

describe('the doctor', () => {
  it('on a bare machine names what is missing and what to do, and leaves nothing', async () => {
    const directory = home();
    const stateDir = join(directory, 'a', 'state');
    const found = await look(stateDir, bare(directory));
    expect(found).toMatchObject({
      node: { state: 'ok' },
      python: { state: 'note' },
      temporal: { state: 'failed', remedy: expect.stringContaining('TEMPORAL_ADDRESS') },
      mlflow: { state: 'failed', remedy: expect.stringContaining('MLFLOW_TRACKING_URI') },
      'state directory': { state: 'ok' },
      log: { state: 'ok', found: `files in ${join(stateDir, 'log')}` },
      system: { state: 'note', found: 'none is up' },
      gpu: { state: 'note', found: 'WebGPU finds no GPU with a driver that it can use', remedy: expect.stringContaining('Vulkan') },
    });
    expect(existsSync(join(directory, 'a'))).toBe(false);
  });

  it('names the GPU that trainings could be done on', async () => {
    const directory = home();
    const folder = await ensureSwiftshader({ cache: cacheDirectory(process.env), env: process.env });
    const found = await look(join(directory, 'state'), bare(directory, { LD_LIBRARY_PATH: folder }));
    expect(found.gpu).toMatchObject({ state: 'note', found: expect.stringMatching(/SwiftShader .*, in software$/) });
  });

  it('asks the servers that the environment names', async () => {
    const directory = home();
    const dead = `127.0.0.1:${await freePort(0)}`;
    const up = await look(join(directory, 'state'), bare(directory, { MLFLOW_TRACKING_URI: `${await server(200)}/`, TEMPORAL_ADDRESS: dead }));
    expect(up).toMatchObject({ mlflow: { state: 'ok' }, temporal: { state: 'failed', found: expect.stringContaining(dead) } });
    const down = await look(join(directory, 'state'), bare(directory, { MLFLOW_TRACKING_URI: await server(500) }));
    expect(down.mlflow).toMatchObject({ state: 'failed' });
  });

  it('asks the brokers of the log that the environment names, and gives no password away', async () => {
    const directory = home();
    const dead = `127.0.0.1:${await freePort(0)}`;
    const account = { UNDERSTUDY_LOG_USERNAME: 'me', UNDERSTUDY_LOG_PASSWORD: 'a-secret' };
    const { log } = await look(join(directory, 'state'), bare(directory, { UNDERSTUDY_LOG: `kafka://${dead}`, ...account }));
    expect(log).toMatchObject({ state: 'failed', found: expect.stringContaining(dead), remedy: expect.stringContaining('UNDERSTUDY_LOG') });
    expect(JSON.stringify(log)).not.toContain('a-secret');
  });

  it('asks each part of the system that is up', async () => {
    const stateDir = home();
    mkdirSync(join(stateDir, 'run'));
    const system = {
      temporalAddress: `127.0.0.1:${await freePort(0)}`,
      temporalUiUrl: null,
      mlflowUrl: await server(200),
      servingUrl: await server(503),
      pid: process.pid,
    };
    await writeSystemFile(stateDir, system);
    expect(await look(stateDir, bare(stateDir))).toMatchObject({
      system: { state: 'ok' },
      'system: serving': { state: 'failed', remedy: expect.stringContaining('serving.log') },
      'system: temporal': { state: 'failed' },
      'system: mlflow': { state: 'ok' },
    });
    await writeSystemFile(stateDir, { ...system, pid: 2 ** 30 });
    expect((await look(stateDir, bare(stateDir))).system).toMatchObject({ state: 'failed', remedy: expect.stringContaining('npm start') });
  });

  it('says why a state directory will not do', async () => {
    const path = join(home(), 'file');
    writeFileSync(path, '');
    expect(await checkStateDirectory(path)).toMatchObject({ state: 'failed', remedy: expect.stringContaining('--state') });
    expect(await checkDisk(path, async () => 5e8)).toMatchObject({ state: 'failed', found: expect.stringContaining('0.5 GB') });
    expect(await checkDisk(join(path, 'not', 'there', 'yet'))).toMatchObject({ found: expect.stringContaining('GB free') });
  });

  it('wants the pinned Node, and takes taken ports lightly', async () => {
    expect(checkNode('20.1.0')).toMatchObject({ state: 'failed' });
    expect(['ok', 'note']).toContain((await checkPorts()).state);
  });
});
