import type { Charter } from '../../models/contracts/charter.ts';
import { type Event, unitOf } from '../../models/contracts/event.ts';
import { parseInteraction } from '../../models/contracts/event-schemas.ts';
import type { MeasuredHour, SignalName } from '../../models/contracts/signal.ts';
import { type SlateRecord, slateRecord } from '../../models/contracts/slate.ts';
import { RewardLedger } from '../../experiments/reward/attribute-reward.ts';
import { type Hour, hourMs } from '../../experiments/watch/signal-history.ts';
import type { State } from '../context.ts';
import { HourTally } from './hour-tally.ts';

/** Clocks of those who write the log differ a little. */
const clockSkewMs = 60_000;

/** What comes of an hour's slates is waited for so long: then the hour is measured, and whenever it is measured it is the same. */
export const settleMs = 5 * 60_000;

/** Members of a record that say when it came in, whatever it is. */
type Logged = { receivedAtMs?: unknown; atMs?: unknown };
const beganBefore = ({ receivedAtMs, atMs }: Logged, timeMs: number) => Number(receivedAtMs ?? atMs) < timeMs;

type Span = { from: Hour; to: Hour };
/** `begun`: the log is known to begin before; then an hour without any record is an hour in which nothing happened. */
type Input = Span & { surface: string; reward: Charter['reward']; wanted: ReadonlySet<SignalName>; begun: boolean; signal?: AbortSignal };

/**
 * The hours from `from` up to, not with, `to`, out of the surface's logs, which are read once from there on. Hours before the first record are not there, unless the log
 * has `begun` before them. Events count for the hour in which they came in.
 */
export async function measureHours(state: Pick<State, 'logReader'>, { surface, from, to, reward, wanted, begun, signal }: Input): Promise<MeasuredHour[]> {
  const tallies = new Map<Hour, HourTally>();
  for (let hour = from; hour < to; hour += 1) tallies.set(hour, new HourTally());
  let first = begun ? from : to;
  const read = async (stream: 'events' | 'slates', sinceMs: number, take: (record: unknown) => void) =>
    state.logReader(surface, stream).scan({
      writtenSinceMs: sinceMs - clockSkewMs,
      // What is damaged is the matter of others; what can be read of it is measured.
      onDamaged: () => undefined,
      take(record) {
        signal?.throwIfAborted();
        take(record);
      },
    });

  const heard = new Map<string, number>();
  const rewarded: { event: Event; hour: Hour }[] = [];
  await read('events', from * hourMs, (record) => {
    // Most of a segment is of earlier hours: those are not worth a schema.
    if (beganBefore(record as Logged, from * hourMs)) return;
    const event = parseInteraction(record);
    if (event === undefined) return;
    const cameMs = event.receivedAtMs ?? event.atMs;
    const hour = Math.floor(cameMs / hourMs);
    if (event.requestId !== undefined && cameMs < to * hourMs + settleMs) heard.set(event.requestId, Math.min(cameMs, heard.get(event.requestId) ?? cameMs));
    const tally = tallies.get(hour);
    if (tally === undefined) return;
    first = Math.min(first, hour);
    tally.addEvent({ eventId: event.eventId, kind: event.kind, ageMs: event.receivedAtMs === undefined ? undefined : Math.max(0, cameMs - event.atMs) });
    if ((reward.weights[event.kind] ?? 0) > 0) rewarded.push({ event, hour });
  });

  // Only whoever gave a reward can have been shown what it was for.
  const units = new Set(rewarded.map(({ event }) => unitOf(event)));
  const ledger = new RewardLedger(reward);
  const segmentOf = new Map<string, string>();
  await read('slates', from * hourMs - reward.attributionMs, (record) => {
    const { atMs, unit } = record as Partial<SlateRecord>;
    if (typeof atMs !== 'number' || typeof unit !== 'string' || atMs >= to * hourMs) return;
    const hour = Math.floor(atMs / hourMs);
    const tally = tallies.get(hour);
    if (tally === undefined && !units.has(unit)) return;
    const slate = slateRecord.safeParse(record).data;
    if (slate === undefined) return;
    if (tally !== undefined) {
      first = Math.min(first, hour);
      const cameMs = heard.get(slate.requestId) ?? Number.POSITIVE_INFINITY;
      const fresh = slate.enrolment !== null && Math.floor(slate.enrolment.atMs / hourMs) === hour;
      tally.addSlate(slate, { heard: cameMs < (hour + 1) * hourMs + settleMs, fresh });
    }
    if (!units.has(unit)) return;
    const { requestId, items } = slate;
    ledger.addSlate({ requestId, unit, atMs, items });
    segmentOf.set(requestId, slate.segment ?? '');
  });

  const hourOf = new Map(rewarded.map(({ event, hour }) => [event.eventId, hour]));
  for (const { event } of rewarded) ledger.addEvent(event);
  // Nothing is summed here, and so nothing is capped: each attributed event is met once.
  for (const unit of units)
    ledger.rewardOf(unit, ({ requestId }, { eventId, kind }) => {
      tallies.get(hourOf.get(eventId) ?? -1)?.addReward(segmentOf.get(requestId) ?? '', reward.weights[kind] ?? 0);
      return false;
    });
  return [...tallies].filter(([hour]) => hour >= first).map(([hour, tally]) => ({ atMs: hour * hourMs, measures: tally.measures(wanted) }));
}
