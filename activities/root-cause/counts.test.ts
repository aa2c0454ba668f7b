import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attributeReward } from '../../experiments/reward/attribute-reward.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import type { Event } from '../../models/contracts/event.ts';
import type { TrafficRow } from '../../models/contracts/root-cause.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { comparableUnits } from './comparable-units.ts';
import { countEvents } from './count-events.ts';
import { countTraffic } from './count-traffic.ts';

const hourMs = 3_600_000;
const toMs = Date.UTC(2026, 5, 10, 12);
const units = comparableUnits({ fromMs: toMs - hourMs, toMs, timeZone: 'UTC', promotions: [], promotion: null, exact: false });
const charter = { reward: { weights: { purchase: 1, click: 0.1 }, attributionMs: 60_000, capPerUnit: 1 }, slo: { p99Ms: 50, fallbackShare: 0.1 } };
const slate = { size: 2, diversity: { weight: 0, depth: 10 } };
const nothing = digestJson(null);

type Drawn = {
  visitor: number;
  item: number;
  minute: number;
  day: number;
  latencyMs: number;
  does: ('impression' | 'click' | 'purchase' | 'skip')[];
  delayMs: number;
};
const drawn: fc.Arbitrary<Drawn[]> = fc.array(
  fc.record({
    visitor: fc.integer({ min: 0, max: 30 }),
    item: fc.integer({ min: 0, max: 5 }),
    minute: fc.integer({ min: 0, max: 59 }),
    day: fc.integer({ min: 0, max: 30 }),
    latencyMs: fc.integer({ min: 0, max: 100 }),
    does: fc.uniqueArray(fc.constantFrom('impression', 'click', 'purchase', 'skip')),
    delayMs: fc.integer({ min: 0, max: 90_000 }),
  }),
  { maxLength: 60 },
);

function logOf(all: readonly Drawn[]): { slates: SlateRecord[]; events: Event[] } {
  const slates = all.map(
    ({ visitor, item, minute, day, latencyMs }, number): SlateRecord => ({
      ...{ schemaVersion: 1, requestId: `r${number}`, surface: 'home', unit: `u:v${visitor}`, userId: `v${visitor}`, sessionId: 's', replica: 'r1' },
      ...{ atMs: toMs - hourMs - day * 24 * hourMs + minute * 60_000, generation: 1, releaseId: null, stage: null, variant: 'champion', enrolment: null },
      ...{ artifact: nothing, rung: 'model', rulesDigest: nothing, history: visitor % 2 === 0 ? ['i0'] : [], historyWeights: [], excluded: [] },
      ...{ items: [`i${item}`, `i${item + 1}`], scores: [1, 0], propensities: null, conditionalPropensities: null, exploration: null, latencyMs },
    }),
  );
  const events = all.flatMap(({ visitor, item, does, delayMs }, number) =>
    does.map(
      (kind): Event => ({
        ...{ schemaVersion: 1, eventId: `e${number}-${kind}`, kind, surface: 'home', userId: `v${visitor}`, sessionId: 's', itemId: `i${item}` },
        ...{ atMs: (slates[number] as SlateRecord).atMs + delayMs, requestId: `r${number}` },
      }),
    ),
  );
  return { slates, events };
}

async function count({ slates, events }: ReturnType<typeof logOf>, over: { atMs?: number; heldAtMost?: number } = {}) {
  const traffic = countTraffic({
    units,
    charter: { ...charter, slate },
    atMs: over.atMs ?? toMs + hourMs,
    ...(over.heldAtMost === undefined ? {} : { heldAtMost: over.heldAtMost }),
  });
  for (const one of slates) traffic.addSlate(one);
  for (const one of events) traffic.addEvent(one);
  return { rows: await traffic.rows(() => undefined), share: traffic.share() };
}
const sum = (rows: readonly TrafficRow[], of: (row: TrafficRow) => number) => rows.reduce((total, row) => total + of(row), 0);

describe('traffic', () => {
  it('is counted as the one definition of reward has it, unit by unit', async () => {
    await fc.assert(
      fc.asyncProperty(drawn, async (all) => {
        const log = logOf(all);
        const { rows } = await count(log);
        for (const [unit, { fromMs, toMs: endMs }] of units.entries()) {
          const own = log.slates.filter(({ atMs }) => fromMs <= atMs && atMs < endMs);
          const mine = rows.filter((row) => row.unit === unit);
          expect(sum(mine, (row) => row.slates)).toBe(own.length);
          expect(sum(mine, (row) => row.slow)).toBe(own.filter(({ latencyMs }) => latencyMs > 50).length);
          expect(sum(mine, (row) => row.known)).toBe(own.filter(({ history }) => history.length > 0).length);
          const { bySlate } = attributeReward({ slates: own, events: log.events, reward: charter.reward });
          expect(sum(mine, (row) => row.reward)).toBeCloseTo(
            [...bySlate.values()].reduce((total, one) => total + one.reduce((a, b) => a + b, 0), 0),
            9,
          );
          const caused = (is: (event: Event) => boolean) => new Set(log.events.filter(is).map(({ requestId }) => requestId));
          const seen = caused(({ kind }) => kind === 'impression');
          expect(sum(mine, (row) => row.seen)).toBe(own.filter(({ requestId }) => seen.has(requestId)).length);
        }
      }),
    );
  });

  it('knows of earlier units no more than of the incident: what came as late does not count', async () => {
    const late = (day: number): Drawn => ({ visitor: 1, item: 1, minute: 59, day, latencyMs: 1, does: ['impression', 'purchase'], delayMs: 65_000 });
    const log = logOf([late(0), late(1)]);
    const { rows: atOnce } = await count(log, { atMs: toMs });
    expect(atOnce.map(({ seen, rewarded }) => [seen, rewarded])).toEqual([
      [0, 0],
      [0, 0],
    ]);
    const { rows: later } = await count(log, { atMs: toMs + hourMs });
    expect(later.map(({ seen }) => seen)).toEqual([1, 1]);
  });

  it('of more slates than are held is that of a part of the visitors, each of them as a whole', async () => {
    const all = Array.from(
      { length: 4_000 },
      (_, number): Drawn => ({
        ...{ visitor: number % 1_000, item: 1, minute: number % 60, day: number % 28, latencyMs: 1, does: ['impression'], delayMs: 10 },
      }),
    );
    const log = logOf(all);
    const { rows, share } = await count(log, { heldAtMost: 1_000 });
    expect(share).toBeLessThanOrEqual(0.25);
    const slates = sum(rows, (row) => row.slates);
    // Four slates each.
    expect(slates % 4).toBe(0);
    expect(slates / share / all.length).toBeGreaterThan(0.6);
    expect(slates / share / all.length).toBeLessThan(1.4);
    expect(sum(rows, (row) => row.seen)).toBe(slates);
  });
});

describe('events', () => {
  const itemsOf = () => ({ catalog: new Set(['i1', 'i2']), vocabulary: new Set(['i1']) });
  const event = (eventId: string, over: Record<string, unknown> = {}) => ({ eventId, kind: 'click', atMs: toMs - 1_000, itemId: 'i1', ...over });

  it('are accepted once, put aside, late, and of unknown or cold items', () => {
    const events = countEvents({ units, source: 'log', itemsOf });
    for (const one of ['a', 'a', 'a', 'b']) events.add(event(one));
    events.add(event('c', { quarantined: 'bot-rate' }));
    events.add(event('d', { atMs: toMs - 3 * hourMs, receivedAtMs: toMs - 1, itemId: 'i2', userId: 'u' }));
    events.add(event('e', { itemId: 'i9', requestId: 'r', unitPriceMinor: 1 }));
    events.add(event('f', { atMs: toMs - 90 * 24 * hourMs }));
    expect(events.rows()).toEqual([
      {
        ...{ unit: 28, source: 'log', kind: 'click', accepted: 4, duplicates: 2, quarantined: 1, late: 1 },
        ...{ unknownItems: 1, coldItems: 2, withoutUser: 5, withoutRequest: 5, withoutPrice: 5 },
      },
    ]);
  });

  it('of more ids than are held, those that come twice are told by a part of them', () => {
    const events = countEvents({ units, source: 'log', itemsOf, idsAtMost: 2_000 });
    for (let number = 0; number < 8_000; number += 1) for (let time = 0; time < 2; time += 1) events.add(event(`e${number}`));
    const [row] = events.rows();
    expect((row?.accepted ?? 0) + (row?.duplicates ?? 0)).toBe(16_000);
    expect(row?.duplicates).toBeGreaterThan(6_500);
    expect(row?.duplicates).toBeLessThanOrEqual(8_000 * 1.2);
  });
});
