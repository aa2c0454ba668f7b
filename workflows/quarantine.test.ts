import { expect, inject, it, onTestFinished, vi } from 'vitest';
import { readLatest } from '../activities/context.ts';
import { quarantineCommand } from '../cli/quarantine/command.ts';
import { dataState } from '../models/contracts/window.ts';
import { readLedger } from '../stores/ledger.ts';
import { openWorld, type World } from './testing.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };

/** What the command prints for a program. */
async function ask<Answer>(world: World, ...argv: string[]): Promise<Answer> {
  const written: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  try {
    await quarantineCommand(world.command).parseAsync([argv[0] ?? '', world.surface, ...argv.slice(1), '--json', '--state', world.stateDir], { from: 'user' });
  } finally {
    spy.mockRestore();
  }
  return JSON.parse(written.join('')) as Answer;
}

it('what a replica put aside is mended by a person, enters the slice of its day, and the runs that read that day are named', async () => {
  const world = await openWorld({
    ...servers,
    charter: { data: { log: 'ingest', recordRules: { 'unknown-item': 'quarantine' } }, confidence: { purchase: 1, click: 0.2 } },
  });
  onTestFinished(() => world.close());
  await world.bootstrapped();
  await expect.poll(async () => (await fetch(new URL('/readyz', world.servingUrl))).status, { timeout: 20_000 }).toBe(200);
  const event = (eventId: string, itemId: string) => ({
    eventId,
    kind: 'click',
    surface: world.surface,
    userId: 'u1',
    sessionId: 's1',
    itemId,
    atMs: Date.parse('2026-03-06T10:30:00Z'),
  });
  const response = await fetch(new URL('/v1/events', world.servingUrl), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ events: [event('known', 'i001'), event('misspelt', 'I001')] }),
  });
  expect(await response.json()).toMatchObject({ accepted: 1, quarantined: 1 });

  const [run] = await world.retrain('item-knn');
  const data = async () => (await readLatest(world.state.generations, `data/${world.surface}`, dataState))?.document;
  const sliceOfLog = async () => (await data())?.slices.find(({ source }) => source === 'log');
  expect(await sliceOfLog()).toMatchObject({ day: '2026-03-06', rows: 1 });
  expect(await ask(world, 'list')).toMatchObject({ rows: [{ source: 'log', reason: 'unknown-item', rows: 1 }] });
  const { rows } = await ask<{ rows: { raw: string }[] }>(world, 'show', '--reason', 'unknown-item');
  expect(JSON.parse(rows[0]?.raw ?? '')).toMatchObject({ eventId: 'misspelt', itemId: 'I001' });

  const mend = ['mend', '--reason', 'unknown-item', '--replace', 'itemId:I001=i001'];
  expect(await ask(world, ...mend, '--dry-run')).toMatchObject({ outcomes: [{ counts: { input: 1, accepted: 1, quarantined: 0, duplicates: 0 } }] });
  expect(await sliceOfLog()).toMatchObject({ rows: 1 });
  await expect(ask(world, ...mend)).rejects.toMatchObject({ code: 'UND-INPUT' });
  const before = await sliceOfLog();
  const mended = await ask<{ dependents: { runId: string; changed: unknown[] }[] }>(world, ...mend, '--by', 'ann', '--why', 'the app wrote it in capitals');
  expect(mended).toMatchObject({ outcomes: [{ counts: { accepted: 1 }, days: 1 }] });
  expect(mended.dependents.find(({ runId }) => runId === run?.runId)?.changed).toEqual([{ day: '2026-03-06', source: 'log' }]);

  expect(await sliceOfLog()).toMatchObject({ day: '2026-03-06', rows: 2 });
  expect((await sliceOfLog())?.digest).not.toBe(before?.digest);
  expect(await ask(world, 'list')).toMatchObject({ rows: [] });
  await expect(ask(world, ...mend, '--by', 'ann', '--why', 'again')).rejects.toMatchObject({ code: 'UND-NOT-FOUND' });
  const entry = (await readLedger(world.state.generations, world.surface)).find(({ action }) => action === 'data-mended');
  expect(entry).toMatchObject({ by: 'ann', detail: { runsOnEarlierVersions: expect.arrayContaining([run?.runId]) } });
  // A retraining now reads the day as it is, and is other work than the one before.
  const [again] = await world.retrain('item-knn');
  expect(again?.runId).not.toBe(run?.runId);
});
