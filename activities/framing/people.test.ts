import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CheckName, CheckParams } from '../../models/contracts/assumption.ts';
import { newestDays } from './open-framing.ts';
import { runCheck } from './run-check.ts';
import { at, openWorld, type Row } from './testing.ts';

/*
 * Twenty days, all of whose numbers can be counted by hand. Train part: days 0 to 9; gap: day 10; test part: days 11 to 19. Only purchases.
 *   a1 to a4  buy i1 to i6 on days 0 to 5, and i1 again with i7 on day 12
 *   g1 to g3  buy i7 on day 2, and are gone
 *   f1        is new on day 13, and buys i1 and the new item
 *   two sessions of nobody on day 14, each with i1
 * and somebody's last event keeps the data's end on day 19.
 */
const bought = (userId: string | undefined, day: number, itemId: string, sessionId = `${userId}-${day}`): Row => ({
  kind: 'purchase',
  atMs: at(day),
  itemId,
  sessionId,
  ...(userId === undefined ? {} : { userId }),
  ...(['i1', 'i2', 'i3', 'i4'].includes(itemId) ? { category: 'lamps' } : {}),
});
const rows: Row[] = [
  ...['a1', 'a2', 'a3', 'a4'].flatMap((user) => [
    ...[0, 1, 2, 3, 4, 5].map((day) => bought(user, day, `i${day + 1}`)),
    bought(user, 12, 'i1'),
    bought(user, 12, 'i7'),
  ]),
  ...['g1', 'g2', 'g3'].map((user) => bought(user, 2, 'i7')),
  bought('f1', 13, 'i1'),
  bought('f1', 13, 'new'),
  bought(undefined, 14, 'i1', 'nobody-1'),
  bought(undefined, 14, 'i1', 'nobody-2'),
  // It tells nothing of what anybody wants.
  { kind: 'skip', atMs: at(19), itemId: 'i1', userId: 'a1', sessionId: 'a1-19' },
];
const of = { kinds: ['purchase'] };

let world: Awaited<ReturnType<typeof openWorld>>;
beforeAll(async () => {
  world = await openWorld(rows);
});
afterAll(() => world.close());

describe('what is measured of people and items', () => {
  it.each<[CheckName, CheckParams, number]>([
    ['event-count', of, 39],
    ['item-count', of, 8],
    ['unit-count', of, 10],
    ['unit-count', { ...of, known: true }, 8],
    ['known-user-share', {}, 38 / 40],
    ['null-user-share', {}, 2 / 40],
    // a1 to a4 of all eight, whose first day is five days before the end at least.
    ['returning-share', { withinDays: 5 }, 4 / 8],
    // f1's first day is too late to know.
    ['returning-share', { withinDays: 7 }, 4 / 7],
    ['history-length', { ...of, quantile: 0.5 }, 2],
    ['history-length', { ...of, quantile: 0.6 }, 8],
    // Of a1 to a4 each: seven behind the first, two of which came at one time; f1's two did as well.
    ['ordered-share', of, (4 * 6) / (4 * 7 + 1)],
    ['session-length', { quantile: 0.5 }, 1],
    ['session-length', { quantile: 0.9 }, 2],
    // 28 sessions of a1 to a4, one more for the skip, three, one and two; two items in five of them.
    ['session-context-share', { ...of, minItems: 2 }, 5 / 35],
    // Visits in the test part: four with six purchases before, the skip's, one and two without.
    ['known-history-share', { ...of, minEvents: 5 }, 5 / 8],
    ['known-history-share', { ...of, minEvents: 7 }, 0],
    ['density', of, 35 / (10 * 8)],
    ['item-support', { ...of, minUnits: 4 }, 38 / 39],
    ['item-support', { ...of, minUnits: 5 }, (11 + 7) / 39],
    ['several-items-share', { ...of, minItems: 2 }, 5 / 10],
    ['top-items-share', { ...of, items: 1 }, 11 / 39],
    // i1 to i6 are alike in the train part, and i1 is the first by its name.
    ['popular-slate-share', { ...of, size: 1 }, 7 / 12],
    ['popular-slate-share', { ...of, size: 7 }, 11 / 12],
    ['repeat-purchase-share', {}, 4 / 8],
    ['cold-user-share', of, 1 / 5],
    ['cold-item-share', of, 1 / 12],
    ['test-users', { ...of, history: ['purchase'] }, 4],
    ['metadata-coverage', { ...of, field: 'category' }, 23 / 39],
    ['metadata-coverage', { ...of, field: 'brand' }, 0],
    ['metadata-coverage', { ...of, field: 'title' }, 0],
  ])('%s %j is %d', async (name, params, value) => {
    const measured = await world.check(name, params);
    expect(measured.value).toBe(value);
    if (measured.interval !== undefined) {
      expect(measured.interval.low).toBeLessThanOrEqual(value);
      expect(measured.interval.high).toBeGreaterThanOrEqual(value);
    }
    expect(await world.check(name, params)).toEqual(measured);
  });

  it('cuts the train part as it is told, and by itself as the charter says', async () => {
    expect(await world.check('cold-user-share')).toEqual(await world.check('cold-user-share', { window: { trainDays: 10, gapDays: 1, testDays: 9 } }));
    // Nobody but g1 to g3 and the first days of the others: day 13 and later are tested, day 12 is trained on.
    expect((await world.check('cold-user-share', { ...of, window: { trainDays: 1, gapDays: 0, testDays: 7 } })).value).toBe(1);
    expect((await world.check('cold-user-share', { ...of, window: { trainDays: 20, gapDays: 1, testDays: 9 } })).value).toBeNull();
  });

  it('looks at the days that it is told', async () => {
    const days = newestDays(world.data, 7);
    expect(days).toEqual({ from: '2026-02-15', to: '2026-02-21' });
    expect((await runCheck('event-count', of, { ...world.input, days })).value).toBe(4);
  });

  it('says what is not known, and refuses what it does not understand', async () => {
    expect(await world.check('attribution-delay', of)).toMatchObject({ value: null, why: expect.stringContaining('no impressions') });
    expect(await world.check('attributed-share', of)).toMatchObject({ value: null });
    expect(await world.check('arrival-delay')).toMatchObject({ value: null, why: expect.stringContaining('by files') });
    expect(await world.check('history-length', { kinds: ['rating'] })).toMatchObject({ value: null });
    expect(await world.check('metric-mean', { metric: 'purchase' })).toMatchObject({ value: null, why: expect.stringContaining('whoever did nothing') });
    await expect(world.check('density', { kinds: ['kiss'], size: 3 })).rejects.toMatchObject({ code: 'UND-INPUT' });
    await expect(runCheck('density', of, { ...world.input, days: { from: '2020-01-01', to: '2020-01-02' } })).rejects.toMatchObject({ code: 'UND-NO-DATA' });
  });
});

it('knows how late events come in', async () => {
  const late = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(
    (hours): Row => ({ ...bought('a', 0, 'i1'), atMs: at(0) + hours, receivedAtMs: at(0) + hours + hours * 3_600_000 }),
  );
  const early = { ...bought('b', 0, 'i1'), receivedAtMs: at(0) - 5_000 };
  const { check, close } = await openWorld([...late, early, bought('c', 1, 'i1')]);
  try {
    expect(await check('arrival-delay', { quantile: 0.9 })).toMatchObject({ value: 9 * 3_600_000, of: 11 });
    expect(await check('arrival-delay', { quantile: 0.05 })).toMatchObject({ value: 0 });
  } finally {
    await close();
  }
});
