import { type Found, ownersOf } from './find-causes.ts';
import type { Leaves } from './leaves.ts';
import type { Totals } from './totals.ts';

/** A cause by its attributes. `owned`: leaves that count for it and for no other. */
export type Placed = {
  where: Record<string, string | null>;
  deviation: number;
  score: number;
  change: number;
  actual: number | null;
  predicted: number | null;
  owned: number[];
  effect: 'rate' | 'volume';
};

/**
 * The causes with what each explains. The score, 0 .. 1, is the share of the leaves' squared deviations, weighted by size and less what noise makes of them,
 * that is gone once the cause's leaves are expected at the deviation they share: the potential score of Sun et al. 2018 ("HotSpot"), on the deviation scores
 * of Li et al. 2019 ("Squeeze").
 */
export function placedSuspects(found: Found, { leaves, totals, taken = [] }: { leaves: Leaves; totals: Totals; taken?: readonly number[] }): Placed[] {
  const { causes, deviations, evidence } = found;
  const owners = ownersOf(found);
  const isTaken = new Set(taken);
  const own = causes.map((): number[] => []);
  const gone = causes.map(() => 0);
  let all = 0;
  for (const [at, leaf] of deviations.leaf.entries()) {
    const [size, deviation, owner] = [deviations.size[at] as number, deviations.deviation[at] as number, owners[at] as number];
    all += size * (deviation ** 2 - 1 / (evidence.weight[at] as number));
    if (owner < 0) continue;
    const shared = (causes[owner] as (typeof causes)[number]).deviation;
    gone[owner] = (gone[owner] as number) + size * (2 * deviation * shared - shared ** 2);
    if (!isTaken.has(leaf)) own[owner]?.push(leaf);
  }
  const most = Math.max(
    all,
    gone.reduce((sum, one) => sum + Math.max(one, 0), 0),
  );
  return causes.map(({ cuboid, places, deviation }, index) => {
    const first = deviations.leaf[places[0] as number] as number;
    const owned = own[index] as number[];
    const attributes = cuboid.dimensions.map((dimension) => leaves.dimensions[dimension] as Leaves['dimensions'][number]);
    const under = Array.from({ length: leaves.count }, (_, leaf) => leaf).filter((leaf) => attributes.every(({ codes }) => codes[leaf] === codes[first]));
    return {
      where: Object.fromEntries(attributes.map(({ name, values, codes }) => [name, values[codes[first] as number] ?? null])),
      deviation,
      score: Math.min(1, Math.max(0, (gone[index] as number) / most)),
      change: totals.change - totals.changeWithout(owned),
      ...totals.of(under),
      owned,
      effect: 'rate',
    };
  });
}
