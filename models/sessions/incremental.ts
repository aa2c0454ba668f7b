import { z } from 'zod';
import { digestJson } from '../contracts/digest.ts';
import { epochMs } from '../contracts/ids.ts';
import { UnderstudyError } from '../contracts/problem.ts';
import { type SessionEvent, session, sessionEvent, sessionRules } from '../contracts/session.ts';
import type { SessionDefinition } from './cut-between.ts';
import { type Held, heldEvents, type OpenSession, type SessionChange } from './held-events.ts';

/** `duplicate`: it is there already. `too-late`: it happened more than the allowed lateness before the watermark, and changes nothing. */
export type TakenEvent = { outcome: 'taken' | 'duplicate' | 'too-late'; changes: SessionChange[] };

const counts = z.strictObject({ taken: z.number().int(), duplicate: z.number().int(), 'too-late': z.number().int() });
const lateness = z.number().int().min(0);

/** All that must be kept between two runs. */
export const sessionState = z.strictObject({
  kind: z.literal('session-state'),
  rules: sessionRules,
  timeZone: z.string(),
  allowedLatenessMs: lateness,
  watermarkMs: epochMs,
  counts,
  units: z.array(
    z.strictObject({
      unit: z.string(),
      sessions: z.array(session.omit({ unit: true, closed: true }).extend({ firstEventId: z.string() })),
      /** `of`: index into `sessions`. */
      events: z.array(sessionEvent.omit({ unit: true }).extend({ of: z.number().int().min(0) })),
    }),
  ),
});
export type SessionState = z.infer<typeof sessionState>;

export type IncrementalSessions = {
  /** Takes one event, in any order of arrival, and says what became of it and of the sessions. */
  take(event: SessionEvent): TakenEvent;
  /** Raises the watermark without an event, so that what nobody continues is closed; an earlier time changes nothing. */
  advance(watermarkMs: number): SessionChange[];
  counts(): Readonly<SessionState['counts']>;
  save(): SessionState;
};

/**
 * Sessions of events that come one at a time. The watermark is the highest time seen, of whatever unit: an event that lies more than
 * `allowedLatenessMs` behind it is too late, and one from the future makes others so, which the rules of ingest must keep out.
 *
 * What is held of a unit: its events from the horizon (watermark minus allowed lateness) on, for one may still come between any two of them,
 * and the last one before the horizon with the session that it stands in, as long as an event from the horizon on could continue that. Where the
 * maximum cut earlier is in that session's beginning, so nothing older is needed. A session is closed, and forgotten, when no event from the
 * horizon on can change it. Units that are quiet are looked at some five times before they are forgotten, so closing may come a quarter of
 * gap and lateness after it could.
 * @param state what `save` gave, of the same rules
 * @throws UND-INPUT where the state is of other rules
 */
export function incrementalSessions(input: SessionDefinition & { allowedLatenessMs: number; state?: SessionState | undefined }): IncrementalSessions {
  const { rules, timeZone, state } = input;
  const allowedLatenessMs = lateness.parse(input.allowedLatenessMs);
  if (state !== undefined && madeBy(state) !== madeBy({ rules, timeZone, allowedLatenessMs }))
    throw new UnderstudyError('UND-INPUT', 'The state of the sessions was made by other rules, in another time zone or with another lateness');
  const ofUnit = heldEvents(input);
  const units = loadUnits(state);
  const count = { ...(state?.counts ?? { taken: 0, duplicate: 0, 'too-late': 0 }) };
  const sweepEveryMs = Math.ceil((rules.gapMs + allowedLatenessMs) / 4);
  let watermarkMs = state?.watermarkMs ?? 0;
  let sweptMs = watermarkMs;

  return {
    take(event) {
      const taken = takeEvent(event);
      count[taken.outcome] += 1;
      return taken;
    },
    advance(atMs) {
      watermarkMs = Math.max(watermarkMs, atMs);
      return sweep();
    },
    counts: () => ({ ...count }),
    save: () => ({ kind: 'session-state', rules, timeZone, allowedLatenessMs, watermarkMs, counts: { ...count }, units: saveUnits(units) }),
  };

  function takeEvent(event: SessionEvent): TakenEvent {
    if (event.atMs < watermarkMs - allowedLatenessMs) return { outcome: 'too-late', changes: [] };
    watermarkMs = Math.max(watermarkMs, event.atMs);
    const held = units.get(event.unit) ?? [];
    const settled = ofUnit.settle(held, watermarkMs - allowedLatenessMs);
    const inserted = ofUnit.insert(held, event);
    units.set(event.unit, held);
    const swept = watermarkMs - sweptMs >= sweepEveryMs ? sweep() : [];
    return { outcome: inserted === undefined ? 'duplicate' : 'taken', changes: [...settled, ...(inserted ?? []), ...swept] };
  }

  function sweep(): SessionChange[] {
    sweptMs = watermarkMs;
    const changes: SessionChange[] = [];
    for (const [unit, held] of units) {
      for (const change of ofUnit.settle(held, watermarkMs - allowedLatenessMs)) changes.push(change);
      if (held.length === 0) units.delete(unit);
    }
    return changes;
  }
}

const madeBy = ({ rules, timeZone, allowedLatenessMs }: Pick<SessionState, 'rules' | 'timeZone' | 'allowedLatenessMs'>) =>
  digestJson({ rules, timeZone, allowedLatenessMs });

function saveUnits(units: ReadonlyMap<string, readonly Held[]>): SessionState['units'] {
  return [...units].map(([unit, held]) => {
    const sessions = [...new Set(held.map((one) => one.session))];
    const at = new Map(sessions.map((one, index) => [one, index]));
    return {
      unit,
      sessions: sessions.map(({ unit: _, ...one }) => one),
      events: held.map(({ event: { unit: _, ...event }, session: of }) => ({ ...event, of: at.get(of) as number })),
    };
  });
}

function loadUnits(state: SessionState | undefined): Map<string, Held[]> {
  return new Map(
    (state?.units ?? []).map(({ unit, sessions, events }) => {
      const open = sessions.map((one) => ({ ...one, unit }));
      return [unit, events.map(({ of, ...event }) => ({ event: { ...event, unit }, session: open[of] as OpenSession }))];
    }),
  );
}
