import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { DecayStudy } from '../../activities/decay/measure-decay.ts';
import { ingestSource } from '../../activities/events/ingest-source.ts';
import { digestSource } from '../../activities/events/source-bytes.ts';
import { benchContext, openBench, quietBeat } from '../../activities/events/testing.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import { isWellFormed } from '../../experiments/pictures/testing.ts';
import { putDocument } from '../../stores/blobs.ts';
import { readEnvironment } from '../environment.ts';
import { loadSurfaceConfig } from '../surface-config.ts';
import { addDecayOptions, runDecay } from './command-part.ts';

const example = join(import.meta.dirname, '../../examples/online-retail/understudy.config.ts');
let bench: Awaited<ReturnType<typeof openBench>>;
let context: ReturnType<typeof benchContext>;
beforeAll(async () => {
  bench = await openBench();
  context = benchContext(join(bench.folder, 'state'), { now: () => Date.UTC(2012, 0, 1) });
  const { input, source } = await loadSurfaceConfig(example);
  const { digest } = await registerCharter(context.state, input, 1);
  const path = source?.file ?? '';
  const mapping = await putDocument(context.state.blobs, source?.mapping);
  await ingestSource(context, { surface: 'home', charter: digest, mapping, source: { path, ...(await digestSource(path)) }, endsAt: null }, quietBeat);
}, 180_000);
afterAll(() => bench.close());

/** As `frame SURFACE --decay` calls it. */
async function decay(...args: string[]): Promise<string> {
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    const surroundings = { env: readEnvironment({}), cwd: bench.folder, now: Date.now };
    const command = addDecayOptions(new Command('frame').argument('<surface>').option('--picture <file>').option('--state <dir>').option('--json'));
    command.action((surface, options) => runDecay(surroundings, surface, options));
    await command.parseAsync(['home', '--decay', '--state', context.state.root, ...args], { from: 'user' });
    return written.mock.calls.map(([part]) => String(part)).join('');
  } finally {
    vi.restoreAllMocks();
  }
}

it('says of a real shop how its most popular items age, and that last year is no guide to this month', { timeout: 180_000 }, async () => {
  const study = JSON.parse(await decay('--origins', '1', '--picture', 'decay.svg', '--json')) as DecayStudy;
  // Nothing serves yet: the bootstrap candidate.
  expect(study).toMatchObject({ surface: 'home', candidate: 'popularity', metric: 'ndcg@10', margin: 0.05, warm: null });
  expect(study.models).toEqual({ asked: 10, measured: 10, fromEarlier: 0 });
  expect(study.tests).toEqual([{ from: '2011-12-03', to: '2011-12-09', users: expect.any(Number) }]);
  expect(study.ages.map(({ weeks }) => weeks)).toEqual([0, 1, 2, 4, 8]);
  const [fresh, , , , old] = study.ages;
  expect(old?.quality?.value).toBeLessThan(fresh?.quality?.value ?? 0);
  // Christmas: what sold in spring is not what is wanted in December.
  expect(study.histories.map(({ months }) => months)).toEqual([1, 2, 3, 6, 12]);
  expect(study.histories.at(-1)?.change?.high).toBeLessThan(-0.2);
  expect(study.recommended.window).toMatchObject({ choice: { days: expect.any(Number) } });
  expect(study.recommended.window.choice.days).toBeLessThanOrEqual(61);
  expect(study.recommended.mode.choice).toBe('snapshot');
  const svg = await readFile(join(bench.folder, 'decay.svg'), 'utf8');
  expect(isWellFormed(svg)).toBe(true);
  expect(svg.match(/<circle/g)).toHaveLength(10);

  // The same again costs reading, and the table says the same.
  const text = await decay('--origins', '1', '--candidate', 'popularity', '--minutes', '1');
  expect(text).toMatch(/10 of 10 models/);
  expect(text).toMatch(/8 weeks +1 +\d+ +\d+ +\d+\.\d s +0\.\d{4} \[0\.\d{4}, 0\.\d{4}\] +-\d+\.\d % \[/);
  expect(text).toMatch(/the best +-\n|the best +[-+]\d/);
  expect(text).toContain(study.recommended.cadence.says);
  expect(text).toContain(study.recommended.window.says);
});

it('refuses what is not there', async () => {
  await expect(decay('--candidate', 'nobody')).rejects.toMatchObject({
    code: 'UND-INPUT',
    message: expect.stringContaining('popularity, item-knn, ials, buy-again'),
  });
  const surroundings = { env: readEnvironment({}), cwd: bench.folder, now: Date.now };
  await expect(runDecay(surroundings, 'elsewhere', { minutes: 1, state: context.state.root })).rejects.toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
});
