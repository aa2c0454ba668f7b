import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../models/contracts/event.ts';
import { attributeReward, RewardLedger, type RewardedSlate } from './attribute-reward.ts';

const reward = { weights: { purchase: 1, click: 0.1, 'add-to-cart': 0.3, return: 5 }, attributionMs: 100, capPerUnit: 1 };
const slate = (requestId: string, atMs: number, items = ['a', 'b'], unit = 'u:1'): RewardedSlate => ({ requestId, unit, atMs, items });
const event = (eventId: string, atMs: number, itemId = 'a', kind: Event['kind'] = 'purchase', userId = '1'): Event => ({
  schemaVersion: 1,
  eventId,
  kind,
  surface: 'home',
  userId,
  sessionId: 's',
  itemId,
  atMs,
});

describe('reward', () => {
  it('goes to the latest slate that showed the item, within the window, once an event', () => {
    const { bySlate, byUnit } = attributeReward({
      slates: [slate('r1', 0), slate('r2', 50), slate('r3', 60, ['b'])],
      events: [event('e1', 90), event('e1', 90)],
      reward,
    });
    expect([...bySlate]).toEqual([['r2', Float64Array.of(1, 0)]]);
    expect(byUnit.get('u:1')).toBe(1);
  });

  it.each([
    ['before the slate', event('e', 9)],
    ['after the window', event('e', 111)],
    ['of an item that was not shown', event('e', 20, 'z')],
    ['of somebody else', event('e', 20, 'a', 'purchase', '2')],
    ['of a kind without weight', event('e', 20, 'a', 'view')],
    ['that is a return', event('e', 20, 'a', 'return')],
  ])('is nothing for an event %s', (_, one) => {
    expect(attributeReward({ slates: [slate('r1', 10)], events: [one], reward })).toMatchObject({ bySlate: new Map(), byUnit: new Map([['u:1', 0]]) });
  });

  it('is capped by unit, not by slate', () => {
    const { bySlate, byUnit } = attributeReward({ slates: [slate('r1', 0)], events: [event('e1', 1), event('e2', 2, 'b')], reward });
    expect(bySlate.get('r1')).toEqual(Float64Array.of(1, 1));
    expect(byUnit.get('u:1')).toBe(1);
  });

  it('does not depend on the order of arrival', () => {
    const anySlate = fc.record({
      requestId: fc.constantFrom('r1', 'r2', 'r3', 'r4'),
      atMs: fc.integer({ min: 0, max: 200 }),
      items: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }),
      unit: fc.constantFrom('u:1', 'u:2'),
    });
    const anyEvent = fc.record({
      eventId: fc.string({ minLength: 1, maxLength: 3 }),
      at: fc.integer({ min: 0, max: 300 }),
      item: fc.constantFrom('a', 'b', 'c'),
      kind: fc.constantFrom<Event['kind']>('purchase', 'click', 'add-to-cart', 'view'),
      user: fc.constantFrom('1', '2'),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(anySlate, { selector: (one) => one.requestId }),
        fc.uniqueArray(anyEvent, { selector: (one) => one.eventId }),
        fc.infiniteStream(fc.nat()),
        (slates, drafts, order) => {
          const events = drafts.map((one) => event(one.eventId, one.at, one.item, one.kind, one.user));
          const ledger = new RewardLedger(reward);
          const arrivals = [...slates.map((one) => () => ledger.addSlate(one)), ...events.map((one) => () => ledger.addEvent(one))];
          while (arrivals.length > 0) arrivals.splice((order.next().value as number) % arrivals.length, 1)[0]?.();
          const batch = attributeReward({ slates, events, reward });
          expect(ledger.bySlate()).toEqual(batch.bySlate);
          for (const [unit, value] of batch.byUnit) expect(ledger.rewardOf(unit)).toBe(value);
        },
      ),
    );
  });
});
