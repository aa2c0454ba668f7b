import { expect, it, onTestFinished } from 'vitest';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import { cutWindow } from '../windows/cut-window.ts';
import { addDays } from '../windows/days.ts';
import { openEvidence } from './testing.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;
const days = 40;
const window = { trainDays: 20, gapDays: 1, testDays: 5, rollingOrigins: 3 };
const happenings = happeningsOf(drawPurchases({ users: 200, items: 120, tastes: 6, faith: 0.7, perUser: 20, days, zipf: 0.8, fresh: 0, seed }), startMs);

async function open(change: Partial<typeof window> = {}) {
  const evidence = await openEvidence({ happenings, charter: { window: { ...window, ...change } }, nowMs: startMs + (days + 1) * dayMs });
  onTestFinished(() => evidence.close());
  return evidence;
}

it('each origin is the split that would have been cut on its day, its recipes trained then', async () => {
  const evidence = await open();
  const { train, measure, dataState, charter } = evidence;
  const [candidate, champion] = [await train('item-knn'), await train('popularity')];
  const { origins, metrics, lift, users } = await measure(candidate, champion);
  expect(origins).toMatchObject({ asked: 3, splits: [{ users, metrics, lift }, {}, {}] });
  expect(origins?.note).toBeUndefined();
  for (const [number, split] of (origins?.splits ?? []).entries()) {
    const asOfDay = addDays(evidence.window.test.to, -5 * number);
    const then = cutWindow({
      dataState,
      charter: { ...charter, window: { ...charter.window, rollingOrigins: 1 } },
      rulesDigest: evidence.window.rulesDigest,
      asOfDay,
    });
    expect([split.train, split.test]).toEqual([then.train, then.test]);
    const [mine, theirs] = [await train('item-knn', {}, then), await train('popularity', {}, then)];
    const alone = await measure(mine, theirs, { window: then, charter: { ...charter, window: { ...charter.window, rollingOrigins: 1 } } });
    expect(split).toEqual({ train: then.train, test: then.test, users: alone.users, metrics: alone.metrics, lift: alone.lift });
    expect(alone.origins).toBeUndefined();
  }
  const values = origins?.splits.map((split) => split.metrics['ndcg@10']?.value ?? 0) ?? [];
  expect(origins?.pooled['ndcg@10']).toMatchObject({ mean: expect.closeTo(values.reduce((sum, one) => sum + one, 0) / 3, 12), highest: Math.max(...values) });
  expect(origins?.pooledLift?.['ndcg@10']?.lowest).toBe(Math.min(...(origins?.splits.map((split) => split.lift?.['ndcg@10']?.value ?? 0) ?? [])));
});

it('there are as many as the data go back for, and a note where there are fewer', async () => {
  const { train, measure, window: cut } = await open({ rollingOrigins: 9 });
  // 26 days for the first split, 5 more for each one before it.
  expect(cut.earlier).toHaveLength(2);
  const { origins } = await measure(await train('popularity'));
  expect(origins).toMatchObject({ asked: 9, note: 'the data go back for 3 of 9 splits', pooledLift: null });
  expect(origins?.splits).toHaveLength(3);
});
