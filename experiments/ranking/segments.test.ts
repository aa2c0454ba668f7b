import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Segmentation } from '../../models/contracts/charter.ts';
import { segmentUsers, type UserFacts } from './segments.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const user = (change: Partial<UserFacts> = {}): UserFacts => ({ events: 1, daysSinceFirst: 9, daysSinceLast: 3, category: null, ...change });

/** The segments of each user, as they are shown. */
function shown(segmentations: Segmentation[], users: UserFacts[]): string[][] {
  const { segments, ofUser } = segmentUsers({ segmentations, users });
  return ofUser.map((places) => [...places].map((place) => `${segments[place]?.by}: ${segments[place]?.value}`));
}

it('a bound begins the next segment; whoever is not known by it is in none', () => {
  expect(
    shown(
      [{ by: 'events', bounds: [5, 20] }],
      [4, 5, 19, 20].map((events) => user({ events })),
    ),
  ).toEqual([['events: under 5'], ['events: 5 to under 20'], ['events: 5 to under 20'], ['events: 20 and more']]);
  expect(
    shown(
      [
        { by: 'days-since-last', bounds: [30] },
        { by: 'days-since-first', bounds: [30] },
      ],
      [user({ daysSinceLast: 29.99 }), user({ daysSinceFirst: null, daysSinceLast: null })],
    ),
  ).toEqual([['days-since-last: under 30', 'days-since-first: under 30'], []]);
});

it('the categories of most users have their own segment, the others one together', () => {
  const of = (...names: (string | null)[]) => names.map((category) => user({ category }));
  expect(shown([{ by: 'category', atMost: 2 }], of('c', 'b', 'a', 'b', 'd', null))).toEqual([
    ['category: 2 others'],
    ['category: b'],
    ['category: a'],
    ['category: b'],
    ['category: 2 others'],
    [],
  ]);
  expect(segmentUsers({ segmentations: [{ by: 'category', atMost: 2 }], users: of('a', 'b') }).segments.map(({ value }) => value)).toEqual(['a', 'b']);
});

it('each segmentation parts all users of whom it knows', () => {
  const facts = fc.record({
    events: fc.nat(50),
    daysSinceFirst: fc.option(fc.nat(50)),
    daysSinceLast: fc.option(fc.nat(50)),
    category: fc.option(fc.constantFrom('a', 'b', 'c', 'd')),
  });
  const bounds = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 }).map((list) => list.sort((a, b) => a - b));
  fc.assert(
    fc.property(fc.array(facts), bounds, fc.integer({ min: 1, max: 5 }), (users, cut, atMost) => {
      const segmentations: Segmentation[] = [
        { by: 'events', bounds: cut },
        { by: 'days-since-last', bounds: cut },
        { by: 'category', atMost },
      ];
      const { segments, ofUser } = segmentUsers({ segmentations, users });
      for (const [number, places] of ofUser.entries()) {
        const one = users[number] as UserFacts;
        const knows = ['events', ...(one.daysSinceLast === null ? [] : ['days-since-last']), ...(one.category === null ? [] : ['category'])];
        expect([...places].map((place) => segments[place]?.by)).toEqual(knows);
      }
      expect(new Set(segments.map(({ by, value }) => `${by} ${value}`)).size).toBe(segments.length);
    }),
    { seed },
  );
});
