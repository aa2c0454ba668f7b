import { createHash } from 'node:crypto';
import { type WatchRules, watchDefaults } from '../../models/contracts/charter-watch.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { Alert } from '../../models/contracts/alert.ts';
import { rootCauseWorkflowId } from '../../models/contracts/messages.ts';
import { type DetectorState, type MeasuredHour, signals } from '../../models/contracts/signal.ts';
import { type WatchFits, type WatchState, watchFits } from '../../models/contracts/watch-state.ts';
import { describeAlert } from '../../experiments/watch/describe-alert.ts';
import { fitAll, type Histories, historyKey, judgeHour, picture, type Turn } from '../../experiments/watch/judge-hours.ts';
import { type Hour, hourMs, hoursOfWeek, type WeekClock, weekClock } from '../../experiments/watch/signal-history.ts';
import { readAlerts } from '../../stores/alerts.ts';
import { getDocument } from '../../stores/blobs.ts';
import { readCharter, type State } from '../context.ts';
import { currentCharter } from '../registry/charters.ts';
import { dayIn } from '../windows/days.ts';
import { addDrift } from './drift-hours.ts';
import { findSuspect } from './find-suspect.ts';
import { measureHours, settleMs } from './measure-hours.ts';
import { historiesOf, latestWatch, measuredBefore } from './watch-history.ts';

/** Of what is there at the first look, the last two days are judged by what is before them. */
const judgedAtFirst = 48;
const pictureHours = 72;
/** At the first look there are months to measure, and of each hour that is read together requests are held in memory. */
const hoursAtOnce = 4 * hoursOfWeek;

export type Looked = { state: WatchState; fits: WatchFits | null; histories: Histories; clock: WeekClock; weeks: number };
type Input = { surface: string; look: string; atMs: number; signal?: AbortSignal };

/**
 * Measures the hours of a surface that are over and not yet measured, and judges each by the weeks before it. Nothing is written: what comes back is the next generation
 * of `watch/<surface>`, but for the digest of its fits. Undefined where no hour is over.
 * @throws UND-UNKNOWN-SURFACE
 */
export async function lookAtSurface(state: State, { surface, look, atMs, signal }: Input): Promise<Looked | undefined> {
  const { blobs, generations } = state;
  const charterDigest = await currentCharter(state, surface);
  const charter = await readCharter(blobs, charterDigest);
  const rules = charter.watch ?? watchDefaults;
  const latest = await latestWatch(generations, surface);
  const now = Math.floor((atMs - settleMs) / hourMs);
  const oldest = now - (rules.weeks + 1) * hoursOfWeek;
  const from = Math.max(oldest, (latest?.measuredToMs ?? 0) / hourMs);
  if (from >= now) return undefined;
  const wanted = new Set(rules.signals);
  const before = await measuredBefore(generations, { latest, sinceMs: oldest * hourMs });
  let hours: MeasuredHour[] = [];
  for (let start = from; start < now; start += hoursAtOnce) {
    const span = { from: start, to: Math.min(now, start + hoursAtOnce), begun: before.length > 0 || hours.length > 0 };
    hours.push(...(await measureHours(state, { surface, ...span, reward: charter.reward, wanted, ...(signal === undefined ? {} : { signal }) })));
  }
  if (wanted.has('drift')) hours = await addDrift(generations, surface, hours);
  const alerts = await readAlerts(generations, surface);
  const histories = historiesOf({ hours: [...before, ...hours], alerts, now });
  const begun = latest === undefined ? Math.max(from, now - judgedAtFirst) : from;
  const judged = await judge({ state, latest, surface, charter, charterDigest, rules, histories, hours, from: begun, to: now });
  const next: WatchState = {
    kind: 'watch',
    surface,
    generation: (latest?.generation ?? 0) + 1,
    look,
    atMs,
    charter: charterDigest,
    measuredToMs: now * hourMs,
    hours,
    fits: null,
    detectors: [...judged.detectors.values()],
    opened: judged.opened.map((one) => ({ ...one, workflowId: rootCauseWorkflowId(surface, judged.opened[0]?.id ?? one.id) })),
    closed: judged.closed,
  };
  return { state: next, fits: judged.fits, histories, clock: weekClock(charter.timeZone), weeks: rules.weeks };
}

/** What the newest look that was recorded saw. Undefined where there was none. @throws UND-UNKNOWN-SURFACE */
export async function newestLook({ blobs, generations }: State, surface: string): Promise<Looked | undefined> {
  const latest = await latestWatch(generations, surface);
  if (latest === undefined) return undefined;
  const charter = await readCharter(blobs, latest.charter);
  const { weeks } = charter.watch ?? watchDefaults;
  const now = latest.measuredToMs / hourMs;
  const hours = await measuredBefore(generations, { latest, sinceMs: (now - (weeks + 1) * hoursOfWeek) * hourMs });
  const histories = historiesOf({ hours, alerts: await readAlerts(generations, surface), now });
  const fits = latest.fits === null ? null : await getDocument(blobs, latest.fits, watchFits);
  return { state: latest, fits, histories, clock: weekClock(charter.timeZone), weeks };
}

type Judging = {
  state: State;
  latest: WatchState | undefined;
  surface: string;
  charter: Charter;
  charterDigest: string;
  rules: WatchRules;
  histories: Histories;
  hours: readonly MeasuredHour[];
  from: Hour;
  to: Hour;
};
type Judged = { fits: WatchFits | null; detectors: Map<string, DetectorState>; opened: Alert[]; closed: { alert: string; atMs: number }[] };

async function judge({ state, latest, surface, charter, charterDigest, rules, histories, from, to }: Judging): Promise<Judged> {
  const past = { weeks: rules.weeks, clock: weekClock(charter.timeZone) };
  let fits = latest?.fits == null ? null : await getDocument(state.blobs, latest.fits, watchFits);
  let detectors = new Map((latest?.detectors ?? []).map((detector) => [detector.key, detector]));
  const opened: Alert[] = [];
  const closed: { alert: string; atMs: number }[] = [];
  for (let hour = from; hour < to; hour += 1) {
    const day = dayIn(charter.timeZone, hour * hourMs);
    if (fits === null || fits.day !== day || fits.charter !== charterDigest) {
      const made = fitAll(histories, { before: hour, falseAlarms: rules.falseAlarmsPerMonth, ...past });
      fits = { kind: 'watch-fits', day, charter: charterDigest, ...made };
    }
    const idOf = (turn: Pick<Turn, 'signal' | 'part' | 'direction'>) => alertId({ ...turn, hour });
    const judged = judgeHour({ histories, fits: fits.fits, detectors, hour, ...past }, idOf);
    detectors = judged.detectors;
    for (const turn of judged.turns) {
      const history = histories.get(historyKey(turn.signal, turn.part))?.history;
      if (turn.event === 'closes') closed.push({ alert: turn.alert, atMs: (hour + 1) * hourMs });
      else opened.push(await alertOf({ state, surface, turn, fits, histories, past }));
      // From here on it is not expected of; what was before in this look is.
      if (turn.event === 'opens') for (let one = Math.floor(turn.sinceMs / hourMs); one < to; one += 1) history?.leaveOut(one);
    }
  }
  return { fits, detectors, opened, closed };
}

type Opening = { state: State; surface: string; turn: Turn; fits: WatchFits; histories: Histories; past: { weeks: number; clock: WeekClock } };

async function alertOf({ state, surface, turn, fits, histories, past }: Opening): Promise<Alert> {
  const { signal, part, direction, hour, sinceMs, value, expected, alert: id } = turn;
  const fit = fits.fits.find((one) => one.signal === signal && one.part === part);
  const history = histories.get(historyKey(signal, part))?.history;
  const suspect = await findSuspect(state.generations, { surface, sinceMs });
  const found = {
    kind: 'alert' as const,
    ...{ id, surface, signal, part, direction, state: 'open' as const, sinceMs, openedAtMs: (hour + 1) * hourMs, resolvedAtMs: null },
    ...{ value, expected, unit: signals[signal].unit, suspect, workflowId: null },
    picture: fit === undefined || history === undefined ? [] : picture(history, fit, { last: hour, hours: pictureHours, ...past }),
  };
  return { ...found, says: describeAlert(found) };
}

/** Of a signal, a part, a direction and an hour; parts come from outside, and a name may not say all of one. */
function alertId({ signal, part, direction, hour }: Pick<Turn, 'signal' | 'part' | 'direction' | 'hour'>): string {
  const plain = part
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
    .slice(0, 60);
  const named = plain === part ? plain : `${plain}-${createHash('sha256').update(part).digest('hex').slice(0, 8)}`;
  const when = new Date(hour * hourMs).toISOString().slice(0, 13).replaceAll(/[-T]/g, '');
  return [signal, named, direction, when].filter((one) => one !== '').join('-');
}
