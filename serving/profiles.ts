import { LRUCache } from 'lru-cache';
import type { Charter } from '../models/contracts/charter.ts';
import { type Event, unitOf } from '../models/contracts/event.ts';

/** What is known of a visitor: item ids oldest first, the confidence of each, and what was bought. */
export type Profile = {
  items: string[];
  weights: number[];
  purchased: Set<string>;
  /** Nothing of it is newer. */
  untilMs: number;
};

/** The pipeline's snapshot by user: what users did before, as `[itemId, confidence]`, oldest first. */
export type ProfileSnapshot = {
  profiles: ReadonlyMap<string, readonly (readonly [string, number])[]>;
  /** Events up to here are in the snapshot; live ones that are not newer are not counted again. */
  throughMs: number;
};

type Entry = { itemId: string; weight: number; purchase: boolean; atMs: number };
/** Purchases (+1) and returns (-1) of one item, by when they happened: those which the snapshot has already are not counted again. */
type Owned = { atMs: number; change: 1 | -1 }[];
/** `owned` outlives the entries; of both the newest are kept. */
type Remembered = { entries: Entry[]; owned: Map<string, Owned> };

/** Longest history that a visitor carries into a request and its record. */
const entriesPerUnit = 100;
/** One that buys for many (a shop's own till) must not make each request, and each record, longer and longer. */
const ownedPerUnit = 1_000;
const changesPerItem = 20;

/**
 * The replica's memory of visitors. Live events are kept for the `maxUnits` seen last; for known users the snapshot stands before them.
 */
export type ProfileStore = {
  accept(event: Event): void;
  /** What the session did before is the user's. */
  link(login: { userId: string; sessionId: string }): void;
  profileOf(unit: string): Profile;
  /** The last few items of `profileOf`, without making the whole of it. */
  lastItems(unit: string, count: number): string[];
  setSnapshot(snapshot: ProfileSnapshot): void;
  /** Until a snapshot without them comes, the one in force says nothing of them. */
  forget(units: readonly string[]): void;
};

export function createProfileStore({ charter, maxUnits = 200_000 }: { charter: () => Charter | undefined; maxUnits?: number }): ProfileStore {
  const live = new LRUCache<string, Remembered>({ max: maxUnits });
  let snapshot: ProfileSnapshot = { profiles: new Map(), throughMs: -1 };

  function link({ userId, sessionId }: { userId: string; sessionId: string }): void {
    const anonymous = live.get(unitOf({ sessionId }));
    if (anonymous === undefined) return;
    const unit = unitOf({ userId, sessionId });
    live.set(unit, joined(anonymous, live.get(unit)));
    live.delete(unitOf({ sessionId }));
  }

  return {
    setSnapshot(next) {
      snapshot = next;
    },

    link,

    forget(units) {
      const profiles = new Map(snapshot.profiles);
      for (const unit of units) {
        live.delete(unit);
        if (unit.startsWith('u:')) profiles.delete(unit.slice(2));
      }
      snapshot = { ...snapshot, profiles };
    },

    accept(event) {
      if (event.userId !== undefined && charter()?.identity?.merge !== 'none') link({ userId: event.userId, sessionId: event.sessionId });
      const unit = unitOf(event);
      const known: Remembered = live.get(unit) ?? { entries: [], owned: new Map() };
      const weight = charter()?.confidence[event.kind] ?? 0;
      const purchase = event.kind === 'purchase';
      if (event.kind === 'return') undo(known, event);
      else if (weight > 0 || purchase) remember(known, { itemId: event.itemId, weight, purchase, atMs: event.atMs });
      else return;
      live.set(unit, known);
    },

    profileOf(unit) {
      const profile: Profile = { items: [], weights: [], purchased: new Set(), untilMs: Math.max(0, snapshot.throughMs) };
      const before = unit.startsWith('u:') ? snapshot.profiles.get(unit.slice(2)) : undefined;
      const purchaseWeight = charter()?.confidence.purchase ?? Number.POSITIVE_INFINITY;
      for (const [itemId, weight] of before ?? []) {
        // The snapshot keeps no kinds: what weighs as much as a purchase is taken for one.
        if (weight >= purchaseWeight) profile.purchased.add(itemId);
        profile.items.push(itemId);
        profile.weights.push(weight);
      }
      const known = live.get(unit);
      for (const [itemId, changes] of known?.owned ?? []) {
        const before = profile.purchased.has(itemId) ? 1 : 0;
        const now = changes.reduce((sum, { atMs, change }) => (atMs <= snapshot.throughMs ? sum : sum + change), before);
        if (now > 0) profile.purchased.add(itemId);
        else profile.purchased.delete(itemId);
      }
      for (const { itemId, weight, atMs } of known?.entries ?? []) {
        if (atMs <= snapshot.throughMs || weight <= 0) continue;
        profile.items.push(itemId);
        profile.weights.push(weight);
        profile.untilMs = Math.max(profile.untilMs, atMs);
      }
      if (profile.items.length > entriesPerUnit) {
        profile.items = profile.items.slice(-entriesPerUnit);
        profile.weights = profile.weights.slice(-entriesPerUnit);
      }
      return profile;
    },

    lastItems(unit, count) {
      const items: string[] = [];
      const entries = live.get(unit)?.entries ?? [];
      for (let place = entries.length - 1; place >= 0 && items.length < count; place -= 1) {
        const { itemId, weight, atMs } = entries[place] as Entry;
        if (atMs > snapshot.throughMs && weight > 0) items.unshift(itemId);
      }
      const before = unit.startsWith('u:') && items.length < count ? snapshot.profiles.get(unit.slice(2)) : undefined;
      return [...(before?.slice(items.length - count).map(([itemId]) => itemId) ?? []), ...items];
    },
  };
}

function remember({ entries, owned }: Remembered, entry: Entry): void {
  if (entry.purchase) note(owned, entry.itemId, { atMs: entry.atMs, change: 1 });
  // Batches may come late: order is by when it happened.
  let place = entries.length;
  while (place > 0 && (entries[place - 1] as Entry).atMs > entry.atMs) place -= 1;
  entries.splice(place, 0, entry);
  if (entries.length > entriesPerUnit) entries.shift();
}

/** The two as one, oldest first. */
function joined(one: Remembered, other: Remembered = { entries: [], owned: new Map() }): Remembered {
  const both: Remembered = { entries: [...one.entries, ...other.entries].sort((a, b) => a.atMs - b.atMs).slice(-entriesPerUnit), owned: new Map(one.owned) };
  for (const [itemId, changes] of other.owned) for (const change of changes) note(both.owned, itemId, change);
  return both;
}

/** What was sent back is as if it had not been bought. */
function undo({ entries, owned }: Remembered, { itemId, atMs }: Event): void {
  note(owned, itemId, { atMs, change: -1 });
  const entry = entries.findLastIndex((one) => one.itemId === itemId && one.purchase);
  if (entry >= 0) entries.splice(entry, 1);
}

function note(owned: Map<string, Owned>, itemId: string, change: Owned[number]): void {
  const changes = owned.get(itemId) ?? [];
  changes.push(change);
  if (changes.length > changesPerItem) changes.shift();
  // Behind the others: the map is in the order in which its items were touched last.
  owned.delete(itemId);
  owned.set(itemId, changes);
  if (owned.size > ownedPerUnit) owned.delete(owned.keys().next().value as string);
}
