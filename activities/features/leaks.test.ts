import { describe, expect, it } from 'vitest';
import { featureView } from '../../models/contracts/feature.ts';
import type { KnownEvent } from '../../models/features/evaluate-view.ts';
import { type Duck, withDuck } from '../events/duckdb.ts';
import { findLeaks, type LeakFinding } from './find-leaks.ts';
import { joinPointInTime } from './join-point-in-time.ts';
import { openEvents } from './open-events.ts';
import { eventsRelation } from './testing.ts';

const t0 = 1_700_000_000_000;
const hour = 3_600_000;

const view = featureView.parse({
  ...{ name: 'shopper', version: 1, owner: 'tests', entity: 'user', ttlMs: hour },
  source: { from: 'events', kinds: ['view', 'purchase'] },
  features: [
    { name: 'bought', expression: { aggregate: 'count', where: [{ field: 'kind', in: ['purchase'] }] }, windowMs: 24 * hour, type: 'integer' },
    { name: 'spent', expression: { aggregate: 'sum', of: 'spendMinor' }, windowMs: 'all', type: 'integer' },
    { name: 'last-item', expression: { aggregate: 'last', of: 'itemId' }, windowMs: 'all', type: 'text' },
    { name: 'items', expression: { aggregate: 'distinct', of: 'itemId' }, windowMs: 24 * hour, type: 'integer' },
    { name: 'since', expression: { aggregate: 'time-since-last' }, windowMs: 'all', type: 'integer' },
  ],
});

let counter = 0;
const did = (kind: 'view' | 'purchase', atHour: number, change: Partial<KnownEvent> = {}): KnownEvent => {
  counter += 1;
  return {
    eventId: `e${counter}`,
    kind,
    userId: 'ann',
    sessionId: 's',
    itemId: `i${counter}`,
    atMs: t0 + atHour * hour,
    quantity: 1,
    unitPriceMinor: 100,
    ...change,
  };
};

const withEvents = <T>(events: readonly KnownEvent[], use: (duck: Duck) => Promise<T>) =>
  withDuck({ workDir: undefined }, async (duck) => {
    await openEvents({ duck, relation: await eventsRelation(duck, events), receivedColumn: 'received_ms' });
    return use(duck);
  });

const shopper = (bought: number, spent: number, last: string | null, items: number, since: number) => ({
  ...{ shopper__bought: String(bought), shopper__spent: String(spent), shopper__last_item: last, shopper__items: String(items), shopper__since: String(since) },
});

/** What the join says of Ann at one moment. */
const at = (duck: Duck, atHour: number, into: string) =>
  joinPointInTime({ duck, view, labels: { relation: `(SELECT 'ann' AS who, ${t0 + atHour * hour} AS moment)`, entity: 'who', asOfMs: 'moment' }, into }).then(
    async () => (await duck.rows(`SELECT * EXCLUDE (who, moment) FROM ${into}`))[0],
  );

describe('the join never shows what was known only after the label', () => {
  const before = did('view', 1);

  it('not the event that is the label, at its very millisecond, nor any after it', async () => {
    const label = did('purchase', 10);
    await withEvents([before, label, did('purchase', 10), did('purchase', 11), did('view', 12)], async (duck) => {
      expect(await at(duck, 10, 'ten')).toEqual(shopper(0, 100, before.itemId, 1, 9 * hour));
      // A millisecond later the label is the past.
      expect(await at(duck, 10 + 1 / hour, 'later')).toMatchObject({ shopper__bought: '2', shopper__spent: '300', shopper__since: '1' });
    });
  });

  it('not an event of before that was received at the moment or later, in no window', async () => {
    const late = did('purchase', 5, { receivedAtMs: t0 + 10 * hour });
    await withEvents([before, late], async (duck) => {
      expect(await at(duck, 10, 'ten')).toEqual(shopper(0, 100, before.itemId, 1, 9 * hour));
      expect(await at(duck, 10 + 1 / hour, 'later')).toEqual(shopper(1, 200, late.itemId, 2, 5 * hour + 1));
    });
  });

  it('nor an event that claims to be received before it happened', async () => {
    await withEvents([before, did('purchase', 20, { receivedAtMs: t0 })], async (duck) => {
      expect(await at(duck, 10, 'ten')).toEqual(shopper(0, 100, before.itemId, 1, 9 * hour));
    });
  });

  it('what left the window is gone, to the millisecond, also where it came late', async () => {
    const events = [did('purchase', 0), did('purchase', 1, { receivedAtMs: t0 + 24 * hour }), did('purchase', 2, { receivedAtMs: t0 + 40 * hour })];
    await withEvents(events, async (duck) => {
      expect(await at(duck, 24, 'a')).toMatchObject({ shopper__bought: '1', shopper__items: '1' });
      expect(await at(duck, 24 + 1 / hour, 'b')).toMatchObject({ shopper__bought: '1', shopper__items: '1' });
      expect(await at(duck, 25, 'c')).toMatchObject({ shopper__bought: '1', shopper__items: '1' });
      expect(await at(duck, 25 + 1 / hour, 'd')).toMatchObject({ shopper__bought: '0', shopper__items: '0' });
      expect(await at(duck, 41, 'e')).toMatchObject({ shopper__bought: '0', shopper__items: '0', shopper__spent: '300' });
    });
  });

  it('a stranger, no one and no moment have nothing, and a known person without purchases has zero', async () => {
    await withEvents([before], async (duck) => {
      const rows = `(FROM (VALUES (0, 'bob', ${t0 + hour * 9}), (1, NULL, ${t0}), (2, 'ann', NULL), (3, 'ann', ${t0 + hour}), (4, 'ann', ${t0 + 2 * hour})) t(n, who, moment))`;
      await joinPointInTime({ duck, view, labels: { relation: rows, entity: 'who', asOfMs: 'moment' }, into: 'joined' });
      const joined = await duck.rows<{ n: number; shopper__bought: string | null }>('SELECT n, shopper__bought FROM joined');
      expect(joined.map(({ n, shopper__bought }) => [n, shopper__bought])).toEqual([
        [0, null],
        [1, null],
        [2, null],
        [3, null],
        [4, '0'],
      ]);
    });
  });
});

describe('the check of a training table that somebody brings', () => {
  /** Forty shoppers with a purchase each that is the label, and things before and after it. */
  const people = Array.from({ length: 40 }, (_, index) => `u${index}`);
  const events = people.flatMap((userId, index) => [
    did('view', 1, { userId }),
    did('purchase', 2 + (index % 5), { userId, quantity: 1 + (index % 3) }),
    ...Array.from({ length: 1 + (index % 3) }, () => did('purchase', 3, { userId, receivedAtMs: t0 + 20 * hour })),
    did('purchase', 10, { userId }),
    ...Array.from({ length: index % 4 }, (_, more) => did('purchase', 12 + more, { userId })),
    did('view', 40, { userId }),
  ]);
  const asOf = t0 + 10 * hour;
  const labels = { relation: 'brought', entity: 'who', asOfMs: 'moment' };

  /** The table with one column made as `made` says, and the verdict about it. */
  const verdictOn = (feature: string, made: (who: string) => number | string | null) =>
    withEvents(events, async (duck) => {
      await duck.run(
        `CREATE TABLE brought AS SELECT * FROM (VALUES ${people.map((who) => `('${who}', ${asOf}, ${typeof made(who) === 'string' ? `'${made(who)}'` : made(who)})`).join(', ')}) t(who, moment, given)`,
      );
      const [finding] = await findLeaks({ duck, view, labels, columns: { given: feature } });
      return finding;
    });
  const bought = (who: string, counts: (event: KnownEvent) => boolean) =>
    events.filter((event) => event.userId === who && event.kind === 'purchase' && counts(event)).length;
  const inTime = (event: KnownEvent) => event.atMs < asOf && (event.receivedAtMs ?? 0) < asOf;

  it('has nothing to say of what was known', async () => {
    expect(await verdictOn('bought', (who) => bought(who, inTime))).toMatchObject({ verdict: 'known', rows: 40, known: 40, first: null });
  });

  it.each([
    ['at-the-moment', (event: KnownEvent) => inTime(event) || event.atMs === asOf],
    ['before-it-was-received', (event: KnownEvent) => event.atMs < asOf],
    ['window-after', (event: KnownEvent) => event.atMs >= asOf],
  ] as const)('names a count that leaks: %s', async (kind, counts) => {
    const finding = await verdictOn('bought', (who) => bought(who, counts));
    expect(finding).toMatchObject({ verdict: 'leaks', column: 'given', feature: 'bought' });
    const { leaks, rows, known } = finding as LeakFinding;
    const explaining = Object.entries(leaks).filter(([, count]) => count === rows - known);
    expect(explaining.map(([one]) => one)).toEqual([kind]);
    expect(finding?.first).toMatchObject({ row: expect.any(Number), known: '1' });
  });

  it('names the last item as of today, joined to labels of before', async () => {
    const lastEver = (who: string) => events.findLast((event) => event.userId === who)?.itemId ?? null;
    const finding = await verdictOn('last-item', lastEver);
    expect(finding).toMatchObject({ verdict: 'leaks', known: 0, leaks: { 'end-of-data': 40 } });
  });

  it('does not call a leak what is only another feature', async () => {
    expect(await verdictOn('spent', (who) => 1_000_000 + bought(who, inTime))).toMatchObject({ verdict: 'differs', unexplained: 40 });
  });
});
