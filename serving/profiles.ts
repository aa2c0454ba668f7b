import { LRUCache } from 'lru-cache';
import type { Charter } from '../models/contracts/charter.ts';
import { type Event, unitOf } from '../models/contracts/event.ts';

/** What is known of a visitor: item ids oldest first, the confidence of each, and what was bought. */
export type Profile = { items: string[]; weights: number[]; purchased: Set<string> };

/** The pipeline's snapshot by user: what users did before, as `[itemId, confidence]`, oldest first. */
export type ProfileSnapshot = {
  profiles: ReadonlyMap<string, readonly (readonly [string, number])[]>;
  /** Events up to here are in the snapshot; live ones that are not newer are not counted again. */
  throughMs: number;
};

type Entry = { itemId: string; weight: number; purchase: boolean; atMs: number };
/** `bought` outlives the entries: purchases less returns by item, below zero where something of the snapshot was sent back. */
type Remembered = { entries: Entry[]; bought: Map<string, number> };

/** Longest history that a visitor carries into a request and its record. */
const entriesPerUnit = 100;

/**
 * The replica's memory of visitors. Live events are kept for the `maxUnits` seen last; for known users the snapshot stands before them.
 */
export type ProfileStore = {
  accept(event: Event): void;
  profileOf(unit: string): Profile;
  setSnapshot(snapshot: ProfileSnapshot): void;
};

export function createProfileStore({ charter, maxUnits = 200_000 }: { charter: () => Charter | undefined; maxUnits?: number }): ProfileStore {
  const live = new LRUCache<string, Remembered>({ max: maxUnits });
  let snapshot: ProfileSnapshot = { profiles: new Map(), throughMs: -1 };

  return {
    setSnapshot(next) {
      snapshot = next;
    },

    accept(event) {
      const unit = unitOf(event);
      const known: Remembered = live.get(unit) ?? { entries: [], bought: new Map() };
      const weight = charter()?.confidence[event.kind] ?? 0;
      const purchase = event.kind === 'purchase';
      if (event.kind === 'return') undo(known, event.itemId);
      else if (weight > 0 || purchase) remember(known, { itemId: event.itemId, weight, purchase, atMs: event.atMs });
      else return;
      live.set(unit, known);
    },

    profileOf(unit) {
      const profile: Profile = { items: [], weights: [], purchased: new Set() };
      const before = unit.startsWith('u:') ? snapshot.profiles.get(unit.slice(2)) : undefined;
      const purchaseWeight = charter()?.confidence.purchase ?? Number.POSITIVE_INFINITY;
      for (const [itemId, weight] of before ?? []) {
        // The snapshot keeps no kinds: what weighs as much as a purchase is taken for one.
        if (weight >= purchaseWeight) profile.purchased.add(itemId);
        profile.items.push(itemId);
        profile.weights.push(weight);
      }
      const known = live.get(unit);
      for (const [itemId, count] of known?.bought ?? []) {
        if (count > 0) profile.purchased.add(itemId);
        else if (count < 0) profile.purchased.delete(itemId);
      }
      for (const { itemId, weight, atMs } of known?.entries ?? []) {
        if (atMs <= snapshot.throughMs || weight <= 0) continue;
        profile.items.push(itemId);
        profile.weights.push(weight);
      }
      if (profile.items.length > entriesPerUnit) {
        profile.items = profile.items.slice(-entriesPerUnit);
        profile.weights = profile.weights.slice(-entriesPerUnit);
      }
      return profile;
    },
  };
}

function remember({ entries, bought }: Remembered, entry: Entry): void {
  if (entry.purchase) bought.set(entry.itemId, (bought.get(entry.itemId) ?? 0) + 1);
  // Batches may come late: order is by when it happened.
  let place = entries.length;
  while (place > 0 && (entries[place - 1] as Entry).atMs > entry.atMs) place -= 1;
  entries.splice(place, 0, entry);
  if (entries.length > entriesPerUnit) entries.shift();
}

/** What was sent back is as if it had not been bought. */
function undo({ entries, bought }: Remembered, itemId: string): void {
  bought.set(itemId, (bought.get(itemId) ?? 0) - 1);
  const entry = entries.findLastIndex((one) => one.itemId === itemId && one.purchase);
  if (entry >= 0) entries.splice(entry, 1);
}
