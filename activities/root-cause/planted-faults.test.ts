import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { defaultTruth } from '../../experiments/simulator/truth.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import { closeShop, copyOf, livePast, lookAt, openShopState, type Shop, usualPersona, usualVisits } from './testing.ts';
import { anHour, inData, inModel, inServing } from './testing-faults.ts';

/* Two weeks of a shop with real replicas, real requests and real logs; then an hour in which something is wrong. */

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
let past: Shop;
let faults = 0;

beforeAll(async () => {
  past = await openShopState();
  await livePast(past, seed);
}, 300_000);
afterAll(() => closeShop(past));

async function incident(): Promise<Shop> {
  faults += 1;
  const shop = await copyOf(past, `incident-${faults}`);
  onTestFinished(() => rm(shop.stateDir, { recursive: true, force: true, maxRetries: 5 }));
  return shop;
}

describe.each([
  ['serving', inServing],
  ['data', inData],
  ['model', inModel],
] as const)('a fault in %s', (layer, planted) => {
  it.each(planted)(
    '$cause: $what',
    async ({ cause, mend, plant }) => {
      const shop = await incident();
      await plant(shop);
      const { diagnosis, facts } = await lookAt(shop);
      const [first] = diagnosis.suspects;
      expect(first?.cause, JSON.stringify({ ...diagnosis, missing: facts.missing }, null, 1)).toBe(cause);
      expect(diagnosis.layer).toBe(layer);
      expect(first?.evidence.some(({ speaks }) => speaks === 'for')).toBe(true);
      if (mend !== undefined) expect(diagnosis.mend?.action).toBe(mend);
    },
    60_000,
  );
});

const faultLayers = ['serving', 'data', 'model'];

describe('nothing that is broken', () => {
  it('an hour like all others names nobody', async () => {
    const shop = await incident();
    await anHour(shop);
    const { diagnosis } = await lookAt(shop);
    expect(diagnosis.suspects.filter((one) => faultLayers.includes(one.layer))).toEqual([]);
    expect(diagnosis.mend).toBeNull();
  }, 60_000);

  it('a promotion is no fault', async () => {
    const shop = await incident();
    await anHour(shop, { visits: 2 * usualVisits, truth: { ...defaultTruth, wanted: { click: 0.9, cart: 0.97, purchase: 0.95 } } });
    const { diagnosis } = await lookAt(shop, { promotion: 'three for two' });
    expect(diagnosis.suspects.filter((one) => faultLayers.includes(one.layer))).toEqual([]);
  }, 60_000);

  it('another mix of visitors is no fault', async () => {
    const shop = await incident();
    await anHour(shop, { persona: (random) => ({ ...usualPersona(random), country: random.float() < 0.2 ? 'uk' : 'fr' }) });
    const { diagnosis } = await lookAt(shop);
    expect(diagnosis.suspects.filter((one) => faultLayers.includes(one.layer))).toEqual([]);
    expect(diagnosis.mend).toBeNull();
  }, 60_000);
});

it('what is measured is the same however often it is looked', async () => {
  const shop = await incident();
  await anHour(shop);
  const [first, second] = [await lookAt(shop), await lookAt(shop)];
  expect(digestJson(second.facts)).toBe(digestJson(first.facts));
  expect(first.facts.traffic.reduce((sum, row) => sum + row.slates, 0)).toBe(15 * usualVisits);
  expect(first.facts.model?.replayed).toEqual({ slates: expect.any(Number), different: 0 });
  expect(first.facts.model?.replayed?.slates).toBeGreaterThan(100);
}, 60_000);
