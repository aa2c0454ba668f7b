import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { ReleaseOutcome, RunRecord } from '../../models/contracts/release.ts';
import { acts } from '../demo/acts.ts';
import type { ActResult } from '../demo/story.ts';
import type { Told } from '../demo/story-ending.ts';
import { readEnvironment } from '../environment.ts';
import { runDirectory } from '../system/pid-file.ts';
import type { SystemOptions } from '../system/start-system.ts';
import { type Steps, upCommand } from './up.ts';

const results = (outcomes: readonly ReleaseOutcome[]): Told => ({
  afterwards: [],
  acts: outcomes.map((outcome, index) => ({
    act: acts[index] as ActResult['act'],
    run: { runId: `run-${index}`, artifact: 'sha256:0' } as RunRecord,
    outcome,
    why: 'because',
    seconds: 1,
    evidence: 'sha256:1',
  })),
});

/** `up --json` with steps of the test's own: what it writes on stdout, and how it ends. */
async function up(args: readonly string[], steps: Partial<Steps> = {}) {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-up-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true }));
  const said = { stopped: 0, ports: {} as SystemOptions['ports'], written: [] as string[], error: undefined as unknown };
  const command = upCommand(
    { env: readEnvironment({}), cwd: stateDir, now: Date.now },
    {
      start: async (options) => {
        mkdirSync(runDirectory(stateDir), { recursive: true });
        said.ports = options.ports;
        const stop = async () => {
          said.stopped += 1;
        };
        return { temporalAddress: 'here:7233', temporalUiUrl: null, mlflowUrl: 'http://mlflow', servingUrl: 'http://serving', children: [], stop };
      },
      playExample: async () => results(acts.map((act) => act.expected)),
      firstRun: async () => ({ champion: 'sha256:2', generation: 1 }),
      ...steps,
    },
  );
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => said.written.push(String(text)) > 0);
  const silent = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const exitCode = process.exitCode;
  try {
    await command
      .exitOverride()
      .parseAsync(['--json', '--state', stateDir, ...args], { from: 'user' })
      .catch((error: unknown) => {
        said.error = error;
      });
    return { ...said, exitCode: process.exitCode };
  } finally {
    process.exitCode = exitCode;
    write.mockRestore();
    silent.mockRestore();
  }
}
const documentOf = ({ written }: { written: string[] }) => JSON.parse(written.join('')) as Record<string, unknown>;
const config = new URL('../../examples/online-retail/understudy.config.ts', import.meta.url).pathname;

it('the story is one document', async () => {
  const ended = await up(['--once']);
  expect(documentOf(ended)).toMatchObject({ surface: 'home', servingUrl: 'http://serving', acts: [{}, {}, {}, { outcome: 'rolled-back' }] });
  expect(ended).toMatchObject({ error: undefined, stopped: 1 });
});

it('a story that ends otherwise is one document and an error', async () => {
  const ended = await up(['--once'], { playExample: async () => results(['promoted', 'refused']) });
  expect(documentOf(ended)).toMatchObject({ acts: [{ outcome: 'promoted' }, { outcome: 'refused', expected: 'promoted' }] });
  expect(ended).toMatchObject({ error: { code: 'UND-GATE' }, stopped: 1 });
});

it("one's own surface is one document", async () => {
  const ended = await up(['--once', '--config', config]);
  expect(documentOf(ended)).toMatchObject({ surface: 'home', champion: 'sha256:2', generation: 1, servingUrl: 'http://serving' });
  expect(ended).toMatchObject({ error: undefined, stopped: 1 });
});

it('a system and nothing else is one document', async () => {
  const ended = await up(['--once', '--no-story', '--port', '0']);
  expect(documentOf(ended)).toMatchObject({ servingUrl: 'http://serving', temporalAddress: 'here:7233' });
  expect(ended).toMatchObject({ error: undefined, stopped: 1, ports: { serving: 0 } });
});

it.each([['--once'], ['--once', '--config', config]])('a stop before the end is one document, %j', async (...args) => {
  const interrupt = () => {
    process.emit('SIGINT');
    return new Promise<never>(() => undefined);
  };
  const ended = await up(args, { playExample: interrupt, firstRun: interrupt });
  expect(documentOf(ended)).toMatchObject({ stopped: true, servingUrl: 'http://serving' });
  expect(ended).toMatchObject({ error: undefined, stopped: 1, exitCode: 130 });
});

it('mistakes come before the start', async () => {
  const start = vi.fn<Steps['start']>();
  expect(await up(['--config', 'nowhere.ts'], { start })).toMatchObject({ error: { code: 'UND-FILE' }, written: [] });
  for (const args of [
    ['--port', 'abc'],
    ['--port', '65536'],
    ['--port', ''],
    ['--ends-at', 'soon'],
    ['--ends-at', '2026-02-30'],
  ])
    expect(await up(args, { start }), args.join(' ')).toMatchObject({ error: { code: 'commander.invalidArgument' }, written: [] });
  expect(start).not.toHaveBeenCalled();
});
