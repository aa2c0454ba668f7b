import type { LoggedSlate } from './logged-slate.ts';

/** Examinations that the group's rate is worth in an item's, and the rate of all in a group's. */
const priorExaminations = 50;

type Sums = { reward: number; examined: number };

/**
 * What an item is worth once it is examined, learnt from slates that came before: the reward model of the doubly robust estimates. An item's rate is
 * shrunk to that of its group (stands in the base slate or not, the visitor knows it or not), the group's to that of all.
 */
export class ItemValues {
  private readonly all: Sums;
  private readonly groups = new Map<string, Sums>();
  private readonly items = new Map<string, Sums>();

  /** @param belief rate before anything is known, worth one examination */
  constructor(belief: number) {
    this.all = { reward: belief, examined: 1 };
  }

  of(item: string, slate: LoggedSlate): number {
    const group = groupOf(item, slate);
    const whole = this.all.reward / this.all.examined;
    const ofGroup = shrunk(this.groups.get(group), whole);
    return shrunk(this.items.get(`${group}${item}`), ofGroup);
  }

  /** @param rewards [items of the slate], capped */
  learn(slate: LoggedSlate, { rewards, examination }: { rewards: ArrayLike<number>; examination: Float64Array }): void {
    for (const [slot, item] of slate.items.entries()) {
      const group = groupOf(item, slate);
      const [reward, examined] = [rewards[slot] ?? 0, examination[slot] ?? 0];
      for (const sums of [this.all, sumsAt(this.groups, group), sumsAt(this.items, `${group}${item}`)]) {
        sums.reward += reward;
        sums.examined += examined;
      }
    }
  }
}

function groupOf(item: string, slate: LoggedSlate): string {
  return `${slate.base.includes(item) ? 'base' : 'pool'} ${slate.known?.has(item) ? 'known' : 'new'} `;
}

function shrunk(sums: Sums | undefined, prior: number): number {
  return sums === undefined ? prior : (sums.reward + priorExaminations * prior) / (sums.examined + priorExaminations);
}

function sumsAt(map: Map<string, Sums>, key: string): Sums {
  const found = map.get(key) ?? { reward: 0, examined: 0 };
  map.set(key, found);
  return found;
}
