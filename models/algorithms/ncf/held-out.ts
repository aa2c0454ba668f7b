import type { RankerData } from './train-ranker.ts';

/** Of what came next, 1 / log2(1 + place): NDCG without an end to the list, which moves less by chance than one of 10. In the mean. */
export function meanGain({ lists, heldOut }: RankerData, orders: readonly Uint32Array[]): number {
  let sum = 0;
  for (const order of orders) for (const [rank, place] of order.entries()) sum += (lists.shares[place] as number) / Math.log2(2 + rank);
  return sum / Math.max(1, heldOut.length);
}

/** The first stage's own. */
export const firstOrders = ({ lists, heldOut }: RankerData): Uint32Array[] =>
  Array.from(heldOut, (list) => Uint32Array.from({ length: lists.lengths[list] as number }, (_, place) => list * lists.most + place));

const ndcgPlaces = 10;
const agreementPlaces = 20;

/** NDCG@10 with what came next as what was wanted, candidate or not; of each user who was held out the mean over the lists. */
export function ndcgByUser({ lists, heldOut }: RankerData, orders: readonly Uint32Array[]): Float64Array {
  const byUser = new Map<number, { sum: number; count: number }>();
  for (const [index, list] of heldOut.entries()) {
    const wanted = lists.wanted[list] as number;
    if (wanted === 0) continue;
    let gain = 0;
    let ideal = 0;
    for (const [rank, place] of (orders[index] as Uint32Array).subarray(0, ndcgPlaces).entries())
      if ((lists.shares[place] as number) > 0) gain += 1 / Math.log2(2 + rank);
    for (let rank = 0; rank < Math.min(ndcgPlaces, wanted); rank += 1) ideal += 1 / Math.log2(2 + rank);
    const user = lists.users[list] as number;
    const { sum, count } = byUser.get(user) ?? { sum: 0, count: 0 };
    byUser.set(user, { sum: sum + gain / ideal, count: count + 1 });
  }
  return Float64Array.from(byUser.values(), ({ sum, count }) => sum / count);
}

/** Mean share of the best 20 of each list that are among the other order's best 20. */
export function agreement(orders: readonly Uint32Array[], others: readonly Uint32Array[]): number {
  const shares = orders.flatMap((order, index) => {
    const best = new Set(order.subarray(0, agreementPlaces));
    return best.size === 0 ? [] : [[...(others[index] as Uint32Array).subarray(0, agreementPlaces)].filter((place) => best.has(place)).length / best.size];
  });
  return shares.length === 0 ? 1 : shares.reduce((sum, share) => sum + share, 0) / shares.length;
}
