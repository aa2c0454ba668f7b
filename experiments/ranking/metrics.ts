import { UnderstudyError } from '../../models/contracts/problem.ts';

/** Metric name (`ndcg@10`) → one value a user, in the users' order. */
export type UserMetrics = Record<string, Float64Array>;

type UserHits = { hits: readonly number[]; relevantCount: number };
type Metric = (user: UserHits, cutoff: number) => number;

/**
 * Binary relevance. `hits` are the ranks (from 1) of the relevant items within the cutoff, R is the number of relevant items.
 * Manning, Raghavan, Schütze, "Introduction to Information Retrieval", ch. 8; NDCG of Järvelin and Kekäläinen 2002.
 */
const metrics = {
  /** sum 1/log2(rank + 1) over hits, divided by the same sum of an ideal list of min(k, R) hits. */
  ndcg: ({ hits, relevantCount }, cutoff) => discounted(hits) / idealOf(Math.min(cutoff, relevantCount)),
  /** hits / R */
  recall: ({ hits, relevantCount }) => hits.length / relevantCount,
  /** hits / k, also where the list is shorter than k. */
  precision: ({ hits }, cutoff) => hits.length / cutoff,
  /** 1 / rank of the first hit, 0 without one. */
  mrr: ({ hits }) => (hits.length === 0 ? 0 : 1 / (hits[0] as number)),
  /** sum over hits of the precision at their rank, divided by min(k, R). */
  map: ({ hits, relevantCount }, cutoff) => hits.reduce((sum, rank, index) => sum + (index + 1) / rank, 0) / Math.min(cutoff, relevantCount),
  /** 1 with a hit, else 0. */
  'hit-rate': ({ hits }) => Math.min(1, hits.length),
} satisfies Record<string, Metric>;

export const rankingMetrics = Object.keys(metrics) as (keyof typeof metrics)[];

/**
 * All metrics at all cutoffs, a value a user.
 * @param ranked a list a user, best first, over the full catalog and with ties broken already; of an item that stands twice the first place counts
 * @param relevant what each user wanted, not empty
 * @param cutoffs whole numbers of at least 1
 * @throws UND-INPUT when lengths differ, a cutoff is not a whole number or a user has nothing relevant (leave such users out).
 */
export function perUserMetrics<Item>(input: {
  ranked: readonly (readonly Item[])[];
  relevant: readonly ReadonlySet<Item>[];
  cutoffs: readonly number[];
}): UserMetrics {
  const { ranked, relevant, cutoffs } = input;
  if (ranked.length !== relevant.length) throw new UnderstudyError('UND-INPUT', `${ranked.length} ranked lists for ${relevant.length} sets of relevant items`);
  const badCutoff = cutoffs.find((cutoff) => !Number.isInteger(cutoff) || cutoff < 1);
  if (badCutoff !== undefined) throw new UnderstudyError('UND-INPUT', `A cutoff must be a whole number of at least 1, not ${badCutoff}`);

  const table: UserMetrics = Object.fromEntries(metricNames(cutoffs).map((name) => [name, new Float64Array(ranked.length)]));
  const names = metricNames(cutoffs);
  const values = new Float64Array(names.length);
  for (const [user, list] of ranked.entries()) {
    const wanted = relevant[user] as ReadonlySet<Item>;
    if (wanted.size === 0) throw new UnderstudyError('UND-INPUT', `User number ${user} has no relevant item`);
    measureUser({ list, wanted, cutoffs, values });
    for (const [index, name] of names.entries()) (table[name] as Float64Array)[user] = values[index] as number;
  }
  return table;
}

/** `ndcg@10` and so on: every metric at every cutoff. */
export function metricNames(cutoffs: readonly number[]): string[] {
  return cutoffs.flatMap((cutoff) => rankingMetrics.map((name) => `${name}@${cutoff}`));
}

type OneUser<Item> = {
  list: readonly Item[];
  wanted: ReadonlySet<Item>;
  cutoffs: readonly number[] /** Written to, in the order of `metricNames`. */;
  values: Float64Array;
};

/** All metrics of one user's list, whose `wanted` is not empty. */
export function measureUser<Item>({ list, wanted, cutoffs, values }: OneUser<Item>): void {
  const ranks = hitRanks(list, wanted);
  let index = 0;
  for (const cutoff of cutoffs) {
    const hits = ranks.filter((rank) => rank <= cutoff);
    for (const name of rankingMetrics) {
      values[index] = metrics[name]({ hits, relevantCount: wanted.size }, cutoff);
      index += 1;
    }
  }
}

function hitRanks<Item>(list: readonly Item[], wanted: ReadonlySet<Item>): number[] {
  const found = new Set<Item>();
  const ranks: number[] = [];
  for (const [position, item] of list.entries()) {
    if (!wanted.has(item) || found.has(item)) continue;
    found.add(item);
    ranks.push(position + 1);
  }
  return ranks;
}

function discounted(ranks: readonly number[]): number {
  let sum = 0;
  for (const rank of ranks) sum += 1 / Math.log2(rank + 1);
  return sum;
}

/** Discounted sums of 0, 1, 2, ... hits in the first places. */
const ideals = [0];

function idealOf(hits: number): number {
  for (let rank = ideals.length; rank <= hits; rank += 1) ideals.push((ideals[rank - 1] as number) + 1 / Math.log2(rank + 1));
  return ideals[hits] as number;
}

/** Share of the catalog's items that stand in at least one user's first `cutoff` places. */
export function catalogCoverage<Item>({ ranked, cutoff, itemCount }: { ranked: readonly (readonly Item[])[]; cutoff: number; itemCount: number }): number {
  const shown = new Set<Item>();
  for (const list of ranked) for (const item of list.slice(0, cutoff)) shown.add(item);
  return itemCount === 0 ? 0 : shown.size / itemCount;
}

export function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index += 1) sum += values[index] as number;
  return values.length === 0 ? 0 : sum / values.length;
}
