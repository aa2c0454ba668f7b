import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openState } from '../activities/context.ts';
import { measureCounterfactual } from '../activities/evidence/measure-counterfactual.ts';
import type { CatalogItem } from '../models/contracts/catalog-item.ts';
import { type CharterInput, parseCharter } from '../models/contracts/charter.ts';
import { type SlateRecord, slateRecord } from '../models/contracts/slate.ts';
import { exposureShares } from '../models/slate/fair-exposure.ts';
import { adjustedSignificance, isFair } from '../models/slate/fair-top-k.ts';
import { openLogReader } from '../stores/event-log-files.ts';
import { putDocument } from '../stores/blobs.ts';
import { call, makeServedState, startReplica, testCharter } from './testing.ts';

/** Items of small makers are those that hardly anybody had: the last in each block of ten. */
const isSmall = (index: number): boolean => index % 10 >= 7;
const branded = (item: CatalogItem, index: number): CatalogItem => ({ ...item, brand: isSmall(index) ? 'small' : 'large' });
const group = { name: 'small-makers', by: 'brand' as const, values: ['small'] };
const common = { slate: { size: 8 }, exploration: { slots: 1, poolDepth: 40, floor: 0 } };
const smallOf = (itemId: string): number[] => (isSmall(Number(itemId.slice(1))) ? [0] : []);
const isOfGroup = (itemId: string): boolean => smallOf(itemId).length > 0;

/** A real replica that has answered so many people; what it recorded; and the replay of its log under a charter. */
async function serve(fairness: CharterInput['fairness'], requests: number) {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-fairness-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true, maxRetries: 5 }));
  const charter = fairness === undefined ? common : { ...common, fairness };
  const served = await makeServedState({ stateDir, itemCount: 100, charter, catalog: branded });
  const [champion, other] = [await served.train('popularity'), await served.train('item-knn')];
  await served.publish({ champion });
  const time = { nowMs: 1_800_000_000_000 };
  const serving = await startReplica(stateDir, { clock: () => time.nowMs });
  onTestFinished(() => serving.close());
  const ask = (userId: string) => call(`${serving.url}/v1/recommend`, { surface: 'home', userId });
  for (let user = 0; user < requests; user += 1) await ask(`u${user}`);
  time.nowMs += 70_000;
  await ask('late');
  await call(`${serving.url}/v1/admin/seal`, { surface: 'home' });
  const { records } = await openLogReader({ directory: join(stateDir, 'log', 'home', 'slates') }).tail({});
  const state = openState(stateDir);
  const slates = (await state.logReader('home', 'slates').sealed()) ?? [];
  const segments = await putDocument(state.blobs, { kind: 'log-segments', surface: 'home', slates, events: [] });
  const catalog = served.itemIds.map((itemId, index) => branded({ itemId, title: '', inStock: true }, index));
  return {
    records: records.map((record): SlateRecord => slateRecord.parse(record)).sort((a, b) => a.atMs - b.atMs),
    async largestWeight(under: CharterInput['fairness']): Promise<number> {
      const input = under === undefined ? { ...testCharter, ...common } : { ...testCharter, ...common, fairness: under };
      const rest = {
        charter: parseCharter(input),
        catalog,
        segments,
        sinceGeneration: 0,
        trainedUntilMs: 0,
        seed: 1,
        allowed: () => true,
        beat: () => undefined,
      };
      const { result } = await measureCounterfactual(state, { ...rest, candidate: champion, champion: other });
      return result?.maxWeight ?? Number.NaN;
    },
  };
}

describe('FA*IR', () => {
  const fairness = { method: 'fa-ir' as const, group, share: 0.4, depth: 60 };

  it('every slate is fair before it explores, and the replay of the log makes the same slates', async () => {
    const { records, largestWeight } = await serve(fairness, 20);
    const { table } = adjustedSignificance({ size: 8, share: 0.4, significance: 0.1 });
    for (const { exploration, deficits } of records) {
      expect(isFair(exploration?.baseItems ?? [], table, isOfGroup)).toBe(true);
      expect(deficits).toBeUndefined();
    }
    // Of a slate that is made as it was served a base item weighs 1 / (1 - 1/8), and one that was explored nothing.
    expect(await largestWeight(fairness)).toBeCloseTo(8 / 7, 10);
    expect(await largestWeight(undefined)).toBeGreaterThan(3);
  });
});

describe('exposure', () => {
  const fairness = { method: 'exposure' as const, groups: [{ ...group, minShare: 0.25 }], depth: 60 };

  it('the group comes to what it is owed, each record says what that was, and the replay makes the same slates of it', async () => {
    const { records, largestWeight } = await serve(fairness, 200);
    const shares = records.map(({ items }) => exposureShares(items, 1, smallOf)[0] as number);
    const late = shares.slice(100);
    const mean = late.reduce((sum, share) => sum + share, 0) / late.length;
    expect(mean).toBeGreaterThan(0.24);
    expect(mean).toBeLessThan(0.28);
    let behind = 0;
    for (const [place, { deficits, propensities }] of records.entries()) {
      expect(deficits).toEqual([expect.closeTo(behind, 9)]);
      expect(propensities).toHaveLength(8);
      behind = Math.max(0, behind + 0.25 - (shares[place] as number));
    }
    expect(await largestWeight(fairness)).toBeCloseTo(8 / 7, 10);
    expect(await largestWeight(undefined)).toBeGreaterThan(3);
  });

  it('without it the group has next to nothing', async () => {
    const { records } = await serve(undefined, 20);
    for (const { exploration } of records) expect(exposureShares(exploration?.baseItems ?? [], 1, smallOf)[0]).toBe(0);
  });
});
