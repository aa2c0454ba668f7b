import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { slate } from '../../experiments/canary/testing-log.ts';
import type { Charter, CharterInput } from '../../models/contracts/charter.ts';
import type { DeploymentSpec } from '../../models/contracts/deployment.ts';
import type { FairnessRules } from '../../models/contracts/fairness.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { adjustedSignificance } from '../../models/slate/fair-top-k.ts';
import { putDocument } from '../../stores/blobs.ts';
import { createDeployment, latestDeployment } from '../../stores/deployments.ts';
import { openLogWriter } from '../../stores/event-log-files.ts';
import { registerCharter } from '../registry/charters.ts';
import { measureOwedExposure } from './measure-owed-exposure.ts';
import { judgeOwed } from './sections/fairness.ts';
import { openShop, type ShopWorld } from './testing-shop.ts';

/** An item of two groups counts for both; of what is shown, the first makes two thirds and the second one third. */
const exposure: CharterInput['fairness'] = {
  method: 'exposure',
  groups: [
    { name: 'most', by: 'category', values: ['c0', 'c1'], minShare: 0.4 },
    { name: 'some', by: 'category', values: ['c1'], minShare: 0.2 },
  ],
};
const perSlate: CharterInput['fairness'] = { method: 'fa-ir', group: { name: 'most', by: 'category', values: ['c0', 'c1'] }, share: 0.4 };

async function openOwing(fairness: CharterInput['fairness'], planted: Partial<ShopWorld> = {}) {
  const shop = await openShop(planted, fairness === undefined ? {} : { fairness });
  let writers = 0;
  const look = async (charter: Charter = shop.input.charter) => {
    const rules = charter.fairness as FairnessRules;
    const found = await measureOwedExposure(shop.context, { ...shop.input, charter, rules });
    return { found, item: judgeOwed(found, { rules, charter }) };
  };
  /** More slates of one unit. */
  const add = async (some: readonly Partial<SlateRecord>[]): Promise<SlateRecord[]> => {
    writers += 1;
    const writer = `w${writers}`;
    const slates = some.map((one, at) => slate({ requestId: `${writer}-${at}`, unit: 'u:1', atMs: shop.input.fromMs + at, generation: 1, ...one }));
    const log = await openLogWriter({ directory: join(shop.context.state.root, 'log', 'home', 'slates'), writer });
    await log.append(slates);
    await log.close();
    return slates;
  };
  return { ...shop, look, add };
}

const mean = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length;
const isOf = (itemId: string, sorts: readonly number[]): boolean => sorts.includes(Number(itemId.slice(1)) % 3);
/** The mean over units of what is counted of a slate. */
function byHand(slates: readonly SlateRecord[], count: (slate: SlateRecord) => number): number {
  const ofModel = slates.filter(({ rung, items }) => rung === 'model' && items.length > 0);
  return mean([...Map.groupBy(ofModel, ({ unit }) => unit).values()].map((own) => mean(own.map(count))));
}
const exposureOf =
  (sorts: readonly number[]) =>
  ({ items }: SlateRecord): number => {
    const worth = items.map((_, place) => 1 / Math.log2(place + 2));
    return items.reduce((sum, itemId, place) => sum + (isOf(itemId, sorts) ? (worth[place] as number) : 0), 0) / worth.reduce((sum, one) => sum + one, 0);
  };

describe('what slates gave to groups of items', () => {
  it('is counted as by hand: of the model alone, a unit once, items as the deployment knew them', { timeout: 60_000 }, async () => {
    const { context, input, log, look, add } = await openOwing(exposure, { users: 120, fallbackEvery: 10 });
    const { generations, blobs } = context.state;
    const spec = (await latestDeployment(generations, 'home')) as DeploymentSpec;
    const catalog = await putDocument(blobs, [{ itemId: 'i0', title: 'now of another sort', category: 'c2', inStock: true }]);
    await createDeployment(generations, { ...spec, generation: 9, replaces: 8, operationId: 'day-8', catalog });
    const sorted = await add([{ items: ['i0', 'i2'] }, { items: [] }]);
    const resorted = await add([{ items: ['i0'], generation: 9 }]);
    await add([{ items: ['i0'], generation: 99 }]);
    const { found } = await look();
    expect(found).toMatchObject({ sinceMs: input.fromMs, slates: 8 * 108 + 3, measured: 8 * 108 + 2, units: 108 });
    const shareOf = (sorts: readonly number[]) => byHand([...log.slates, ...sorted, ...resorted], (one) => (one.generation === 9 ? 0 : exposureOf(sorts)(one)));
    const shares = [shareOf([0, 1]) / 0.4, shareOf([1]) / 0.2];
    expect(found.groups.map(({ group }) => group)).toEqual(['most', 'some']);
    for (const [group, { ratio }] of found.groups.entries()) {
      expect(ratio.value).toBeCloseTo(shares[group] as number, 10);
      expect([ratio.low < ratio.value, ratio.value < ratio.high]).toEqual([true, true]);
    }
    const { charter } = await registerCharter(context.state, { ...input.charter, fairness: perSlate }, input.toMs);
    expect((await look(charter)).found).toMatchObject({ measured: 0, groups: [] });
  });

  it('is by slates where each is owed them, and by the table of as many places as were asked for', { timeout: 60_000 }, async () => {
    const quiet = await openOwing(perSlate);
    const others = ['i2', 'i5', 'i8', 'i11', 'i14'];
    const added = await quiet.add([{ items: others }, { items: others, count: 20 }, { items: others.slice(0, 4) }]);
    const { found, item } = await quiet.look();
    const tables = new Map([5, 20].map((size) => [size, adjustedSignificance({ size, share: 0.4, significance: 0.1 }).table]));
    const isFair = ({ items, count = 5 }: SlateRecord): number =>
      Number(items.every((_, place) => items.slice(0, place + 1).filter((one) => isOf(one, [0, 1])).length >= (tables.get(count)?.[place] ?? 0)));
    expect(added.map(isFair)).toEqual([0, 1, 1]);
    expect(found.groups.map(({ group }) => group)).toEqual(['most']);
    expect(found.groups[0]?.ratio.value).toBeCloseTo(byHand([...quiet.log.slates, ...added], isFair), 10);
    expect(item).toMatchObject({ id: 'fairness/owed', status: 'holds' });
    const { look } = await openOwing({ ...perSlate, group: { name: 'rare', by: 'category', values: ['c2'] } }, { hidden: 'c2' });
    expect((await look()).item).toMatchObject({
      status: 'broken',
      says: expect.stringMatching(/^rare has .* of the slates as it is owed, explored places included$/),
    });
  });

  it('is not held against slates of before the rules, nor against those that no release has told of them', { timeout: 60_000 }, async () => {
    const { context, input, look } = await openOwing(undefined, { users: 120, hidden: 'c1' });
    const later = await registerCharter(context.state, { ...input.charter, fairness: exposure }, input.fromMs);
    const untold = await look(later.charter);
    expect(untold.found).toMatchObject({ sinceMs: input.fromMs, slates: 960, measured: 0, units: 0 });
    expect(untold.item).toMatchObject({ status: 'not-measured', says: expect.stringContaining("0 of the model's 960 slates were made by these rules") });
    const other = { ...input.charter, fairness: perSlate };
    await registerCharter(context.state, other, input.fromMs + 1);
    const dayMs = 86_400_000;
    await registerCharter(context.state, later.charter, input.fromMs + 2 * dayMs);
    // Another charter with the same rules begins nothing.
    const renamed = await registerCharter(context.state, { ...later.charter, title: 'Start' }, input.fromMs + 7 * dayMs);
    expect((await look(renamed.charter)).found).toMatchObject({ sinceMs: input.fromMs + 2 * dayMs, slates: 720 });
    const { charter } = await registerCharter(context.state, other, input.toMs);
    expect(await look(charter)).toMatchObject({ found: { sinceMs: input.toMs, slates: 0 }, item: { status: 'not-measured' } });
  });
});
