import { attentionAt, demandWeight, type GenerationLog } from './shown-slate.ts';

/** Units are dealt to so many groups, each of which is left out once. */
export const unitGroups = 20;

/** Sums of one generation over items, whole and by group of units. */
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
  /**
   * Engagements of equal weight that say as much: of those in the log, or of those that its drawn places would have brought, were they spread evenly over all that could be drawn;
   * whichever are fewer. What is hardly ever drawn may by chance have no engagement at all: then those in the log are all alike, and tell of what the model ranks alone.
   */
  exploredSampleSize: number;
};
/** By group of units what it had of which items: of a large catalog one generation shows a part. */
export type Sums = { whole: Float64Array; byGroup: readonly Map<number, number>[] };

type Input = {
  log: GenerationLog;
  indexOf: ReadonlyMap<string, number> /** [slates] Is it one of those that are compared? */;
  compared: (slate: number) => boolean;
};

/** Adds up what the measures of a generation are made of. Items that are not in the index are passed over. */
export function sumGeneration({ log, indexOf, compared }: Input): GenerationSums {
  const itemCount = indexOf.size;
  const make = (): Sums => ({ whole: new Float64Array(itemCount), byGroup: Array.from({ length: unitGroups }, () => new Map()) });
  const [exposure, shown, engaged, organic, explored] = [make(), make(), make(), make(), make()];
  const groups = new Map<string, number>();
  const groupOf = (unit: string): number => {
    const group = groups.get(unit) ?? groups.size % unitGroups;
    groups.set(unit, group);
    return group;
  };
  const [taken, drawn] = [new SampleSize(), new SampleSize()];
  let drawnEngaged = 0;
  for (const [number, slate] of log.slates.entries()) {
    const group = groupOf(slate.unit);
    for (const [slot, itemId] of slate.items.entries()) {
      const item = indexOf.get(itemId);
      if (item === undefined) continue;
      if (compared(number)) add(exposure, group, item, attentionAt(slot));
      add(shown, group, item, attentionAt(slot));
      const weight = demandWeight(slate, slot);
      const isDrawn = weight !== null && slate.exploredSlots.includes(slot);
      if (isDrawn) drawn.add(weight);
      if (slate.engaged[slot] !== true) continue;
      add(engaged, group, item, 1);
      if (weight === null) continue;
      if (isDrawn) drawnEngaged += 1;
      add(explored, group, item, weight);
      taken.add(weight);
    }
  }
  const units = groups.size;
  for (const { unit, itemId } of log.organic) {
    const item = indexOf.get(itemId);
    if (item !== undefined) add(organic, groupOf(unit), item, 1);
  }
  const evenlyDrawn = drawn.count === 0 ? 0 : (drawn.size * drawnEngaged) / drawn.count;
  return { units, exposure, shown, engaged, organic, explored, exploredSampleSize: Math.min(taken.size, evenlyDrawn) };
}

/** How many of equal weight tell as much: (sum w)^2 / sum w^2 (Kish, "Survey sampling", 1965, sec. 11.7). */
class SampleSize {
  count = 0;
  private sum = 0;
  private squares = 0;

  add(weight: number): void {
    this.count += 1;
    this.sum += weight;
    this.squares += weight * weight;
  }

  get size(): number {
    return this.squares === 0 ? 0 : this.sum ** 2 / this.squares;
  }
}

function add({ whole, byGroup }: Sums, group: number, item: number, value: number): void {
  whole[item] = (whole[item] as number) + value;
  const own = byGroup[group] as Map<number, number>;
  own.set(item, (own.get(item) ?? 0) + value);
}

/** The sums without one group of units; all of them where the group is -1. */
export function without({ whole, byGroup }: Sums, group: number): Float64Array {
  if (group < 0) return whole;
  const left = whole.slice();
  for (const [item, value] of byGroup[group] ?? []) left[item] = (left[item] as number) - value;
  return left;
}
