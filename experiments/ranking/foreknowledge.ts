import type { Interval } from '../../models/contracts/verdict.ts';
import { normalQuantile } from '../normal.ts';

/** Fewer tell nothing. */
const pairsAtLeast = 50;
const usersAtLeast = 20;

export type Foreknowledge = Interval & { pairs: number; users: number };

/** Collects, for each wanted item of a user, the share of its look-alikes that the model puts behind it. */
export class ForeknowledgeTally {
  private readonly shares: { user: number; item: number; share: number }[] = [];

  /** @param order the model's answer when it may choose among the item and its look-alikes only, best first; who is missing stands behind all */
  add({ user, wanted, alike, order }: { user: number; wanted: number; alike: readonly number[]; order: ReadonlyMap<number, number> }): void {
    const placeOf = (item: number) => order.get(item) ?? Number.POSITIVE_INFINITY;
    const own = placeOf(wanted);
    const behind = alike.reduce((sum, other) => sum + (placeOf(other) > own ? 1 : placeOf(other) === own ? 0.5 : 0), 0);
    this.shares.push({ user, item: wanted, share: behind / alike.length });
  }

  /**
   * Mean share: 1/2 where the model does not know what came, 1 where it knows all. Of a model that has not seen the test part it says how well things can
   * be foretold that looked alike, which is little.
   *
   * The interval is normal, with the variance clustered by users and by items, since all users of an item share its fate: V_user + V_item - V_pair
   * (Cameron, Gelbach and Miller 2011, eq. 2.8), not below the larger of the first two.
   * @param level coverage
   * @returns null where there are too few to tell
   */
  summarize(level = 0.99): Foreknowledge | null {
    const { shares } = this;
    const users = new Set(shares.map(({ user }) => user)).size;
    if (shares.length < pairsAtLeast || users < usersAtLeast) return null;
    const value = shares.reduce((sum, { share }) => sum + share, 0) / shares.length;
    const variance = (clusterOf: (one: { user: number; item: number }) => number | string) => {
      const sums = new Map<number | string, number>();
      for (const one of shares) sums.set(clusterOf(one), (sums.get(clusterOf(one)) ?? 0) + one.share - value);
      return [...sums.values()].reduce((sum, one) => sum + one ** 2, 0) / shares.length ** 2;
    };
    const [byUser, byItem, byPair] = [variance(({ user }) => user), variance(({ item }) => item), variance(({ user, item }) => `${user} ${item}`)];
    const error = Math.sqrt(Math.max(byUser, byItem, byUser + byItem - byPair));
    const reach = normalQuantile((1 + level) / 2) * error;
    return { value, low: Math.max(0, value - reach), high: Math.min(1, value + reach), pairs: shares.length, users };
  }
}
