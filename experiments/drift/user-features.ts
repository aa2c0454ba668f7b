import { type Vectors, vectorsOf } from './vectors.ts';

/** What one user did in a period, oldest first. */
type UserPeriod = { itemIds: readonly string[]; wanted: readonly boolean[]; prices: readonly (number | null)[]; days: number };

type Known = {
  /** Events of others with each item before. */
  popularity: ReadonlyMap<string, number>;
  categoryOf: ReadonlyMap<string, string>;
  /** Of which the share is a feature each. */
  categories: readonly string[];
};

/** Names of the columns of `userFeatures`. */
export const featureNames = ({ categories }: Pick<Known, 'categories'>): string[] => [
  ...['events', 'items', 'days', 'wanted', 'price', 'popularity', 'unknown-items'],
  ...categories.map((category) => `share of ${category}`),
];

/** [users, features]: of each user how many events, items and days; shares of events; means of logarithms. */
export function userFeatures(users: readonly UserPeriod[], { popularity, categoryOf, categories }: Known): Vectors {
  return vectorsOf(
    users.map(({ itemIds, wanted, prices, days }) => {
      const mean = (values: readonly number[]) => (values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length);
      const priced = prices.filter((price) => price !== null);
      return [
        itemIds.length,
        new Set(itemIds).size,
        days,
        mean(wanted.map(Number)),
        mean(priced.map((price) => Math.log1p(price))),
        mean(itemIds.map((itemId) => Math.log1p(popularity.get(itemId) ?? 0))),
        mean(itemIds.map((itemId) => (popularity.has(itemId) ? 0 : 1))),
        ...categories.map((category) => mean(itemIds.map((itemId) => (categoryOf.get(itemId) === category ? 1 : 0)))),
      ];
    }),
  );
}
