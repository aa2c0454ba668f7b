import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createRandom } from '../random.ts';
import { mixedHistories } from './parity.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);

/** Each person's items are their own, so that two items of one person in a history would be that person's. */
function ownItems(lengths: readonly number[]) {
  const indptr = Uint32Array.of(0, ...lengths.map((_, user) => lengths.slice(0, user + 1).reduce((sum, one) => sum + one, 0)));
  const entries = indptr.at(-1) ?? 0;
  const ownerOf = lengths.flatMap((length, user) => Array<number>(length).fill(user));
  return {
    ownerOf,
    interactions: {
      userCount: lengths.length,
      indptr,
      items: Uint32Array.from({ length: entries }, (_, entry) => entry),
      weights: Float32Array.from({ length: entries }, (_, entry) => 1 + entry / 1000),
    },
  };
}

it('histories of a parity record are as long as those of people, and nobody has them', () => {
  const random = createRandom(seed);
  const lengths = Array.from({ length: 400 }, () => 1 + random.below(12));
  const { interactions, ownerOf } = ownItems(lengths);
  const ask = (of: number) => mixedHistories({ interactions, maxHistory: 10, seed: of, count: 20 });
  const histories = ask(7);
  const sorted = lengths.toSorted((a, b) => a - b);
  expect(histories.map(({ history }) => history.length)).toEqual(Array.from({ length: 20 }, (_, place) => Math.min(10, sorted[10 + place * 20] ?? 0)));
  for (const { history, historyWeight } of histories) {
    expect(historyWeight).toHaveLength(history.length);
    if (history.length > 2) expect(new Set(history.map((item) => ownerOf[item])).size).toBeGreaterThan(1);
  }
  expect(ask(7)).toEqual(histories);
  expect(ask(8)).not.toEqual(histories);
});

it('whatever there is to draw from, items are known, different and weighted as they may be', () =>
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 6 }), { maxLength: 20 }), fc.nat(), fc.integer({ min: 1, max: 5 }), (lengths, drawn, maxHistory) => {
      const { interactions } = ownItems(lengths);
      const histories = mixedHistories({ interactions, maxHistory, seed: drawn, count: 20 });
      expect(histories.length).toBe(interactions.items.length === 0 ? 0 : Math.min(20, lengths.length));
      for (const { history, historyWeight } of histories) {
        expect(history.length).toBeLessThanOrEqual(maxHistory);
        expect(new Set(history).size).toBe(history.length);
        for (const item of history) expect(interactions.items.includes(item)).toBe(true);
        for (const weight of historyWeight) expect(interactions.weights.includes(weight)).toBe(true);
      }
    }),
    { seed },
  ));
