import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unitsForChange } from '../../experiments/framing/units-for-change.ts';
import { at, dayMs, openWorld, type Row } from './testing.ts';

const attributionMs = 3_600_000;
const reward = { reward: { weights: { click: 1 }, attributionMs, capPerUnit: 1 } };
/** Somebody looks on the last day: what was shown before has had its time. */
const last: Row = { kind: 'skip', atMs: at(27), itemId: 'last', userId: 'late' };

async function measuredOf(rows: readonly Row[], use: (check: Awaited<ReturnType<typeof openWorld>>['check']) => Promise<void>): Promise<void> {
  const { check, close } = await openWorld(rows, reward);
  try {
    await use(check);
  } finally {
    await close();
  }
}

describe('answers to what was shown', () => {
  // Each of some users is shown items once, and clicks some of them after a while; a second click on one is no second answer.
  const shown = fc.record({
    user: fc.integer({ min: 0, max: 3 }),
    day: fc.integer({ min: 0, max: 20 }),
    delayMs: fc.option(fc.integer({ min: 0, max: 2 * attributionMs })),
    twice: fc.boolean(),
  });
  it('are told by the time that they take', () =>
    fc.assert(
      fc.asyncProperty(fc.array(shown, { minLength: 1, maxLength: 25 }), async (drawn) => {
        const rows = drawn.flatMap(({ user, day, delayMs, twice }, index): Row[] => {
          const own = { itemId: `i${index}`, userId: `u${user}` };
          const click = { kind: 'click' as const, ...own, atMs: at(day) + (delayMs ?? 0) };
          return [
            { kind: 'impression', ...own, atMs: at(day) },
            ...(delayMs === null ? [] : [click]),
            ...(delayMs !== null && twice ? [{ ...click, atMs: click.atMs + 1 }] : []),
          ];
        });
        const delays = drawn.flatMap(({ delayMs }) => (delayMs === null ? [] : [delayMs]));
        const inTime = delays.filter((delayMs) => delayMs <= attributionMs).length;
        const clicks = drawn.flatMap(({ delayMs, twice }) => (delayMs === null ? [] : twice ? [delayMs, delayMs + 1] : [delayMs])).sort((a, b) => a - b);
        await measuredOf([...rows, last], async (check) => {
          expect((await check('metric-mean', { metric: 'click' })).value).toBe(inTime / drawn.length);
          expect((await check('funnel-rate', { from: 'impression', to: 'view' })).value).toBe(delays.length / drawn.length);
          const share = await check('attributed-share', { kinds: ['click'] });
          expect(share.value).toBe(clicks.length === 0 ? null : clicks.filter((delayMs) => delayMs <= attributionMs).length / clicks.length);
          const quantile = await check('attribution-delay', { kinds: ['click'], quantile: 0.9 });
          expect(quantile.value).toBe(clicks.length === 0 ? null : clicks[Math.ceil(0.9 * clicks.length - 1e-9) - 1]);
        });
      }),
      { numRuns: 12 },
    ));

  it('count for the latest time that the item was shown to the same user, and what comes first is no answer', () =>
    measuredOf(
      [
        { kind: 'click', atMs: at(1) - 1, itemId: 'a', userId: 'u' },
        { kind: 'impression', atMs: at(1), itemId: 'a', userId: 'u' },
        { kind: 'impression', atMs: at(1) + 100, itemId: 'a', userId: 'u' },
        { kind: 'impression', atMs: at(1) + 140, itemId: 'a', userId: 'v' },
        { kind: 'impression', atMs: at(1) + 140, itemId: 'b', userId: 'u' },
        { kind: 'click', atMs: at(1) + 150, itemId: 'a', userId: 'u' },
        last,
      ],
      async (check) => {
        expect(await check('attribution-delay', { kinds: ['click'] })).toMatchObject({ value: 50, of: 1 });
        expect((await check('attributed-share', { kinds: ['click'] })).value).toBe(1 / 2);
        expect((await check('metric-mean', { metric: 'click' })).value).toBe(1 / 4);
      },
    ));
});

describe('success metrics', () => {
  // Twenty users are shown an item each; five put it into the cart, of whom two buy three of it at 2.50; one buys without having been shown.
  const rows: Row[] = [
    ...Array.from({ length: 20 }, (_, user): Row[] => {
      const own = { itemId: 'a', userId: `u${user}` };
      return [
        { kind: 'impression', ...own, atMs: at(user) },
        ...(user < 8 ? [{ kind: 'click' as const, ...own, atMs: at(user) + 10 }] : []),
        ...(user < 8 ? [{ kind: 'dwell' as const, ...own, atMs: at(user) + 20, dwellMs: 1_000 }] : []),
        ...(user < 5 ? [{ kind: 'add-to-cart' as const, ...own, atMs: at(user) + 30 }] : []),
        ...(user < 2 ? [{ kind: 'purchase' as const, ...own, atMs: at(user) + 40, quantity: 3, unitPriceMinor: 250 }] : []),
      ];
    }).flat(),
    { kind: 'purchase', atMs: at(20), itemId: 'a', userId: 'unseen', quantity: 1, unitPriceMinor: 99_999 },
    { kind: 'purchase', atMs: at(2) + attributionMs + 1, itemId: 'a', userId: 'u2', quantity: 1, unitPriceMinor: 99_999 },
    last,
  ];

  it('are of those who were shown something, by what they did about it', () =>
    measuredOf(rows, async (check) => {
      const of = (metric: string) => check('metric-mean', { metric, days: 28 });
      expect(await of('click')).toMatchObject({ value: 8 / 20, unit: 'share', of: 20 });
      expect(await of('dwell')).toMatchObject({ value: 8_000 / 20, unit: 'ms' });
      expect(await of('add-to-cart')).toMatchObject({ value: 5 / 20 });
      expect(await of('purchase')).toMatchObject({ value: 2 / 20 });
      expect(await of('revenue')).toMatchObject({ value: 1_500 / 20, unit: 'minor' });
      expect((await check('funnel-rate', { from: 'add-to-cart', to: 'purchase' })).value).toBe(3 / 5);
      expect(await check('units-per-day', { days: 28 })).toMatchObject({ value: 20 / 28, of: 20 });
      // The last seven days end with day 27: nobody was shown anything in them.
      expect(await check('units-per-day', { days: 7 })).toMatchObject({ value: null });
      expect(await check('metric-mean', { metric: 'purchase', days: 7 })).toMatchObject({ value: null });
    }));

  it('say how many days they need, by the rule of sixteen variances', () =>
    measuredOf(rows, async (check) => {
      const sums = { clusters: 20, a: 20, b: 2, aa: 20, ab: 2, bb: 2 };
      const units = unitsForChange(sums, { change: 0.05, alpha: 0.05, power: 0.8 }) ?? 0;
      // 4 (1.96 + .84)^2 p (1 - p) / (.05 p)^2, with the variance of twenty.
      expect(units).toBeCloseTo(((4 * 2.8016 ** 2 * 0.09) / 0.005 ** 2) * (20 / 19), -3);
      expect((await check('days-for-change', { metric: 'purchase' })).value).toBeCloseTo(units / (20 / 28), 6);
      expect(await check('days-for-change', { metric: 'purchase', attributionMs: 1 })).toMatchObject({ value: null });
    }));

  it('leave out what was shown so late that its answer is still to come', () =>
    measuredOf([...rows, { kind: 'impression', atMs: at(27) - attributionMs + 1, itemId: 'a', userId: 'too-late' }], async (check) => {
      expect(await check('metric-mean', { metric: 'purchase' })).toMatchObject({ of: 20 });
    }));

  it('are of those who looked at something where nobody says what was shown', () =>
    measuredOf(
      rows.filter(({ kind }) => kind !== 'impression'),
      async (check) => {
        expect(await check('metric-mean', { metric: 'click' })).toMatchObject({ value: null, why: expect.stringContaining('no impressions') });
        // Eight have clicked; whoever did not click is not in the data, and u2's later purchase counts.
        expect(await check('metric-mean', { metric: 'purchase' })).toMatchObject({ value: 3 / 8, of: 8 });
      },
    ));

  it('take no more than a day of another zone for a day', () =>
    measuredOf(
      [
        { kind: 'view', atMs: at(0), itemId: 'a', userId: 'u' },
        { kind: 'view', atMs: at(0) + dayMs, itemId: 'a', userId: 'v' },
      ],
      async (check) => {
        expect(await check('units-per-day', { days: 28 })).toMatchObject({ value: 1, of: 2 });
      },
    ));
});
