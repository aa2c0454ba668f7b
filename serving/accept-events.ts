import { type AnyEvent, isInteraction, type Logged, parseEvent } from '../models/contracts/event-schemas.ts';
import { wordsOf } from '../models/consent.ts';
import { inputError, type ProblemDetails, toProblemDetails, UnderstudyError } from '../models/contracts/problem.ts';
import { underPseudonym } from '../models/contracts/pseudonyms.ts';
import { sendable } from './http/problem-response.ts';
import type { LiveSurface } from './surface.ts';

export type EventAnswer = {
  eventId: string | null;
  /** `quarantined`: it is on disk, and put aside for `reason`. `withheld`: the person allows nothing for which it could be kept, and it is not. */
  status: 'accepted' | 'duplicate' | 'quarantined' | 'withheld' | 'rejected';
  reason?: string;
  problem?: ProblemDetails;
};

type Options = { events: readonly unknown[]; surfaces: ReadonlyMap<string, LiveSurface>; nowMs: number; onWarning?: (surface: string, rule: string) => void };

/**
 * Answers each event of a batch, in its order. It resolves when all that is called accepted, quarantined or duplicate is on disk.
 * @throws UND-UNKNOWN-SURFACE when no event names a surface that exists; UND-LOG-UNAVAILABLE when a log refuses: then nothing of the batch is
 * acknowledged, and what did reach the disk is known as a duplicate when it is sent again.
 */
export async function acceptEvents({ events, surfaces, nowMs, onWarning }: Options): Promise<EventAnswer[]> {
  const answers: EventAnswer[] = [];
  const fresh = new Map<LiveSurface, Logged[]>();
  const waiting: Promise<void>[] = [];
  const inBatch = new Set<string>();
  let strangers = 0;
  for (const one of events) {
    const parsed = parseEvent(one);
    if (!parsed.success) {
      answers.push(rejected(eventIdOf(one), inputError('UND-INPUT', 'The event', parsed.issues)));
      continue;
    }
    const { eventId, surface: name } = parsed.event;
    const surface = surfaces.get(name);
    if (surface === undefined) {
      strangers += 1;
      answers.push(rejected(eventId, unknownSurface(name)));
      continue;
    }
    const key = `${name}/${eventId}`;
    const underway = surface.eventsUnderway.get(eventId);
    if (inBatch.has(key) || underway !== undefined || surface.eventIds.has(eventId)) {
      // Another request may still wait for the disk: its event is a duplicate only when it is there.
      if (underway !== undefined) waiting.push(underway);
      answers.push({ eventId, status: 'duplicate' });
      continue;
    }
    const event = underPseudonym(parsed.event, surface.snapshot.pseudonyms);
    if (isInteraction(event) && surface.consents.forbidsAll(event)) {
      answers.push({ eventId, status: 'withheld' });
      continue;
    }
    // A denial holds for what stands behind it in the same batch too.
    if (event.kind === 'consent') for (const word of wordsOf(event, nowMs)) if (!word[2]) surface.consents.note(word, nowMs);
    inBatch.add(key);
    const { reason, warnings } = surface.door.judge(event, nowMs);
    for (const rule of warnings) onWarning?.(name, rule);
    const record = { ...event, receivedAtMs: nowMs, ...(reason === null ? {} : { quarantined: reason }) };
    const batch = fresh.get(surface);
    if (batch === undefined) fresh.set(surface, [record]);
    else batch.push(record);
    answers.push(reason === null ? { eventId, status: 'accepted' } : { eventId, status: 'quarantined', reason });
  }
  if (strangers > 0 && strangers === events.length) throw unknownSurface((events[0] as AnyEvent).surface);
  await settleAll([...waiting, ...[...fresh].map(([surface, batch]) => surface.logEvents(batch))]);
  return answers;
}

/** Waits for all, so that nothing is left running, then fails if one failed. */
async function settleAll(work: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(work)) if (outcome.status === 'rejected') throw outcome.reason;
}

export function unknownSurface(name: string): UnderstudyError {
  return new UnderstudyError('UND-UNKNOWN-SURFACE', `There is no surface ${JSON.stringify(name)}`);
}

function rejected(eventId: string | null, error: UnderstudyError): EventAnswer {
  return { eventId, status: 'rejected', problem: sendable(toProblemDetails(error)) };
}

function eventIdOf(input: unknown): string | null {
  const id = typeof input === 'object' && input !== null ? (input as { eventId?: unknown }).eventId : undefined;
  return typeof id === 'string' ? id.slice(0, 128) : null;
}
