import { expect, it, onTestFinished } from 'vitest';
import { fairnessGate } from '../../experiments/gates/fairness.ts';
import type { GateInput } from '../../experiments/gates/gate.ts';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { CharterInput } from '../../models/contracts/charter.ts';
import { fairnessRules } from '../../models/contracts/fairness.ts';
import { openEvidence } from './testing.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;
const [tastes, items] = [6, 120];
const happenings = happeningsOf(drawPurchases({ users: 400, items, tastes, faith: 0.8, perUser: 15, days: 30, zipf: 0.8, fresh: 0, seed }), startMs);
/** One item in ten is of a small maker, whatever people like. */
const catalog = Array.from(
  { length: items },
  (_, item): CatalogItem => ({ itemId: `i${item}`, title: `thing ${item}`, brand: item % 10 === 3 ? 'small' : 'large', inStock: true }),
);
const small = { name: 'small-makers', by: 'brand' as const, values: ['small'] };

async function open(fairness?: CharterInput['fairness']) {
  const charter = { window: { trainDays: 20, gapDays: 1, testDays: 7 }, ...(fairness === undefined ? {} : { fairness }) };
  const evidence = await openEvidence({ happenings, catalog, charter, nowMs: startMs + 31 * dayMs });
  onTestFinished(() => evidence.close());
  return evidence.measure(await evidence.train('item-knn'));
}
const gate = (fairness: CharterInput['fairness'], measured: Awaited<ReturnType<typeof open>>) =>
  fairnessGate({ charter: { fairness: fairnessRules.parse(fairness) }, draft: measured } as unknown as GateInput);

it('exposure: what is asked is there in the balance, less of it for less, and the price rises; the report’s own figures pay it', async () => {
  const fairness: CharterInput['fairness'] = { method: 'exposure', groups: [{ ...small, minShare: 0.3 }], limits: { ndcgCost: 1 } };
  const [plain, fair] = [await open(), await open(fairness)];
  expect(plain.fairness).toBeUndefined();
  const points = fair.fairness?.points ?? [];
  const at = (scale: number) => points.find((point) => point.scale === scale);
  const share = (scale: number) => at(scale)?.exposure['small-makers']?.value ?? Number.NaN;
  expect(points.map(({ scale }) => scale)).toEqual([0, 0.25, 0.5, 0.75, 1, 1.25, 1.5]);
  expect(at(0)?.metrics['ndcg@10']?.value).toBeCloseTo(plain.metrics['ndcg@10']?.value ?? Number.NaN, 12);
  expect(at(0)?.lift['ndcg@10']).toEqual({ value: 0, low: 0, high: 0 });
  expect(share(0)).toBeLessThan(0.2);
  expect(share(1)).toBeGreaterThan(0.28);
  expect(share(1)).toBeLessThan(0.33);
  expect(share(1.5)).toBeGreaterThan(share(1));
  // Who wants one thing in ten of small makers is shown three: it is paid for.
  expect(at(1)?.lift['ndcg@10']?.value).toBeLessThan(0);
  expect(fair.metrics['ndcg@10']?.value).toBeLessThan(plain.metrics['ndcg@10']?.value ?? 0);
  expect(gate(fairness, fair)).toMatchObject({ passed: true });
  expect(gate({ ...fairness, limits: { ndcgCost: 0.0001 } }, fair)).toMatchObject({ passed: false, reason: expect.stringContaining('of NDCG@10, at most') });
});

it('FA*IR: every slate holds as many as the charter asks, and the gate says where they cannot', async () => {
  const fairness: CharterInput['fairness'] = { method: 'fa-ir', group: small, share: 0.4, depth: 120, limits: { ndcgCost: 1 } };
  const fair = await open(fairness);
  const at = (scale: number) => fair.fairness?.points.find((point) => point.scale === scale);
  expect(at(0)?.fair?.value).toBeLessThan(0.6);
  expect(at(1)?.fair).toEqual({ value: 1, low: 1, high: 1 });
  expect(at(1)?.exposure['small-makers']?.value).toBeGreaterThan(at(0)?.exposure['small-makers']?.value ?? 1);
  expect(gate(fairness, fair).passed).toBe(true);
  // One item alone cannot be on three places.
  const one: CharterInput['fairness'] = { ...fairness, share: 0.6, group: { name: 'one', by: 'items', values: ['i3'] } };
  expect(gate(one, await open(one))).toMatchObject({ passed: false, reason: expect.stringContaining('of the slates hold as many of one as is asked') });
});
