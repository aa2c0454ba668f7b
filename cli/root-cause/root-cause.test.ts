import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { closeShop, copyOf, hourMs, livePast, openShopState, type Shop, usualVisits, visitAll, withReplicaAt } from '../../activities/root-cause/testing.ts';
import type { Diagnosis } from '../../models/contracts/root-cause.ts';
import { readEnvironment } from '../environment.ts';
import { writtenBy } from '../testing.ts';
import { rootCauseCommand } from './command.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
let shop: Shop;

beforeAll(async () => {
  const past = await openShopState();
  await livePast(past, seed);
  shop = await copyOf(past, 'incident');
  await shop.state.publish({ champion: shop.bad, championRelease: 'release-worse', previousChampion: shop.good, createdAtMs: shop.nowMs });
  const clock = { atMs: shop.nowMs };
  await withReplicaAt(shop, clock, (url) => visitAll([url], clock, { visits: usualVisits, seed: seed + 1 }));
}, 300_000);
afterAll(() => closeShop(shop));

const command = () => rootCauseCommand({ env: readEnvironment({}), cwd: shop.folder, now: () => shop.nowMs + hourMs + 60_000 });
const moment = (ms: number) => new Date(ms).toISOString();
const ask = (...more: string[]) =>
  writtenBy(() =>
    command().parseAsync(['home', '--state', shop.stateDir, '--from', moment(shop.nowMs), '--to', moment(shop.nowMs + hourMs), ...more], { from: 'user' }),
  );

it('names the layer, the suspects with what speaks for each, what it ruled out, and the mend, without any server', async () => {
  const text = await ask();
  expect(text).toMatch(/^layer {7}model/);
  expect(text).toMatch(/1 {2}new-artifact +model .*\+ 100 % of slates are of an artifact that went live now/);
  expect(text).toMatch(/duplicates +as many events as always/);
  expect(text).toMatch(/mend {8}rollback sha256:/);
  expect(text).toContain('drift: nothing was measured in the last six weeks');
});

it('writes one document, and a page with a picture', async () => {
  const path = join(shop.folder, 'cause.html');
  const { diagnosis, status } = JSON.parse(await ask('--dry-run', '--json', '--html', path)) as { diagnosis: Diagnosis; status: unknown };
  expect(diagnosis.suspects[0]?.cause).toBe('new-artifact');
  expect(status).toBeNull();
  const page = await readFile(path, 'utf8');
  expect(page).toMatch(/<h1>home: the model layer<\/h1>/);
  expect([...page.matchAll(/<circle /g)]).toHaveLength(15);
  expect(page).toContain('Proposed: rollback');
});

it('knows of no look where there was none', async () => {
  expect(await writtenBy(() => command().parseAsync(['list', 'home', '--state', shop.stateDir], { from: 'user' }))).toBe('Nobody has looked at home yet\n');
});

it('refuses what makes no sense', async () => {
  await expect(ask('--to', moment(shop.nowMs - 1))).rejects.toMatchObject({ code: 'UND-INPUT' });
});
