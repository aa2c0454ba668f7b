import type { State } from '../../activities/context.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { createRandom, type Random } from '../../models/random.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { beginLife } from '../../stores/life.ts';
import { openLogs } from '../../stores/open-logs.ts';

const hourMs = 3_600_000;
const writer = 'retold';
/** An hour of the day has from half to one and a half of these. */
const visitsAnHour = 25;
const recordsAtOnce = 2_000;

type LoggedEvent = {
  eventId: string;
  requestId?: string;
  userId?: string;
  sessionId?: string;
  surface: string;
  kind: string;
  atMs: number;
  receivedAtMs?: number;
};
/** One shopper's slates by one model, and what came of them. */
type Visit = { slates: SlateRecord[]; events: LoggedEvent[] };
/** A stretch of weeks in which one model was live: by what it was known where it met shoppers, and by what it is known here. */
export type Era = { was: string; is: string; generation: number; fromMs: number; toMs: number };

/**
 * Writes the log that a surface would have, had what shoppers did on another one in the last minutes been spread over weeks: visits are drawn from those that the model
 * of each era really had, moved in time and given ids of their own. What exploration could have drawn is left out: nothing is learned from a tale. So are
 * impressions but the first of a slate: they are most of a log.
 * @throws UND-NO-DATA where no shopper has met one of the models
 */
export async function retellWeeks(
  state: State,
  { from, to, eras, seed }: { from: string; to: string; eras: readonly Era[]; seed: number },
): Promise<{ slates: number; events: number }> {
  const visits = await readVisits(state, from);
  const random = createRandom(seed);
  const counts = { slates: 0, events: 0 };
  const life = beginLife();
  const logs = openLogs({ stateDir: state.root, kafka: undefined });
  const open = (stream: 'slates' | 'events') => logs.openWriter({ surface: to, stream, writer, life });
  const [slateLog, eventLog] = [await open('slates'), await open('events')];
  let waiting: Visit = { slates: [], events: [] };
  const flush = async () => {
    if (waiting.slates.length > 0) await slateLog.append(waiting.slates);
    if (waiting.events.length > 0) await eventLog.append(waiting.events);
    counts.slates += waiting.slates.length;
    counts.events += waiting.events.length;
    waiting = { slates: [], events: [] };
  };
  for (const era of eras) {
    const known = visits.get(era.was) ?? [];
    if (known.length === 0) throw new UnderstudyError('UND-NO-DATA', `No shopper has met ${era.was} on ${from}`);
    for (let hour = era.fromMs; hour < era.toMs; hour += hourMs) {
      for (let left = visitorsOf(hour, random); left > 0; left -= 1) {
        const visit = known[random.below(known.length)] as Visit;
        const told = moved(visit, {
          set: { surface: to, artifact: era.is, generation: era.generation },
          toMs: hour + Math.floor(random.float() * (hourMs - 60_000)),
          mark: String(random.uint32()),
        });
        waiting.slates.push(...told.slates);
        waiting.events.push(...told.events);
      }
      if (waiting.slates.length + waiting.events.length > recordsAtOnce) await flush();
    }
  }
  await flush();
  await slateLog.close();
  await eventLog.close();
  await logs.close();
  life.end();
  return counts;
}

const visitorsOf = (hour: number, random: Random): number =>
  Math.round(visitsAnHour * (1 - 0.5 * Math.cos((2 * Math.PI * (hour / hourMs)) / 24)) * (0.9 + 0.2 * random.float()));

/** By model: visits of which every slate was the champion's. */
async function readVisits(state: State, surface: string): Promise<Map<string, Visit[]>> {
  const byUnit = new Map<string, Visit>();
  const unitOfRequest = new Map<string, string>();
  const seen = new Set<string>();
  const read = async (stream: 'slates' | 'events', take: (record: unknown) => void) => {
    const reader = state.logReader(surface, stream);
    const cursor = await reader.scan({ take, onDamaged: () => undefined });
    for (const record of (await reader.tail(cursor)).records) take(record);
  };
  await read('slates', (record) => {
    const slate = record as SlateRecord;
    const visit = byUnit.get(slate.unit) ?? { slates: [], events: [] };
    byUnit.set(slate.unit, visit);
    visit.slates.push(slate);
    unitOfRequest.set(slate.requestId, slate.unit);
  });
  await read('events', (record) => {
    const event = record as LoggedEvent;
    const unit = event.requestId === undefined ? undefined : unitOfRequest.get(event.requestId);
    if (unit === undefined || event.requestId === undefined) return;
    if (event.kind === 'impression' && seen.has(event.requestId)) return;
    if (event.kind === 'impression') seen.add(event.requestId);
    byUnit.get(unit)?.events.push(event);
  });
  const visits = new Map<string, Visit[]>();
  for (const visit of byUnit.values()) {
    const [first] = visit.slates;
    if (first === undefined || first.artifact === null || !visit.slates.every((one) => one.variant === 'champion' && one.artifact === first.artifact)) continue;
    const known = visits.get(first.artifact) ?? [];
    known.push(visit);
    visits.set(first.artifact, known);
  }
  return visits;
}

type Moving = { set: Pick<SlateRecord, 'surface' | 'artifact' | 'generation'>; toMs: number; mark: string };

function moved({ slates, events }: Visit, { set, toMs, mark }: Moving): Visit {
  const byMs = toMs - (slates[0]?.atMs ?? 0);
  const named = (id: string) => `${id}.${mark}`;
  return {
    slates: slates.map(({ userId, sessionId, unit, requestId, atMs, shadow: _shadow, share: _share, ...slate }) => ({
      ...slate,
      ...(userId === undefined ? {} : { userId: named(userId) }),
      ...(sessionId === undefined ? {} : { sessionId: named(sessionId) }),
      ...set,
      ...{ unit: named(unit), requestId: named(requestId), atMs: atMs + byMs, releaseId: null, stage: null, enrolment: null },
      ...{ propensities: null, conditionalPropensities: null, propensityVoid: 'retold' },
      exploration: slate.exploration && { ...slate.exploration, poolItems: [], poolProbabilities: [] },
    })),
    events: events.map(({ eventId, requestId, userId, sessionId, atMs, receivedAtMs, ...event }) => ({
      ...event,
      ...(requestId === undefined ? {} : { requestId: named(requestId) }),
      ...(userId === undefined ? {} : { userId: named(userId) }),
      ...(sessionId === undefined ? {} : { sessionId: named(sessionId) }),
      ...(receivedAtMs === undefined ? {} : { receivedAtMs: receivedAtMs + byMs }),
      ...{ surface: set.surface, eventId: named(eventId), atMs: atMs + byMs },
    })),
  };
}
