import { attentionAt, demandWeight, type GenerationLog } from './shown-slate.ts';

/** Units are dealt to so many groups, each of which is left out once. */
export const unitGroups = 20;

/** Sums of one generation over items, whole and by group of units: [item], [group x item]. */
export type GenerationSums = {
  units: number;
  /** Slots by attention, of as many slates as are compared. */
  exposure: Sums;
  /** Of all slates: by attention, and how many were engaged with. */
  shown: Sums;
  engaged: Sums;
  /** Events that no slate led to. */
  organic: Sums;
  /** Engagements in slates that exploration could change, each by `demandWeight`. */
  explored: Sums;
  exploredSampleSize: number;
};
export type Sums = { whole: Float64Array; byGroup: Float64Array };

type Input = {
  log: GenerationLog;
  indexOf: ReadonlyMap<string, number> /** [slates] Is it one of those that are compared? */;
  compared: (slate: number) => boolean;
};

/** Adds up what the measures of a generation are made of. Items that are not in the index are passed over. */
export function sumGeneration({ log, indexOf, compared }: Input): GenerationSums {
  const itemCount = indexOf.size;
  const make = (): Sums => ({ whole: new Float64Array(itemCount), byGroup: new Float64Array(itemCount * unitGroups) });
  const [exposure, shown, engaged, organic, explored] = [make(), make(), make(), make(), make()];
  const groups = new Map<string, number>();
  const groupOf = (unit: string): number => {
    const group = groups.get(unit) ?? groups.size % unitGroups;
    groups.set(unit, group);
    return group;
  };
  let [weights, squares] = [0, 0];
  for (const [number, slate] of log.slates.entries()) {
    const group = groupOf(slate.unit);
    for (const [slot, itemId] of slate.items.entries()) {
      const item = indexOf.get(itemId);
      if (item === undefined) continue;
      if (compared(number)) add(exposure, group, item, attentionAt(slot));
      add(shown, group, item, attentionAt(slot));
      if (slate.engaged[slot] !== true) continue;
      add(engaged, group, item, 1);
      const weight = demandWeight(slate, slot);
      if (weight === null) continue;
      add(explored, group, item, weight);
      weights += weight;
      squares += weight * weight;
    }
  }
  const units = groups.size;
  for (const { unit, itemId } of log.organic) {
    const item = indexOf.get(itemId);
    if (item !== undefined) add(organic, groupOf(unit), item, 1);
  }
  return { units, exposure, shown, engaged, organic, explored, exploredSampleSize: squares === 0 ? 0 : weights ** 2 / squares };
}

function add({ whole, byGroup }: Sums, group: number, item: number, value: number): void {
  whole[item] = (whole[item] as number) + value;
  const place = group * whole.length + item;
  byGroup[place] = (byGroup[place] as number) + value;
}

/** The sums without one group of units; all of them where the group is -1. */
export function without({ whole, byGroup }: Sums, group: number): Float64Array {
  if (group < 0) return whole;
  const from = group * whole.length;
  return Float64Array.from(whole, (value, item) => value - (byGroup[from + item] as number));
}
