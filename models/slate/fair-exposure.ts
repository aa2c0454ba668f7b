import type { ExposureRules } from '../contracts/fairness.ts';

/** What a place is worth: 1 / log2(rank + 1), rank 1 the first (Singh and Joachims 2018, sec. 3.1). */
export function exposureAt(place: number): number {
  return 1 / Math.log2(place + 2);
}

/** [groups] each group's share of a slate's exposure; an item of several groups counts for each. */
export function exposureShares<Item>(slate: readonly Item[], groupCount: number, groupsOf: (item: Item) => readonly number[]): number[] {
  const shares = new Array<number>(groupCount).fill(0);
  let whole = 0;
  for (const [place, item] of slate.entries()) {
    whole += exposureAt(place);
    for (const group of groupsOf(item)) shares[group] = (shares[group] as number) + exposureAt(place);
  }
  return whole === 0 ? shares : shares.map((one) => one / whole);
}

export type ExposureController = {
  /** [groups] slates of exposure that each group is behind; 0 for one that has its share. */
  deficits(): number[];
  /** After a slate was shown. */
  note(shares: readonly number[]): void;
};

/**
 * What groups are owed, amortized over requests (Biega et al. 2018): with e_g the share of a slate's exposure,
 *
 *   D_g ← min(1 / strength, max(0, D_g + minShare_g - e_g)).
 *
 * A controller as in Morik et al. 2020, sec. 5 (FairCo), with a minimum in place of the disparity between groups; the deficit is the virtual queue of a
 * constraint on an average (Neely 2010, sec. 4.4), so that it leaves no error in the balance. More than 1 / strength would move nothing further. It draws
 * nothing, and what it says depends on earlier slates alone.
 */
export function createExposureController({ groups, strength }: Pick<ExposureRules, 'groups' | 'strength'>): ExposureController {
  const behind = groups.map(() => 0);
  return {
    deficits: () => [...behind],
    note(shares) {
      for (const [group, { minShare }] of groups.entries())
        behind[group] = Math.min(1 / strength, Math.max(0, (behind[group] as number) + minShare - (shares[group] ?? 0)));
    },
  };
}

/**
 * The slate's places go to the items with the most of 1 - (r - 1) / n + min(1, strength sum of the deficits of its groups), r the rank among n (Morik et al.
 * 2020, eq. 12, with relevance by rank so that `strength` means the same on any model's scale). Equal ones keep their order.
 * @param ranked best first, no item twice; what is not on the slate follows in its order
 * @param deficits [groups] slates, see `ExposureController`
 */
export function fairExposure<Item>({
  ranked,
  size,
  deficits,
  strength,
  groupsOf,
}: {
  ranked: readonly Item[];
  size: number;
  deficits: readonly number[];
  strength: number;
  groupsOf: (item: Item) => readonly number[];
}): readonly Item[] {
  if (deficits.every((deficit) => deficit === 0)) return ranked;
  /** [places] of the best so far, best first, and what each is worth: most items are worth less than all of them, so that hardly any is put in between. */
  const chosen: number[] = [];
  const values = new Float64Array(Math.min(size, ranked.length));
  for (let place = 0; place < ranked.length; place += 1) {
    let boost = 0;
    for (const group of groupsOf(ranked[place] as Item)) boost += strength * (deficits[group] ?? 0);
    const value = 1 - place / ranked.length + Math.min(1, boost);
    if (chosen.length === values.length && value <= (values[values.length - 1] as number)) continue;
    let at = Math.min(chosen.length, values.length - 1);
    for (; at > 0 && value > (values[at - 1] as number); at -= 1) [values[at], chosen[at]] = [values[at - 1] as number, chosen[at - 1] as number];
    [values[at], chosen[at]] = [value, place];
  }
  const taken = new Uint8Array(ranked.length);
  for (const place of chosen) taken[place] = 1;
  return [...chosen.map((place) => ranked[place] as Item), ...ranked.filter((_, place) => taken[place] === 0)];
}
