import { signals, type MeasuredHour } from '../../models/contracts/signal.ts';
import type { Alert } from '../../models/contracts/alert.ts';
import { type WatchState, watchState } from '../../models/contracts/watch-state.ts';
import { type Histories, historyKey } from '../../experiments/watch/judge-hours.ts';
import { type Hour, hourMs, SignalHistory } from '../../experiments/watch/signal-history.ts';
import { type GenerationStore, parseGeneration } from '../../stores/generations.ts';
import { readLatest } from '../context.ts';

export const watchSeries = (surface: string): string => `watch/${surface}`;

export const latestWatch = async (generations: GenerationStore, surface: string): Promise<WatchState | undefined> =>
  (await readLatest(generations, watchSeries(surface), watchState))?.document;

/** Hours that earlier looks measured, from `sinceMs` on, oldest first. */
export async function measuredBefore(
  generations: GenerationStore,
  { latest, sinceMs }: { latest: WatchState | undefined; sinceMs: number },
): Promise<MeasuredHour[]> {
  const looks: MeasuredHour[][] = [];
  for (let look = latest; look !== undefined; ) {
    looks.push(look.hours.filter(({ atMs }) => atMs >= sinceMs));
    const number = look.generation - 1;
    if (number === 0 || (look.hours[0]?.atMs ?? look.measuredToMs) <= sinceMs) break;
    const series = watchSeries(look.surface);
    look = parseGeneration(watchState, { series, generation: number, document: await generations.read(series, number) });
  }
  return looks.reverse().flat();
}

/** For so long what an open alert is about is no part of what is expected; then it has become what is usual. */
const newNormalMs = 28 * 86_400_000;

/** Hours by signal and part. What an alert was open for is not expected of. */
export function historiesOf({ hours, alerts, now }: { hours: readonly MeasuredHour[]; alerts: readonly Alert[]; now: Hour }): Histories {
  const histories = new Map<string, Histories extends ReadonlyMap<string, infer One> ? One : never>();
  for (const { atMs, measures } of hours) {
    for (const measure of measures) {
      const { signal, part } = measure;
      const key = historyKey(signal, part);
      const found = histories.get(key) ?? { signal, part, history: new SignalHistory(signals[signal].family) };
      histories.set(key, found);
      found.history.add(atMs / hourMs, measure);
    }
  }
  for (const { signal, part, sinceMs, openedAtMs, resolvedAtMs } of alerts) {
    if (resolvedAtMs === null && now * hourMs - openedAtMs > newNormalMs) continue;
    const history = histories.get(historyKey(signal, part))?.history;
    for (let hour = Math.floor(sinceMs / hourMs); hour <= now && hour * hourMs < (resolvedAtMs ?? Number.POSITIVE_INFINITY); hour += 1) history?.leaveOut(hour);
  }
  return histories;
}
