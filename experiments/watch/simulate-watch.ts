import type { DetectorState, SignalFit } from '../../models/contracts/signal.ts';
import { signals } from '../../models/contracts/signal.ts';
import { fitAll, type Histories, historyKey, hoursOfMonth, judgeHour, type Turn } from './judge-hours.ts';
import { hoursOfWeek, SignalHistory } from './signal-history.ts';
import { type Fault, type SimulatedSurface, signalOf, simulateTraffic } from './simulated-traffic.ts';

export type WatchSettings = SimulatedSurface & {
  /** Weeks that are looked back on, and had before the watch begins. */
  weeks: number;
  /** Hours that are watched. */
  hours: number;
  falseAlarms: number;
  /** How often the fits are made anew. */
  fitEveryHours: number;
  fault?: { name: Fault; fromHour: number; toHour: number };
};

/** A surface, simulated and watched as a real one is. */
export function simulateWatch({ weeks, hours, falseAlarms, fitEveryHours, fault, ...surface }: WatchSettings): {
  turns: Turn[];
  months: number;
  detectors: number;
} {
  const traffic = simulateTraffic(surface);
  const histories: Map<string, Histories extends ReadonlyMap<string, infer V> ? V : never> = new Map();
  const past = { weeks, clock: (hour: number) => hour % hoursOfWeek };
  const first = weeks * hoursOfWeek;
  let fits: SignalFit[] = [];
  let detectors = new Map<string, DetectorState>();
  const turns: Turn[] = [];
  const open = new Map<string, number>();
  for (let hour = 0; hour < first + hours; hour += 1) {
    const planted = fault !== undefined && hour >= first + fault.fromHour && hour < first + fault.toHour ? fault.name : undefined;
    for (const measure of traffic(hour, planted)) {
      const { signal, part } = measure;
      const key = historyKey(signal, part);
      const found = histories.get(key) ?? { signal, part, history: new SignalHistory(signals[signal].family) };
      histories.set(key, found);
      found.history.add(hour, measure);
      if ((open.get(key) ?? 0) > 0) found.history.leaveOut(hour);
    }
    if (hour < first) continue;
    if ((hour - first) % fitEveryHours === 0) {
      for (const { history } of histories.values()) history.forgetBefore(hour - (weeks + 1) * hoursOfWeek);
      fits = fitAll(histories, { before: hour, falseAlarms, ...past }).fits;
    }
    const judged = judgeHour({ histories, fits, detectors, hour, ...past }, ({ signal, part, direction }) => `${signal}-${part}-${direction}-${hour}`);
    detectors = judged.detectors;
    for (const turn of judged.turns) {
      const key = historyKey(turn.signal, turn.part);
      open.set(key, (open.get(key) ?? 0) + (turn.event === 'opens' ? 1 : -1));
      turns.push({ ...turn, hour: turn.hour - first });
    }
  }
  return { turns, months: hours / hoursOfMonth, detectors: fits.reduce((sum, { signal }) => sum + signals[signal].directions.length, 0) };
}

export type Detection = {
  /** From the fault's begin; null where it was not found while it lasted. */
  hours: number | null;
  /** Alerts of the planted signal while it lasted: more than one is the same thing told again. */
  alerts: number;
  /** From the fault's end to the end of its last alert; null where none was open by then, or it did not close. */
  hoursToClose: number | null;
  /** Whether an alert of it was open when the simulation ended. */
  still: boolean;
};

/** What became of a planted fault. */
export function detect(settings: WatchSettings & { fault: NonNullable<WatchSettings['fault']> }): Detection {
  const { fault } = settings;
  const { signal, part } = signalOf[fault.name];
  const own = simulateWatch(settings).turns.filter((turn) => turn.signal === signal && turn.part === part && turn.hour >= fault.fromHour);
  const opened = own.filter(({ event, hour }) => event === 'opens' && hour < fault.toHour);
  const closed = own.find(({ event, hour }) => event === 'closes' && hour >= fault.toHour);
  return {
    hours: opened[0] === undefined ? null : opened[0].hour - fault.fromHour + 1,
    alerts: opened.length,
    still: own.at(-1)?.event === 'opens',
    hoursToClose: opened.length === 0 || closed === undefined ? null : closed.hour - fault.toHour + 1,
  };
}
