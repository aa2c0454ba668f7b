import { setImmediate as nextTurn } from 'node:timers/promises';
import { isInteraction, type Logged } from '../models/contracts/event-schemas.ts';
import { unitOf } from '../models/contracts/event.ts';
import { type Consents, createConsents, wordsOf } from '../models/consent.ts';
import { rungsBelowModel } from './fallback/chain.ts';
import { createPopularityCounts } from './fallback/popularity.ts';
import type { FallbackRung } from './fallback/rung.ts';
import { createCoVisits } from './fallback/session.ts';
import { createProfileStore, type ProfileSnapshot, type ProfileStore } from './profiles.ts';
import { createRecentIds, type RecentIds } from './recent-ids.ts';
import type { Snapshot } from './snapshot.ts';

/** So many events are known by their ids at least: a repetition among them is one. */
export const eventIdsAtLeast = 200_000;
/** Profile entries that are counted between two turns of the event loop. */
const countedPerSlice = 2_000;

/** What a replica remembers of visitors on one surface. */
export type VisitorMemory = {
  readonly profiles: ProfileStore;
  readonly rungs: readonly FallbackRung[];
  readonly eventIds: RecentIds;
  readonly consents: Consents;
  /** An event that is on disk. */
  remember(event: Logged): void;
  /** In force at once; what it says of what is popular is counted in slices, the first time. */
  setProfiles(snapshot: ProfileSnapshot): Promise<void>;
};

export function createVisitorMemory({ snapshot, clock }: { snapshot: () => Snapshot; clock: () => number }): VisitorMemory {
  const popularity = createPopularityCounts();
  const coVisits = createCoVisits();
  const eventIds = createRecentIds({ capacity: eventIdsAtLeast });
  const profiles = createProfileStore({ charter: () => snapshot().charter });
  const consents = createConsents({ charter: () => snapshot().charter, nowMs: clock });
  let countedProfiles = false;

  /** Clients may send any id; what no catalog has can never be shown, and would be kept for ever. */
  function count({ itemId, weight, previous }: { itemId: string; weight: number; previous: readonly string[] }): void {
    if (!snapshot().inCatalog(itemId)) return;
    coVisits.add({ previous, itemId });
    popularity.add(itemId, weight);
  }

  return {
    profiles,
    consents,
    rungs: rungsBelowModel({ coVisits, popularity }),
    eventIds,

    remember(event) {
      eventIds.add(event.eventId);
      if (event.quarantined !== undefined) return;
      if (event.kind === 'login') return snapshot().charter.identity?.merge === 'none' ? undefined : profiles.link(event);
      if (event.kind === 'consent') for (const word of wordsOf(event, event.receivedAtMs)) consents.note(word, event.receivedAtMs);
      // Who does not want to be known is not.
      if (!isInteraction(event) || !consents.allows(event, 'personalization')) return;
      const weight = snapshot().charter.confidence[event.kind] ?? 0;
      if (weight > 0) count({ itemId: event.itemId, weight, previous: profiles.lastItems(unitOf(event), 3) });
      profiles.accept(event);
    },

    async setProfiles(next) {
      profiles.setSnapshot(next);
      if (countedProfiles) return;
      countedProfiles = true;
      let counted = 0;
      for (const entries of next.profiles.values()) {
        const items = entries.map(([itemId]) => itemId);
        for (const [place, [itemId, weight]] of entries.entries()) count({ itemId, weight, previous: items.slice(Math.max(0, place - 3), place) });
        counted += entries.length;
        if (counted < countedPerSlice) continue;
        counted = 0;
        await nextTurn();
      }
    },
  };
}
