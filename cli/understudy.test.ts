import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { beforeAll, describe, expect, it } from 'vitest';
import { createProgram } from './program.ts';

const entry = fileURLToPath(new URL('./understudy.ts', import.meta.url));
const charterModule = new URL('../models/contracts/charter.ts', import.meta.url).href;

/** The command as a user runs it, with nothing up. */
async function understudy(args: readonly string[], env: Record<string, string> = {}): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { TEMPORAL_ADDRESS: _address, ...inherited } = process.env;
  const child = spawn(process.execPath, [entry, ...args], { env: { ...inherited, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err]: [string[], string[]] = [[], []];
  child.stdout.setEncoding('utf8').on('data', (text: string) => void out.push(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void err.push(text));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stdout: out.join(''), stderr: err.join('') };
}

const exampleConfig = new URL('../examples/online-retail/understudy.config.ts', import.meta.url).href;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'understudy-cli-'));
  await writeFile(
    join(folder, 'three-mistakes.ts'),
    `import { defineSurface } from ${JSON.stringify(charterModule)};\nexport default defineSurface({ surface: 'Not A Name', title: '', owners: [] } as never);\n`,
  );
  await writeFile(
    join(folder, 'together.ts'),
    `import good from ${JSON.stringify(exampleConfig)};
const release = { ...good.release, canary: { ...good.release.canary, minUnits: [1] } };
export default { ...good, objective: 'fame', bootstrap: 'nobody', release };\n`,
  );
  await writeFile(join(folder, 'broken.ts'), 'export default {');
  await writeFile(join(folder, 'truncated.parquet'), 'PAR1 and then nothing');
  await writeFile(join(folder, 'train.csv'), 'user,item\na,x\na,y\nb,x\n');
  return () => rm(folder, { recursive: true, force: true });
});

describe('a command that cannot be done says so: one document on stdout, a code, what to do, its exit code, and nothing written', () => {
  const cases: [args: string[], code: string, exit: number, says: RegExp][] = [
    [['status', 'nope'], 'UND-UNKNOWN-SURFACE', 2, /nope/],
    [['runs', '../etc'], 'UND-', 2, /etc/],
    [['retrain', 'home'], 'UND-UNKNOWN-SURFACE', 2, /home/],
    [['retrain', 'home', '--guest', '.', '--name', 'A B'], 'UND-INPUT', 2, /--name/],
    [['approve', 'home'], 'UND-INPUT', 2, /--by/],
    [['reject', 'home', '--by', 'me'], 'UND-INPUT', 2, /--why/],
    [['approve', 'home', '--by', 'me'], 'UND-TEMPORAL', 7, /TEMPORAL_ADDRESS/],
    [['abort', 'home', '--by', 'me', '--why', 'x'], 'UND-NO-REQUEST', 5, /home/],
    [['root-cause', 'approve', 'root-cause/home/1/2', '--by', 'me'], 'UND-TEMPORAL', 7, /TEMPORAL_ADDRESS/],
    [['root-cause', 'list', 'nope'], 'UND-UNKNOWN-SURFACE', 2, /nope/],
    [['escalations', 'resolve', 'r-0', '--by', 'me', '--why', 'x'], 'UND-NOT-FOUND', 2, /r-0/],
    [['alerts', 'silence', 'nothing', '--by', 'me', '--why', 'x', '--until', '1h'], 'UND-NOT-FOUND', 2, /nothing/],
    [['rerun', 'retrain/home/1/2'], 'UND-TEMPORAL', 7, /Temporal/],
    [['simulate', 'home', '--slates', 'many'], 'UND-INPUT', 2, /whole number/],
    [['ingest', '--config', 'three-mistakes.ts'], 'UND-CHARTER', 2, /surface[\s\S]*title[\s\S]*owners/],
    [['retrain', 'home', '--config', 'together.ts'], 'UND-CHARTER', 2, /3 mistakes.*objective.*bootstrap.*minUnits/],
    [['ingest', '--config', 'broken.ts'], 'UND-CHARTER', 2, /cannot be loaded/],
    [['ingest', '--config', 'not-there.ts'], 'UND-FILE', 2, /not-there/],
    [['init', 'truncated.parquet', '--yes'], 'UND-FILE', 2, /truncated/],
    [['evaluate', '--train', 'train.csv', '--test', 'truncated.parquet', '--model', 'popularity'], 'UND-FILE', 2, /truncated/],
    [['evaluate', '--train', 'train.csv', '--test', 'train.csv', '--model', 'magic'], 'UND-INPUT', 2, /magic/],
    [['no-such-command'], 'UND-INPUT', 2, /no-such-command/],
    [['approve', '../etc', '--by', 'me'], 'UND-INPUT', 2, /etc/],
    [['abort', 'home', '--by', '', '--why', 'x'], 'UND-INPUT', 2, /--by/],
    [['status', '--state', ''], 'UND-INPUT', 2, /--state/],
    [['help', 'nothing'], 'UND-INPUT', 2, /nothing/],
    [['status', '--no-such-option'], 'UND-INPUT', 2, /no-such-option/],
    [['up', '--port', 'abc'], 'UND-INPUT', 2, /port/],
    [['up', '--ends-at', '2026-02-30'], 'UND-INPUT', 2, /ends-at/],
    [['up', '--config', 'three-mistakes.ts'], 'UND-CHARTER', 2, /surface[\s\S]*title[\s\S]*owners/],
  ];
  it.each(cases)('%j', async (args, code, exit, says) => {
    const state = join(folder, `state-${args.join('-').replaceAll(/[^a-z]/g, '')}`);
    const ended = await understudy([...args, '--json'], { UNDERSTUDY_CWD: folder, UNDERSTUDY_STATE: state });
    expect({ exit: ended.code, stdout: ended.stdout, stderr: ended.stderr }).toMatchObject({ exit, stdout: expect.stringContaining(code) });
    const document = JSON.parse(ended.stdout) as { code: string; detail: string; remedy: string };
    expect(`${document.detail} ${JSON.stringify(document)}`).toMatch(says);
    expect(document.remedy).not.toBe('');
    expect(existsSync(state)).toBe(false);
    expect(ended.stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
  });

  it.each([
    ['status', 'home'],
    ['abort', 'home', '--by', 'me', '--why', 'x'],
    ['up', '--once'],
  ])('a state directory that is a file: %s', async (...args) => {
    const ended = await understudy([...args, '--state', join(folder, 'broken.ts'), '--json']);
    expect(ended.code).toBe(7);
    expect(JSON.parse(ended.stdout)).toMatchObject({ code: 'UND-STATE', detail: expect.stringContaining('broken.ts') });
    expect(ended.stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
  });

  it('a stored document that does not read: status', async () => {
    const state = join(folder, 'unreadable');
    await mkdir(join(state, 'series', 'charter', 'home'), { recursive: true });
    await writeFile(join(state, 'series', 'charter', 'home', '00000001.json'), '{"kind":"charter"}');
    const ended = await understudy(['status', '--state', state, '--json']);
    expect(ended.code).toBe(7);
    expect(JSON.parse(ended.stdout)).toMatchObject({ code: 'UND-STATE', mistakes: [{ path: '/charter' }, { path: '/atMs' }] });
  });

  it('says the code to a person too', async () => {
    const { code, stdout, stderr } = await understudy(['approve', 'home']);
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(/^UND-INPUT: .*--by.*\n.*--help/) });
  });

  it('names every mistake in the environment', async () => {
    const ended = await understudy(['status', '--json'], { UNDERSTUDY_STATE: '', UNDERSTUDY_APPROVER_KEY: 'short', MLFLOW_TRACKING_URI: 'not a url' });
    expect(ended.code).toBe(2);
    const { code, mistakes } = JSON.parse(ended.stdout) as { code: string; mistakes: { path: string }[] };
    expect(code).toBe('UND-ENVIRONMENT');
    expect(mistakes.map(({ path }) => path)).toEqual(expect.arrayContaining(['/UNDERSTUDY_STATE', '/UNDERSTUDY_APPROVER_KEY', '/MLFLOW_TRACKING_URI']));
    expect(ended.stdout + ended.stderr).not.toContain('short');
  });
});

it('a reader who closes early is no error', async () => {
  const child = spawn(process.execPath, [entry, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  const said: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => void said.push(text));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  expect({ code, said: said.join('') }).toEqual({ code: 0, said: '' });
});

it('an explanation is a document too, where one is asked for', async () => {
  const { code, stdout } = await understudy(['status', '--help', '--json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ help: expect.stringContaining('Usage: understudy status') });
});

it('every command explains itself', async () => {
  const program = createProgram({});
  const help = (await understudy(['--help'])).stdout;
  for (const name of ['up', 'init', 'ingest', 'retrain', 'approve', 'reject', 'abort', 'rollback', 'status', 'runs', 'rerun', 'evaluate', 'simulate', 'doctor'])
    expect(help).toMatch(new RegExp(`^ {2}${name} `, 'm'));
  const leaves: string[] = [];
  const explain = (command: Command, path: string): void => {
    expect(command.description(), path).not.toBe('');
    for (const part of command.commands) explain(part, `${path} ${part.name()}`);
    if (command.commands.length > 0) return;
    leaves.push(path);
    expect(command.helpInformation(), path).toContain('--json');
    for (const option of command.options) expect(option.description, `${path} ${option.flags}`).not.toBe('');
    for (const argument of command.registeredArguments) expect(argument.description, `${path} ${argument.name()}`).not.toBe('');
  };
  explain(program, 'understudy');
  expect(leaves.length).toBeGreaterThan(40);
});
