import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isAlive } from '../cli/system/processes.ts';
import { planOf } from './plan.mjs';
import { answersAsTemporal, bareMachine, writeProgram } from './testing.ts';

/** A clone whose command line only tells what it was given, and whose npm is a script: the bootstrap itself is the real one. */
function clone() {
  const machine = bareMachine();
  cpSync(dirname(fileURLToPath(import.meta.url)), join(machine.root, 'bootstrap'), { recursive: true });
  writeFileSync(join(machine.root, 'package-lock.json'), '{}');
  const tell = `
    process.on('SIGTERM', () => { console.log('asked to stop'); setTimeout(() => process.exit(9), 20); });
    const { UNDERSTUDY_CWD, UNDERSTUDY_TEMPORAL_CLI, UNDERSTUDY_MLFLOW_PYTHON } = process.env;
    console.log(JSON.stringify({ args: process.argv.slice(2), cwd: process.cwd(), UNDERSTUDY_CWD, UNDERSTUDY_TEMPORAL_CLI, UNDERSTUDY_MLFLOW_PYTHON }));
    if (process.argv.includes('stay')) setInterval(() => {}, 1000); else process.exitCode = Number(process.env.EXIT ?? 0);`;
  writeProgram(join(machine.root, 'cli', 'understudy.ts'), '');
  writeFileSync(join(machine.root, 'cli', 'understudy.ts'), tell);
  symlinkSync(process.execPath, join(machine.bin, 'node'));
  const npm = (script: string) => machine.program('npm', script);
  const installs = '/bin/mkdir -p node_modules/.bin; /bin/ln -sf "$(command -v node)" node_modules/.bin/node';
  npm(installs);
  const start = (args: string[], env: NodeJS.ProcessEnv = {}, cwd = machine.home) => {
    const child = spawn(process.execPath, [join(machine.root, 'bootstrap', 'run.mjs'), ...args], {
      cwd,
      env: { ...machine.env, UNDERSTUDY_CACHE: machine.cache, ...env },
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    return collect(child);
  };
  return { ...machine, npm, installs, start };
}

function collect(child: ChildProcess) {
  const said = { out: '', err: '' };
  child.stdout?.on('data', (chunk) => {
    said.out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    said.err += chunk;
  });
  const ended = new Promise<{ code: number | null; out: string; err: string; told: Record<string, unknown> | undefined }>((resolve) =>
    child.once('close', (code) => resolve({ code, ...said, told: said.out.startsWith('{"args"') ? JSON.parse(said.out.split('\n')[0] ?? '') : undefined })),
  );
  return { child, said, ended };
}

describe('a start', () => {
  it('installs the first time, and not the second', async () => {
    const { start, calls, root, home } = clone();
    const first = await start(['status', '--json']).ended;
    expect(first).toMatchObject({ code: 0, told: { args: ['status', '--json'], cwd: home, UNDERSTUDY_CWD: home } });
    expect(first.err).toContain('npm: ready');
    expect(existsSync(join(root, 'node_modules', '.understudy-stamp'))).toBe(true);
    const second = await start(['status', '--json']).ended;
    expect(second).toMatchObject({ code: 0, err: '' });
    expect(calls()).toEqual([expect.stringMatching(/^npm ci /)]);
  });

  it('installs again when the lockfile has changed, or the install was interrupted', async () => {
    const { start, calls, root, npm, installs } = clone();
    npm(`${installs}; echo "npm error killed" >&2; exit 1`);
    const failed = await start(['status', '--json']).ended;
    expect(failed).toMatchObject({ code: 7, told: undefined });
    expect(JSON.parse(failed.out)).toMatchObject({ code: 'UND-SETUP', detail: expect.stringContaining('killed') });
    npm(installs);
    expect((await start(['status']).ended).code).toBe(0);
    writeFileSync(join(root, 'package-lock.json'), '{"changed":true}');
    expect((await start(['status']).ended).code).toBe(0);
    expect(calls()).toHaveLength(3);
  });

  it('is ended in the middle of an install without leaving the install running', async () => {
    const { start, npm, home, root } = clone();
    npm('echo $$ > "$HOME/npm-pid"; while :; do /bin/sleep 0.05; done');
    const { child, ended } = start(['status']);
    await expect.poll(() => existsSync(join(home, 'npm-pid')) && readFileSync(join(home, 'npm-pid'), 'utf8').trim(), { timeout: 10_000 }).toBeTruthy();
    const pid = Number(readFileSync(join(home, 'npm-pid'), 'utf8'));
    child.kill('SIGTERM');
    expect((await ended).code).toBe(143);
    await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
    expect(existsSync(join(root, 'node_modules', '.understudy-stamp'))).toBe(false);
  });

  it('hands on exit codes and signals', async () => {
    const { start } = clone();
    expect((await start(['status'], { EXIT: '5' }).ended).code).toBe(5);
    const { child, said, ended } = start(['stay']);
    await expect.poll(() => said.out, { timeout: 10_000 }).toContain('"args"');
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 9, out: expect.stringContaining('asked to stop') });
  });

  it('of the system says what it found; of other commands looks for nothing', async () => {
    const { start, program, bin } = clone();
    program('temporal', answersAsTemporal);
    const up = await start(['up'], { MLFLOW_TRACKING_URI: 'http://127.0.0.1:1' }).ended;
    expect(up.told).toMatchObject({ UNDERSTUDY_TEMPORAL_CLI: join(bin, 'temporal') });
    expect(up.told).not.toHaveProperty('UNDERSTUDY_MLFLOW_PYTHON');
    expect((await start(['evaluate']).ended).told).not.toHaveProperty('UNDERSTUDY_TEMPORAL_CLI');
  });

  it('without a way to MLflow ends with its code, after everything else was tried', async () => {
    const { start, program } = clone();
    program('temporal', answersAsTemporal);
    const { code, err, out } = await start(['up', '--json']).ended;
    expect(code).toBe(7);
    expect(err).toContain('UND-MLFLOW');
    expect(err).toContain('Temporal: ready');
    expect(JSON.parse(out)).toMatchObject({ code: 'UND-MLFLOW', remedy: expect.stringContaining('MLFLOW_TRACKING_URI') });
  });
});

describe('the plan of a start', () => {
  const plan = (args: string[], env: NodeJS.ProcessEnv = {}, cwd = '/home/me') => planOf({ root: '/clone', args, env: { PATH: '/bin', ...env }, cwd });

  it.each([
    [['up'], 'unless-elsewhere'],
    [['up', '--help'], 'none'],
    [['doctor', '--json'], 'report'],
    [['evaluate', '--train', 'up'], 'none'],
    [[], 'none'],
    [['--test'], 'all'],
    [['--bench'], 'all'],
    [['--study'], 'none'],
    [['--check'], 'none'],
  ])('%j needs the servers: %s', (args, servers) => {
    expect(plan(args).servers).toBe(servers);
  });

  it('keeps tests away from servers that the environment names', () => {
    const env = { TEMPORAL_ADDRESS: 'cluster:7233', MLFLOW_TRACKING_URI: 'http://mlflow' };
    expect(plan(['--test'], env).env).not.toHaveProperty('TEMPORAL_ADDRESS');
    expect(plan(['--test'], env).env).not.toHaveProperty('MLFLOW_TRACKING_URI');
    expect(plan(['up'], env).env).toMatchObject(env);
  });

  it('runs where the user stands, also when npm has changed the directory', () => {
    expect(plan(['status']).cwd).toBe('/home/me');
    expect(plan(['status'], { npm_lifecycle_event: 'understudy', INIT_CWD: '/data' }, '/clone').cwd).toBe('/data');
    expect(plan(['status'], { npm_lifecycle_event: 'test', INIT_CWD: '/clone' }, '/tmp/elsewhere').cwd).toBe('/tmp/elsewhere');
  });
});
