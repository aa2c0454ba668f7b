import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Event, unitOf } from '../models/contracts/event.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import type { SlateRecord } from '../models/contracts/slate.ts';
import type { SealedSegment } from '../stores/event-log.ts';
import { openLogWriter, type SegmentFiles } from '../stores/event-log-files.ts';
import type { GenerationStore } from '../stores/generations.ts';
import type { Life } from '../stores/life.ts';
import { createEnrolments, type Enrolments } from './enrolments.ts';
import { rungsBelowModel } from './fallback/chain.ts';
import { createPopularityCounts } from './fallback/popularity.ts';
import type { FallbackRung } from './fallback/rung.ts';
import { createCoVisits } from './fallback/session.ts';
import type { Metrics } from './metrics.ts';
import { openPatientLog, type PatientLog } from './patient-log.ts';
import { createProfileStore, type ProfileSnapshot, type ProfileStore } from './profiles.ts';
import { readEnrolmentsBack, readEventsBack } from './read-back.ts';
import { createRecentIds, type RecentIds } from './recent-ids.ts';
import type { Snapshot } from './snapshot.ts';

/** A surface as this replica serves it: the snapshot in force, its logs, and what it remembers of visitors. */
export type LiveSurface = {
  readonly name: string;
  /** In force; the watcher replaces it as a whole. */
  snapshot: Snapshot;
  readonly enrolments: Enrolments;
  readonly profiles: ProfileStore;
  readonly rungs: readonly FallbackRung[];
  readonly eventIds: RecentIds;
  /** Events that wait for the disk, by id. */
  readonly eventsUnderway: ReadonlyMap<string, Promise<void>>;
  /** @throws UND-LOG-UNAVAILABLE; then none of them is acknowledged. */
  logEvents(events: readonly Event[]): Promise<void>;
  /** Does not wait for the disk, and never throws: a slate is worth more than its record. */
  logSlate(record: SlateRecord): void;
  /** Whether records are likely to reach the disk. */
  canRecord(): boolean;
  /** For a record that is not whole yet. */
  logSlateLater(record: Promise<SlateRecord>): void;
  seal(): Promise<{ events: SealedSegment | undefined; slates: SealedSegment | undefined }>;
  /** In force at once; what it says of what is popular is counted in slices. */
  setProfiles(snapshot: ProfileSnapshot): Promise<void>;
  /** Why the replica is not whole, empty when it is. */
  troubles(): string[];
  close(): Promise<void>;
};

type Options = {
  name: string;
  stateDir: string;
  generations: GenerationStore;
  replica: string;
  life: Life;
  metrics: Metrics;
  log: (line: string) => void;
  files?: SegmentFiles | undefined;
  /** The first that is in force. */
  snapshot: Snapshot;
};

const eventIdsAtLeast = 200_000;
/** A disk that owes an answer for longer is a trouble. */
const slowDiskMs = 5_000;
/** Profile entries that are counted between two turns of the event loop. */
const countedPerSlice = 2_000;
/** More slates than this waiting for the disk, and new ones go unrecorded: memory must not fill because a disk does not answer. */
const slatesWaitingAtMost = 20_000;

/** Opens the logs, seals what an earlier life left open, and reads back what the replica must know: event ids, profiles, enrolments. */
export async function openSurface(options: Options): Promise<LiveSurface> {
  const { name, stateDir, generations, replica, life, metrics, log, files } = options;
  const directoryOf = (stream: 'events' | 'slates') => join(stateDir, 'log', name, stream);
  const openWriter = (stream: 'events' | 'slates'): Promise<PatientLog> =>
    openPatientLog({
      open: () =>
        openLogWriter({
          directory: directoryOf(stream),
          writer: replica,
          life,
          ...(files === undefined ? {} : { files }),
          onTornTail: ({ segment, bytes }) => {
            metrics.tornBytes.inc({ surface: name, stream }, bytes);
            log(`${name}: cut ${bytes} bytes of a half-written record from ${segment}`);
          },
        }),
      onTrouble: (why) => log(`${name}: the ${stream} log cannot be opened: ${why}`),
    });
  const eventLog = await openWriter('events');
  const slateLog = await openWriter('slates');
  const popularity = createPopularityCounts();
  const coVisits = createCoVisits();
  const eventIds = createRecentIds({ capacity: eventIdsAtLeast });
  const eventsUnderway = new Map<string, Promise<void>>();
  const enrolments = createEnrolments({ releaseId: options.snapshot.spec.canary?.releaseId ?? null });
  const failing = { events: false, slates: false };
  let slatesWaiting = 0;
  const unfinished = new Set<Promise<void>>();
  let countedProfiles = false;
  const damaged: string[] = [];
  const surface: LiveSurface = {
    name,
    snapshot: options.snapshot,
    enrolments,
    profiles: createProfileStore({ charter: () => surface.snapshot.charter }),
    rungs: rungsBelowModel({ coVisits, popularity }),
    eventIds,
    eventsUnderway,

    async logEvents(events) {
      const written = eventLog.append(events);
      for (const one of events) eventsUnderway.set(one.eventId, written);
      try {
        await written;
        failing.events = false;
        for (const one of events) remember(one);
      } catch (error) {
        failing.events = true;
        metrics.logFailures.inc({ surface: name, stream: 'events' }, events.length);
        throw error;
      } finally {
        for (const one of events) eventsUnderway.delete(one.eventId);
      }
    },

    logSlate(record) {
      if (slatesWaiting >= slatesWaitingAtMost) return slateLost(new UnderstudyError('UND-OVERLOADED', `${slatesWaiting} slate records wait for the disk`));
      slatesWaiting += 1;
      slateLog.append([record]).then(
        () => {
          slatesWaiting -= 1;
          failing.slates = false;
        },
        (error) => {
          slatesWaiting -= 1;
          slateLost(error);
        },
      );
    },

    canRecord: () => !failing.slates && slateLog.trouble() === null && slatesWaiting < slatesWaitingAtMost,

    logSlateLater(record) {
      const logged = record.then(surface.logSlate).finally(() => unfinished.delete(logged));
      unfinished.add(logged);
    },

    async seal() {
      const [events, slates] = await Promise.all([eventLog.seal(), slateLog.seal()]);
      return { events, slates };
    },

    async setProfiles(next) {
      surface.profiles.setSnapshot(next);
      if (countedProfiles) return;
      countedProfiles = true;
      let counted = 0;
      for (const entries of next.profiles.values()) {
        const items = entries.map(([itemId]) => itemId);
        entries.forEach(([itemId, weight], place) => {
          if (!surface.snapshot.inCatalog(itemId)) return;
          popularity.add(itemId, weight);
          coVisits.add({ previous: items.slice(Math.max(0, place - 3), place), itemId });
        });
        counted += entries.length;
        if (counted > countedPerSlice) {
          counted = 0;
          await nextTurn();
        }
      }
    },

    troubles: () => [
      ...(['events', 'slates'] as const).flatMap((stream) => {
        const writer = stream === 'events' ? eventLog : slateLog;
        const why = writer.trouble();
        if (why !== null) return [`${name}: the ${stream} log cannot be written: ${why}`];
        const waitingMs = writer.waitingMs();
        if (waitingMs > slowDiskMs) return [`${name}: the ${stream} log has waited for its disk for ${Math.round(waitingMs / 1000)} s`];
        return failing[stream] ? [`${name}: the ${stream} log cannot be written`] : [];
      }),
      ...(damaged.length === 0 ? [] : [`${name}: ${damaged.length} log segments are damaged: ${damaged.slice(0, 3).join(', ')}`]),
    ],

    async close() {
      await Promise.all(unfinished);
      await Promise.all([eventLog.close(), slateLog.close()]);
    },
  };

  function slateLost(error: unknown): void {
    if (!failing.slates) log(`${name}: slate records are lost: ${error instanceof Error ? error.message : error}`);
    failing.slates = true;
    metrics.logFailures.inc({ surface: name, stream: 'slates' });
  }

  function remember(event: Event): void {
    eventIds.add(event.eventId);
    const weight = surface.snapshot.charter.confidence[event.kind] ?? 0;
    // Clients may send any id; what no catalog has can never be shown, and would be kept for ever.
    if (weight > 0 && surface.snapshot.inCatalog(event.itemId)) {
      coVisits.add({ previous: surface.profiles.lastItems(unitOf(event), 3), itemId: event.itemId });
      popularity.add(event.itemId, weight);
    }
    surface.profiles.accept(event);
  }

  const onDamaged =
    (stream: string) =>
    ({ segment, error }: { segment: string; error: Error }): void => {
      damaged.push(segment);
      metrics.damagedSegments.set({ surface: name }, damaged.length);
      log(`${name}: the ${stream} log cannot be read back whole: ${error.message}`);
    };
  const failed = (stream: string) => (error: Error) => onDamaged(stream)({ segment: `the ${stream} log`, error });
  await readEventsBack({ directory: directoryOf('events'), atLeast: eventIdsAtLeast, take: remember, onDamaged: onDamaged('events') }).catch(failed('events'));
  const { spec } = options.snapshot;
  await readEnrolmentsBack({ directory: directoryOf('slates'), spec, generations, enrolments, onDamaged: onDamaged('slates') }).catch(failed('slates'));
  return surface;
}
