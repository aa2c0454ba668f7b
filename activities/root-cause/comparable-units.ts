import type { RootCauseRules } from '../../models/contracts/charter-root-cause.ts';
import type { RootCauseFacts } from '../../models/contracts/root-cause.ts';

export type Unit = RootCauseFacts['units'][number];

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const earlierAtMost = 28;

type Input = {
  fromMs: number;
  toMs: number;
  timeZone: string;
  promotions: RootCauseRules['promotions'];
  /** What whoever asks knows of the incident itself. */
  promotion: string | null;
  /** What is looked at begins when it says, however short it is: what came before it is of another kind. What it is held against is as long as ever. */
  exact: boolean;
};

/**
 * The stretches of time that are compared, oldest first: those of the incident, and before them the same hours of up to 28 days. One is as long as the incident,
 * but an hour at least and a day at most; a longer incident is several.
 */
export function comparableUnits({ fromMs, toMs, timeZone, promotions, promotion, exact }: Input): Unit[] {
  const lengthMs = Math.min(dayMs, Math.max(hourMs, toMs - fromMs));
  const count = Math.max(1, Math.ceil((toMs - fromMs) / dayMs));
  const unit = (endMs: number, now: boolean): Unit => {
    const span = { fromMs: now && exact ? Math.max(fromMs, endMs - lengthMs) : endMs - lengthMs, toMs: endMs };
    const known = promotions.find((one) => one.fromMs < span.toMs && one.toMs > span.fromMs)?.what ?? null;
    return { ...span, now, weekday: weekdayIn(timeZone, span.fromMs), promotion: now ? (promotion ?? known) : known };
  };
  return Array.from({ length: count + earlierAtMost }, (_, back) => unit(sameTimeBefore({ timeZone, atMs: toMs, days: back }), back < count)).reverse();
}

/** The same time of the clock so many days before, also where the clock was changed between. */
function sameTimeBefore({ timeZone, atMs, days }: { timeZone: string; atMs: number; days: number }): number {
  const movedMs = atMs - days * dayMs;
  return movedMs + clockMs(timeZone, atMs) - atMs - (clockMs(timeZone, movedMs) - movedMs);
}

/** What the zone's clock shows, as if it were UTC. */
function clockMs(timeZone: string, atMs: number): number {
  const shown = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }).format(atMs);
  return Date.parse(`${shown.replace(' ', 'T')}Z`) + (atMs % 1000);
}

/** 0 Monday. */
function weekdayIn(timeZone: string, atMs: number): number {
  return (new Date(clockMs(timeZone, atMs)).getUTCDay() + 6) % 7;
}

/** A log that began later tells nothing of what was before; of a unit in which it began, too little. */
export function unitsSince(units: readonly Unit[], beganMs: number): Unit[] {
  return units.filter((unit) => unit.now || unit.fromMs + (unit.toMs - unit.fromMs) / 20 >= beganMs);
}
