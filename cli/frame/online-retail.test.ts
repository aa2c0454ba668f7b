import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { readLatest } from '../../activities/context.ts';
import { ingestSource } from '../../activities/events/ingest-source.ts';
import { digestSource } from '../../activities/events/source-bytes.ts';
import { benchContext, openBench, quietBeat } from '../../activities/events/testing.ts';
import { newestDays, withFraming } from '../../activities/framing/open-framing.ts';
import { measureCheck, runCheck } from '../../activities/framing/run-check.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import { cutWindow } from '../../activities/windows/cut-window.ts';
import type { CharterAssumption } from '../../models/contracts/assumption.ts';
import { dataState } from '../../models/contracts/window.ts';
import { putDocument } from '../../stores/blobs.ts';
import { readEnvironment } from '../environment.ts';
import { loadSurfaceConfig } from '../surface-config.ts';
import { frameCommand } from './command.ts';

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

it('frames a real shop of which only the purchases are known', async () => {
  const out = join(bench.folder, 'framed.config.ts');
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  let text: string;
  try {
    const command = frameCommand({ env: readEnvironment({}), cwd: bench.folder, now: () => 1 });
    await command.parseAsync(['home', '--config', example, '--out', out, '--state', context.state.root], { from: 'user' });
    text = written.mock.calls.map(([part]) => String(part)).join('');
  } finally {
    written.mockRestore();
  }
  // The example's own comments know: a quarter of the lines is nobody's, and 43 % of what known customers buy late are repeats.
  expect(text).toMatch(/events with a known user +75\.6 %/);
  expect(text).toMatch(/later purchases that are repeats +43\.0 %/);
  expect(text).toMatch(/sasrec +no: [^\n]*\n +- most events of a user have the time of another/);
  expect(text).toMatch(/What follows: no click-through rate, no attribution/);
  expect(text).toMatch(/not known: click, dwell, add-to-cart, purchase, revenue: .*whoever did nothing is not in the data/);
  expect(text).not.toContain('NOT SUPPORTED');

  const { charter, source } = await loadSurfaceConfig(out);
  const before = await loadSurfaceConfig(example);
  // What was not measured stands as it was: nothing is known of the time that answers take.
  expect(charter.reward).toEqual(before.charter.reward);
  // The catalog is small enough for one more, an invoice is a session of many items that tell of each other, all at one time,
  // and nearly every item has a category and a price.
  const further = ['ease', 'session-knn', 'ncf'].map((algorithm) => expect.objectContaining({ algorithm }));
  expect(charter.candidates).toEqual([...before.charter.candidates, ...further]);
  expect(charter.release).toEqual(before.charter.release);
  expect(charter.window).toMatchObject({ trainDays: 336, gapDays: 1, testDays: 28 });
  expect(source).toEqual(before.source);

  const data = (await readLatest(context.state.generations, 'data/home', dataState))?.document;
  if (data === undefined) throw new Error('no data');
  expect(cutWindow({ dataState: data, charter, rulesDigest: data.ingest }).test).toEqual({ from: '2011-11-12', to: '2011-12-09' });
  const input = { data, days: newestDays(data, 365), settings: charter, blobs: context.state.blobs, workDir: bench.folder };
  const framed = (charter.assumptions as CharterAssumption[]).filter((one) => one.check !== undefined);
  expect(framed.length).toBeGreaterThan(10);
  const [first] = framed;
  if (first?.check !== undefined) expect(await runCheck(first.check, first.params, input)).toMatchObject({ value: first.value });
  await withFraming(input, async (framing) => {
    for (const { check, params, value, interval } of framed)
      expect(await measureCheck(framing, check, params)).toMatchObject({ value, ...(interval === undefined ? {} : { interval }) });
  });
}, 180_000);
