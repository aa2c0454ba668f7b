import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diversify, rankingDepth } from './diversify.ts';
import { itemWords, wordDistance, wordDistances } from './item-words.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);

describe('diversify', () => {
  /** a and b are the same thing, c is half of it, d is something else. */
  const closeness: Record<string, number> = { ab: 1, ac: 0.5, bc: 0.5, ad: 0, bd: 0, cd: 0 };
  const distance = (one: string, other: string) => 1 - (closeness[[one, other].sort().join('')] ?? 1);
  const made = (weight: number, size = 3, depth = 4, ranked = [...'abcd']) => diversify({ ranked, size, diversity: { weight, depth }, distance }).join('');

  it('golden values, worked out by hand', () => {
    expect(made(0)).toBe('abcd');
    // Relevance 1, 3/4, 1/2, 1/4. After a: b .375 - .5, c .25 - .25, d .125. Then c .25 - .25 before b.
    expect(made(0.5)).toBe('adcb');
    // After a: b .6 - .2, c .4 - .1, d .2: the relevant ones stay.
    expect(made(0.2)).toBe('abcd');
    // By difference alone, from the best one on: d has nothing of a, c half of it.
    expect(made(1)).toBe('adcb');
    expect(made(0.5, 2)).toBe('adbc');
    expect(made(0.5, 2, 3)).toBe('acbd');
    expect(made(0.5, 3, 4, [])).toBe('');
    expect(made(0.5, 3, 4, ['d'])).toBe('d');
    expect([0, 0.1].map((weight) => rankingDepth({ size: 10, diversity: { weight, depth: 50 } }))).toEqual([10, 50]);
  });

  it('keeps every item once, the best one first, and is the formula whatever the ranking', () => {
    const points = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 5 })), { selector: String, maxLength: 15 });
    const between = ([a, b]: readonly [number, number], [c, d]: readonly [number, number]) => (Math.abs(a - c) + Math.abs(b - d)) / 10;
    fc.assert(
      fc.property(
        points,
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 2, max: 12 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (ranked, size, depth, weight) => {
          const list = diversify({ ranked, size, diversity: { weight, depth }, distance: between });
          expect(list.toSorted()).toEqual(ranked.toSorted());
          expect(list[0]).toBe(ranked[0]);
          if (weight === 0) expect(list).toEqual(ranked);
          const pool = ranked.slice(0, Math.max(size, depth));
          for (let place = 1; place < Math.min(size, pool.length); place += 1) {
            const before = list.slice(0, place);
            const value = (item: [number, number]) =>
              (1 - weight) * (1 - pool.indexOf(item) / pool.length) - weight * Math.max(...before.map((other) => 1 - between(item, other)));
            const open = pool.filter((item) => !before.includes(item));
            expect(value(list[place] as [number, number])).toBeCloseTo(Math.max(...open.map(value)), 12);
          }
          const behind = list.slice(Math.min(size, pool.length));
          expect(behind).toEqual(ranked.filter((item) => behind.includes(item)));
        },
      ),
      { seed },
    );
  });
});

describe('item words', () => {
  it('are compared by what they share', () => {
    const words = itemWords([
      { itemId: 'a', title: 'RED mug, red', category: 'kitchen' },
      { itemId: 'b', title: 'Blue Mug', category: 'kitchen' },
      { itemId: 'c', title: '–', brand: 'Mugs & Co' },
      { itemId: 'd', title: '…' },
    ]);
    const distance = (one: string, other: string) => wordDistance(words.get(one), words.get(other));
    // red, mug, kitchen against blue, mug, kitchen.
    expect(distance('a', 'b')).toBe(1 - 2 / 4);
    expect(distance('a', 'a')).toBe(0);
    expect(distance('a', 'c')).toBe(1);
    expect([distance('a', 'd'), distance('d', 'd'), distance('unknown', 'a')]).toEqual([1, 1, 1]);
  });

  it('is Jaccard, symmetric and within 0 and 1', () => {
    // Short ones and long ones are compared in different ways.
    const text = fc.array(fc.oneof(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), fc.integer({ min: 0, max: 60 }).map(String)), {
      minLength: 1,
      maxLength: 60,
      size: 'max',
    });
    fc.assert(
      fc.property(text, text, (one, other) => {
        const words = itemWords([one, other].map((list, place) => ({ itemId: String(place), title: list.join(' ') })));
        const [mine, theirs] = [new Set(one), new Set(other)];
        const shared = [...mine].filter((word) => theirs.has(word)).length;
        const expected = 1 - shared / new Set([...one, ...other]).size;
        expect(wordDistance(words.get('0'), words.get('1'))).toBeCloseTo(expected, 12);
        expect(wordDistance(words.get('1'), words.get('0'))).toBe(wordDistance(words.get('0'), words.get('1')));
        const byPlace = wordDistances(words, ['1', 'unknown', '0']);
        expect([byPlace(0, 2), byPlace(2, 0), byPlace(1, 2), byPlace(1, 1)]).toEqual([expect.closeTo(expected, 12), expect.closeTo(expected, 12), 1, 1]);
      }),
      { seed },
    );
  });
});
