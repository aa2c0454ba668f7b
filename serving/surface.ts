import type { Logged } from '../models/contracts/event-schemas.ts';
import { asUnderstudyError, UnderstudyError } from '../models/contracts/problem.ts';
import { canonicalJson } from '../models/contracts/digest.ts';
import { type ExposureMemory, exposureMemory } from '../models/slate/arrange.ts';
import type { BlobStore } from '../stores/blobs.ts';
import type { GenerationStore } from '../stores/generations.ts';
import { createEnrolments, type Enrolments } from './enrolments.ts';
import { createDoor, type Door } from './door.ts';
import { followPeers } from './follow-peers.ts';
import { type Guard, openGuard } from './guard.ts';
import { readConsentsBack, readEnrolmentsBack, readEventsBack } from './read-back.ts';
import { createRepetition } from './repetition.ts';
import type { Snapshot } from './snapshot.ts';
import { type LogOptions, openSurfaceLogs, type SurfaceLogs } from './surface-logs.ts';
import { createVisitorMemory, eventIdsAtLeast, type VisitorMemory } from './visitor-memory.ts';

/** A surface as this replica serves it: the snapshot in force, its logs, and what it remembers of visitors. */
export type LiveSurface = Omit<SurfaceLogs, 'readers'> &
  Omit<VisitorMemory, 'remember'> & {
    readonly name: string;
    /** In force; the watcher replaces it as a whole. */
    snapshot: Snapshot;
    readonly enrolments: Enrolments;
    readonly door: Door;
    /** What may be shown of what is in scope. */
    readonly guard: Guard;
    /** What this replica's slates owe the groups of the charter in force. */
    exposure(): ExposureMemory;
    /** Events that wait for the disk, by id. */
    readonly eventsUnderway: ReadonlyMap<string, Promise<void>>;
    /** Whether what people said they allow has been read back. */
    knowsConsents(): boolean;
    /** Why the replica is not whole, empty when it is. */
    troubles(): string[];
  };

/** @param options.snapshot the first that is in force. */
type Options = LogOptions & { blobs: BlobStore; generations: GenerationStore; snapshot: Snapshot; clock?: () => number };

/** A session of which a word is not older may still be there when a replica begins, whoever served it meanwhile. */
const maybeHereMs = 7 * 24 * 3_600_000;

/** So late a replica knows what visitors did at another one. */
const peersEveryMs = 1_000;

/**
 * Opens the logs, seals what lives that are over left open, and reads back what the replica must know: event ids, profiles, enrolments. For as long as that
 * cannot be read, slates are answered, events are refused, for nobody knows which are known, and nobody is enrolled.
 */
export async function openSurface(options: Options): Promise<LiveSurface> {
  const { name, generations, clock = Date.now } = options;
  const { readers, ...logs } = await openSurfaceLogs(options);
  const { remember, ...memory } = createVisitorMemory({ snapshot: () => surface.snapshot, clock });
  const eventsUnderway = new Map<string, Promise<void>>();
  const enrolments = createEnrolments({ releaseId: options.snapshot.spec.canary?.releaseId ?? null });
  const peers = createRepetition(peersEveryMs);
  const wounds = noteWounds(options);
  const guard = await openGuard(options);
  const exposure = createExposure();
  const surface: LiveSurface = {
    ...logs,
    ...memory,
    name,
    snapshot: options.snapshot,
    enrolments,
    door: createDoor({ snapshot: () => surface.snapshot }),
    guard,
    exposure: () => exposure(surface.snapshot),
    eventsUnderway,

    async logEvents(events) {
      if (follower === undefined) throw new UnderstudyError('UND-LOG-UNAVAILABLE', `What the events log of ${name} holds has not been read back yet`);
      const written = logs.logEvents(events);
      for (const one of events) eventsUnderway.set(one.eventId, written);
      try {
        await written;
        for (const one of events) remember(one);
      } finally {
        for (const one of events) eventsUnderway.delete(one.eventId);
      }
    },

    knowsConsents: () => follower !== undefined,
    canRecord: () => follower?.knowsEnrolments() === true && logs.canRecord(),
    troubles: () => [...logs.troubles(), ...wounds.troubles(), ...guard.troubles({ ...surface.snapshot, nowMs: clock() })],

    async close() {
      await peers.end();
      await guard.close();
      await logs.close();
    },
  };

  const isKnown = (eventId: string): boolean => memory.eventIds.has(eventId) || eventsUnderway.has(eventId);
  const take = (event: Logged): void => {
    if (!isKnown(event.eventId)) remember(event);
  };
  const readBack = async () => {
    const beganMs = clock();
    await readConsentsBack({
      reader: readers.events,
      // Also what was said long ago, and stands in no profiles yet. Who said so lately may have been here until a moment ago.
      take: (word, receivedAtMs) => memory.consents.note(word, receivedAtMs > beganMs - maybeHereMs ? beganMs : receivedAtMs),
      onDamaged: wounds.damaged('events'),
    });
    return followPeers({
      readers,
      life: options.life,
      eventsCursor: await readEventsBack({ reader: readers.events, atLeast: eventIdsAtLeast, take, onDamaged: wounds.damaged('events') }),
      spec: () => surface.snapshot.spec,
      enrolments,
      readEnrolments: (spec) => readEnrolmentsBack({ reader: readers.slates, spec, generations, enrolments, onDamaged: wounds.damaged('slates') }),
      take,
    });
  };
  let follower: ReturnType<typeof followPeers> | undefined;
  async function lookAtPeers(): Promise<void> {
    try {
      follower ??= await readBack();
      await follower.look();
      wounds.blind(null);
    } catch (error) {
      wounds.blind(asUnderstudyError(error));
    }
  }
  await lookAtPeers();
  peers.begin(lookAtPeers);
  return surface;
}

/** Another charter with the same rules goes on where the last one was. */
function createExposure(): (snapshot: Pick<Snapshot, 'charter'>) => ExposureMemory {
  let current: { rules: string; memory: ExposureMemory } | undefined;
  const ruled = new WeakMap<Snapshot['charter'], ExposureMemory>();
  return ({ charter }) => {
    const known = ruled.get(charter);
    if (known !== undefined) return known;
    const rules = canonicalJson(charter.fairness ?? null);
    if (current?.rules !== rules) current = { rules, memory: exposureMemory(charter.fairness) };
    ruled.set(charter, current.memory);
    return current.memory;
  };
}

/** What could not be read of the logs: damaged segments for good, all others for as long as they cannot. */
function noteWounds({ name, metrics, log }: Options) {
  const damaged = new Set<string>();
  let blindness: string | null = null;
  return {
    damaged:
      (stream: string) =>
      ({ segment, error }: { segment: string; error: Error }): void => {
        if (damaged.has(`${stream}/${segment}`)) return;
        damaged.add(`${stream}/${segment}`);
        metrics.damagedSegments.set({ surface: name }, damaged.size);
        log(`${name}: the ${stream} log cannot be read back whole: ${error.message}`);
      },
    blind(error: Error | null): void {
      if (error !== null && blindness === null) log(`${name}: what the logs hold cannot be read: ${error.message}`);
      blindness = error?.message ?? null;
    },
    troubles: (): string[] => [
      ...(damaged.size === 0 ? [] : [`${name}: ${damaged.size} log segments are damaged: ${[...damaged].slice(0, 3).join(', ')}`]),
      ...(blindness === null ? [] : [`${name}: what the logs hold cannot be read: ${blindness}`]),
    ],
  };
}
