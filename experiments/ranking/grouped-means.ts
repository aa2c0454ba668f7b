import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { createRandom } from '../../models/random.ts';

export type BootstrapSettings = { seed: number /** Resamples; 1000 where absent. */; replications?: number /** Coverage; .95 where absent. */; level?: number };

/**
 * Means of per-user values with bootstrap intervals, in memory that does not grow with the users: users are dealt out in turn to groups, and groups are
 * drawn. Up to as many users as groups, that is the bootstrap by user itself; beyond, of means of users dealt at random.
 */
export class GroupedMeans {
  readonly names: readonly string[];
  users = 0;
  private readonly groups: number;
  /** [groups x names] */
  private readonly sums: Float64Array;

  constructor({ names, groups = 4096 }: { names: readonly string[]; groups?: number }) {
    this.names = names;
    this.groups = groups;
    this.sums = new Float64Array(groups * names.length);
  }

  /** One user's values, in the order of the names. */
  add(values: ArrayLike<number>): void {
    const from = (this.users % this.groups) * this.names.length;
    for (let index = 0; index < this.names.length; index += 1) this.sums[from + index] = (this.sums[from + index] as number) + (values[index] as number);
    this.users += 1;
  }

  means(): Record<string, number> {
    return Object.fromEntries(this.names.map((name, index) => [name, this.users === 0 ? 0 : this.total(index) / this.users]));
  }

  /** @throws UND-NO-DATA without users */
  intervals(settings: BootstrapSettings): Record<string, Interval> {
    return this.bootstrap((from, index) => this.sums[from + index] as number, settings);
  }

  /**
   * Of this minus `other`, paired by user: both were given the same users in the same order.
   * @throws UND-INPUT where they were not, UND-NO-DATA without users
   */
  lift(other: GroupedMeans, settings: BootstrapSettings): Record<string, Interval> {
    if (other.users !== this.users || other.names.join() !== this.names.join() || other.groups !== this.groups)
      throw new UnderstudyError('UND-INPUT', `A paired lift needs the same users and metrics: ${this.users} against ${other.users}`);
    return this.bootstrap((from, index) => (this.sums[from + index] as number) - (other.sums[from + index] as number), settings);
  }

  /** One value's sums by group: with the numbers of users and groups, all that a paired lift needs. */
  sumsOf(name: string): { users: number; groups: number; sums: number[] } {
    const index = this.names.indexOf(name);
    const sums = Array.from({ length: Math.min(this.groups, this.users) }, (_, group) => this.sums[group * this.names.length + index] as number);
    return { users: this.users, groups: this.groups, sums };
  }

  /** The means of which `sumsOf` gave the sums. */
  static ofSums({ metric, users, groups, sums }: { metric: string; users: number; groups: number; sums: readonly number[] }): GroupedMeans {
    const means = new GroupedMeans({ names: [metric], groups });
    means.sums.set(sums);
    means.users = users;
    return means;
  }

  private total(index: number): number {
    let sum = 0;
    for (let group = 0; group < this.groups; group += 1) sum += this.sums[group * this.names.length + index] as number;
    return sum;
  }

  private bootstrap(sumAt: (from: number, index: number) => number, { seed, replications = 1000, level = 0.95 }: BootstrapSettings): Record<string, Interval> {
    if (this.users === 0) throw new UnderstudyError('UND-NO-DATA', 'There is no user to measure');
    const width = this.names.length;
    const used = Math.min(this.groups, this.users);
    const random = createRandom(seed);
    const resampled = this.names.map(() => new Float64Array(replications));
    const sums = new Float64Array(width);
    const value = new Float64Array(width);
    for (let group = 0; group < used; group += 1)
      for (let index = 0; index < width; index += 1) value[index] = (value[index] as number) + sumAt(group * width, index);
    for (let replication = 0; replication < replications; replication += 1) {
      sums.fill(0);
      let users = 0;
      for (let draw = 0; draw < used; draw += 1) {
        const group = random.below(used);
        users += Math.floor(this.users / this.groups) + (group < this.users % this.groups ? 1 : 0);
        for (let index = 0; index < width; index += 1) sums[index] = (sums[index] as number) + sumAt(group * width, index);
      }
      for (let index = 0; index < width; index += 1) (resampled[index] as Float64Array)[replication] = (sums[index] as number) / users;
    }
    const tail = (1 - level) / 2;
    return Object.fromEntries(
      this.names.map((name, index) => {
        const sorted = (resampled[index] as Float64Array).sort();
        return [name, { value: (value[index] as number) / this.users, low: quantile(sorted, tail), high: quantile(sorted, 1 - tail) }];
      }),
    );
  }
}

/** Linear between the two nearest order statistics (type 7 of Hyndman and Fan 1996). */
export function quantile(sorted: Float64Array, probability: number): number {
  const place = probability * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (place - below) * (high - low);
}
