import { expect, it, onTestFinished } from 'vitest';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import { openEvidence } from './testing.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;
const tastes = 6;
const items = 120;
const happenings = happeningsOf(drawPurchases({ users: 200, items, tastes, faith: 0.8, perUser: 15, days: 30, zipf: 0.8, fresh: 0, seed }), startMs);
/** What is of one taste has a title alike, so that a good ranking is one of things that are alike. */
const catalog = Array.from(
  { length: items },
  (_, item): CatalogItem => ({ itemId: `i${item}`, title: `thing ${item}`, category: `taste ${item % tastes}`, inStock: true }),
);

async function open(weight: number) {
  const charter = { window: { trainDays: 20, gapDays: 1, testDays: 7 }, slate: { diversity: { weight, depth: 40 } } };
  const evidence = await openEvidence({ happenings, catalog, charter, nowMs: startMs + 31 * dayMs });
  onTestFinished(() => evidence.close());
  return evidence.measure(await evidence.train('item-knn'));
}

it('shows what each weight would make of the rankings; at the charter its own figures, at 0 those without', async () => {
  const [plain, diverse] = [await open(0), await open(0.3)];
  const names = ['ndcg@10', 'recall@10', 'novelty@10', 'serendipity@10', 'diversity@10', 'long-tail@10'];
  const values = (metrics: Record<string, { value: number }> | undefined) => names.map((name) => metrics?.[name]?.value);
  const at = (weight: number, { frontier }: typeof plain = diverse) => frontier?.points.find((point) => point.weight === weight);
  expect(diverse.frontier).toMatchObject({ users: plain.users, depth: 40, chosen: 0.3 });
  expect(diverse.frontier?.points.map(({ weight }) => weight)).toEqual([0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9]);
  expect(values(at(0)?.metrics)).toEqual(values(plain.metrics).map((value) => expect.closeTo(value ?? Number.NaN, 12)));
  expect(values(at(0.3)?.metrics)).toEqual(values(diverse.metrics).map((value) => expect.closeTo(value ?? Number.NaN, 12)));
  expect(at(0.3, plain)).toEqual(at(0.3));
  for (const name of names) {
    expect(at(0)?.lift[name]).toEqual({ value: 0, low: 0, high: 0 });
    expect(at(0.9)?.lift[name]?.value).toBeCloseTo((at(0.9)?.metrics[name]?.value ?? 0) - (at(0)?.metrics[name]?.value ?? 0), 12);
  }
  // What is alike is what each user wants: it is paid for.
  expect(at(0.9)?.lift['diversity@10']?.low).toBeGreaterThan(0.1);
  expect(at(0.9)?.lift['ndcg@10']?.high).toBeLessThan(0);
});
