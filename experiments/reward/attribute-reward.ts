import type { Charter } from '../../models/contracts/charter.ts';
import { type Event, unitOf } from '../../models/contracts/event.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';

/*
 * The one definition of reward: an event counts for the latest slate of its unit that showed the item within `attributionMs` before
 * it, with the weight of its kind; each event once. Training weights, gates, canary and audits all come here.
 */

export type RewardedSlate = Pick<SlateRecord, 'requestId' | 'unit' | 'atMs' | 'items'>;
export type Reward = Charter['reward'];

type Attribution = { slate: RewardedSlate; event: Event; slot: number; value: number };

/** Everything known of one unit; small, so it is worked out again whenever something arrives. */
class Unit {
  readonly slates: RewardedSlate[] = [];
  readonly events: Event[] = [];

  attribute(reward: Reward): Attribution[] {
    const newestFirst = [...this.slates].sort((a, b) => b.atMs - a.atMs || (a.requestId < b.requestId ? 1 : -1));
    // In one order, whatever came first: sums of fractions depend on it in their last bits.
    const inOrder = [...this.events].sort((a, b) => a.atMs - b.atMs || (a.eventId < b.eventId ? -1 : 1));
    return inOrder.flatMap((event) => {
      const value = reward.weights[event.kind] ?? 0;
      const slate = newestFirst.find((one) => one.atMs <= event.atMs && event.atMs - one.atMs <= reward.attributionMs && one.items.includes(event.itemId));
      return slate === undefined ? [] : [{ slate, event, slot: slate.items.indexOf(event.itemId), value }];
    });
  }
}

/** Slates and events in any order of arrival; the same answers as if all had been there from the start. */
export class RewardLedger {
  private readonly units = new Map<string, Unit>();
  private readonly seenEvents = new Set<string>();
  private readonly seenSlates = new Set<string>();
  private readonly reward: Reward;

  constructor(reward: Reward) {
    this.reward = reward;
  }

  addSlate(slate: RewardedSlate): void {
    if (this.seenSlates.has(slate.requestId)) return;
    this.seenSlates.add(slate.requestId);
    this.unit(slate.unit).slates.push(slate);
  }

  /** Events that give nothing are not kept; `return` never gives anything, whatever the charter says. */
  addEvent(event: Event): void {
    if (event.kind === 'return' || (this.reward.weights[event.kind] ?? 0) === 0 || this.seenEvents.has(event.eventId)) return;
    this.seenEvents.add(event.eventId);
    this.unit(unitOf(event)).events.push(event);
  }

  /** Reward of the unit over the slates and events that `counts` lets in, capped. */
  rewardOf(unit: string, counts: (slate: RewardedSlate, event: Event) => boolean = () => true): number {
    const attributions = this.units.get(unit)?.attribute(this.reward) ?? [];
    const sum = attributions.reduce((total, one) => total + (counts(one.slate, one.event) ? one.value : 0), 0);
    return Math.min(this.reward.capPerUnit, sum);
  }

  /** Request id → reward by slot, for slates with any; uncapped. */
  bySlate(): Map<string, Float64Array> {
    const found = new Map<string, Float64Array>();
    for (const unit of this.units.values()) {
      for (const { slate, slot, value } of unit.attribute(this.reward)) {
        const rewards = found.get(slate.requestId) ?? new Float64Array(slate.items.length);
        rewards[slot] = (rewards[slot] ?? 0) + value;
        found.set(slate.requestId, rewards);
      }
    }
    return found;
  }

  private unit(name: string): Unit {
    const found = this.units.get(name) ?? new Unit();
    this.units.set(name, found);
    return found;
  }
}

/** All at once. `byUnit` holds every unit that was shown a slate. */
export function attributeReward({ slates, events, reward }: { slates: readonly RewardedSlate[]; events: readonly Event[]; reward: Reward }): {
  bySlate: Map<string, Float64Array>;
  byUnit: Map<string, number>;
} {
  const ledger = new RewardLedger(reward);
  for (const slate of slates) ledger.addSlate(slate);
  for (const event of events) ledger.addEvent(event);
  const byUnit = new Map(slates.map((slate) => [slate.unit, ledger.rewardOf(slate.unit)]));
  return { bySlate: ledger.bySlate(), byUnit };
}
