import fc from 'fast-check';
import { expect, it } from 'vitest';
import { addDays } from '../windows/days.ts';
import { checkPeriods, lengthOf, newestPeriods, scoredPeriods } from './choose-periods.ts';
import type { Origin } from './retrained-vectors.ts';

const first = '2026-01-05';
const day = (place: number) => addDays(first, place);
const dataOf = (days: number) => ({ slices: Array.from({ length: days }, (_, place) => ({ day: day(place), rows: 1 })) }) as never;
const modelOf = (artifact: string, from: number, to: number) => ({ artifact, window: { train: { from: day(from), to: day(to) } } }) as Origin;
const at = (from: number, length: number) => ({
  from: { from: day(from), to: day(from + length - 1) },
  to: { from: day(from + length), to: day(from + 2 * length - 1) },
});

it('a model is asked of days that it was trained on, all of them, or of none; of the same number on each side, side by side', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 28, max: 90 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 40 })), { minLength: 2, maxLength: 2 }),
      (days, [older, newer]) => {
        const [from, to] = [older, newer].map((own, place) => modelOf(String(place), own?.[0] ?? 0, Math.min(days - 1, (own?.[0] ?? 0) + (own?.[1] ?? 0)))) as [
          Origin,
          Origin,
        ];
        const asked = newestPeriods(dataOf(days), 2) as NonNullable<ReturnType<typeof newestPeriods>>;
        const found = scoredPeriods({ from, to }, asked, dataOf(days));
        if (found === null) return;
        checkPeriods(found.periods);
        expect(lengthOf(found.periods.to)).toBeLessThanOrEqual(14);
        const { train } = found.model.window;
        const all = { from: found.periods.from.from, to: found.periods.to.to };
        expect(all.from >= first && all.to <= day(days - 1)).toBe(true);
        const isWithin = all.from >= train.from && all.to <= train.to;
        const isOutside = [found.periods.from, found.periods.to].every((side) => side.to < train.from || side.from > train.to);
        expect(isWithin || isOutside).toBe(true);
      },
    ),
  );
});

it('those that are compared, where that is fair; else the newest that the older was not trained on; else the last of the window of the newer', () => {
  const data = dataOf(56);
  const asked = at(28, 14);
  expect(scoredPeriods({ from: modelOf('a', 0, 20), to: modelOf('b', 20, 55) }, asked, data)).toMatchObject({ model: { artifact: 'b' }, periods: asked });
  expect(scoredPeriods({ from: modelOf('a', 0, 20), to: modelOf('b', 30, 54) }, asked, data)).toMatchObject({ model: { artifact: 'a' }, periods: asked });
  expect(scoredPeriods({ from: modelOf('a', 0, 38), to: modelOf('b', 41, 54) }, asked, data)).toEqual({ model: modelOf('a', 0, 38), periods: at(42, 7) });
  expect(scoredPeriods({ from: modelOf('a', 0, 53), to: modelOf('b', 1, 54) }, asked, data)).toEqual({ model: modelOf('b', 1, 54), periods: at(27, 14) });
  expect(scoredPeriods({ from: modelOf('a', 40, 53), to: modelOf('b', 42, 54) }, asked, data)).toBeNull();
});
