import { expect, inject, it, onTestFinished } from 'vitest';
import { findRunRecord } from '../activities/registry/runs.ts';
import { parquetRows } from '../activities/events/testing.ts';
import { readLatest } from '../activities/context.ts';
import { ingestCommand } from '../cli/commands/ingest.ts';
import { dataState, type SliceReference, windowManifest } from '../models/contracts/window.ts';
import { getDocument } from '../stores/blobs.ts';
import { openWorld, type World } from './testing.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };

async function open(charter: Record<string, unknown>): Promise<World> {
  const world = await openWorld({ ...servers, charter: { timeZone: 'Pacific/Auckland', confidence: { purchase: 1, click: 0.2 }, ...charter } });
  onTestFinished(() => world.close());
  await world.bootstrapped();
  await expect.poll(async () => (await fetch(new URL('/readyz', world.servingUrl))).status, { timeout: 20_000 }).toBe(200);
  return world;
}

/** What a visitor does; the file ends on 5 March. */
const event = (world: World, eventId: string, at: string) => ({
  eventId,
  kind: 'click',
  surface: world.surface,
  userId: 'u1',
  sessionId: 's1',
  itemId: 'i001',
  atMs: Date.parse(at),
});

async function post(world: World, events: object[]): Promise<{ accepted: number; duplicate: number }> {
  const response = await fetch(new URL('/v1/events', world.servingUrl), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ events }),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as { accepted: number; duplicate: number };
}

const data = async (world: World) => (await readLatest(world.state.generations, `data/${world.surface}`, dataState))?.document;

/** Ids of the events by day, of the slices that came by the log. */
async function logged(world: World, slices: readonly SliceReference[]): Promise<[string, string[]][]> {
  const ofLog = slices.filter(({ source }) => source === 'log');
  return Promise.all(
    ofLog.map(async ({ day, digest }) => [day, (await parquetRows<{ event_id: string }>({ blobs: world.state.blobs, digest })).map((row) => row.event_id)]),
  );
}

it('what visitors did stands in the next window once, on the days of the surface, however often the log is ingested', async () => {
  const world = await open({});
  // In Auckland it is 13 hours later: half past eleven at night, and half past midnight.
  const events = [event(world, 'late', '2026-03-06T10:30:00Z'), event(world, 'early', '2026-03-06T11:30:00Z')];
  expect(await post(world, events)).toMatchObject({ accepted: 2 });
  expect(await post(world, events)).toMatchObject({ duplicate: 2 });

  expect(await world.ingestLog()).toMatchObject({ generation: 2, counts: { input: 2, accepted: 2 }, days: 2 });
  expect(await world.ingestLog()).toMatchObject({ generation: 2, counts: { input: 0 } });
  await ingestCommand(world.command).parseAsync([world.surface, '--log', '--state', world.stateDir], { from: 'user' });
  expect(await data(world)).toMatchObject({ generation: 2 });
  const [run] = await world.retrain('item-knn');
  const record = await findRunRecord(world, run?.runId ?? '');
  const window = await getDocument(world.state.blobs, record?.window ?? '', windowManifest);
  const expected = [
    ['2026-03-06', ['late']],
    ['2026-03-07', ['early']],
  ];
  expect(await logged(world, [...window.trainSlices, ...window.testSlices])).toEqual(expected);
  expect(window.test.to).toBe('2026-03-07');
  // The file once more changes nothing of it.
  await world.ingest();
  expect(await logged(world, (await data(world))?.slices ?? [])).toEqual(expected);
});

it('a retraining takes in what visitors did since, where the charter says so', async () => {
  const world = await open({ data: { log: 'ingest' } });
  await post(world, [event(world, 'first', '2026-03-06T10:30:00Z')]);
  await world.retrain('item-knn');
  expect(await logged(world, (await data(world))?.slices ?? [])).toEqual([['2026-03-06', ['first']]]);
  await post(world, [event(world, 'second', '2026-03-06T10:40:00Z')]);
  await world.retrain('item-knn');
  expect(await logged(world, (await data(world))?.slices ?? [])).toEqual([['2026-03-06', ['first', 'second']]]);
  const profiles = await world.state.generations.latest(`profiles/${world.surface}`);
  expect(profiles?.document).toMatchObject({ throughMs: Date.parse('2026-03-06T10:40:00Z') });
});
