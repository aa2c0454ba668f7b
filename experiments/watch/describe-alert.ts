import type { Alert, AlertPoint } from '../../models/contracts/alert.ts';
import { type AlertSignal, alertSignals } from '../../models/contracts/signal.ts';
import { percent } from '../percent.ts';

type Described = Pick<Alert, 'signal' | 'part' | 'direction' | 'value' | 'expected' | 'sinceMs'>;

/** One sentence: what, how much, instead of what, since when. */
export function describeAlert({ signal, part, value, expected, sinceMs }: Described): string {
  const since = new Date(sinceMs).toISOString().slice(0, 16).replace('T', ' ');
  const usual = `expected ${signalText(signal, expected.value)} (${signalText(signal, expected.low)} to ${signalText(signal, expected.high)})`;
  return `${signalTitle(signal, part)}: ${signalText(signal, value)}, ${usual}, since about ${since} UTC`;
}

export function signalTitle(signal: AlertSignal, part: string): string {
  const { part: by, says } = alertSignals[signal];
  return by === null || part === '' ? says : `${says}, ${by} ${part}`;
}

/** A value with its unit, as a person reads it. */
export function signalText(signal: AlertSignal, value: number): string {
  const { family, unit } = alertSignals[signal];
  if (family === 'share') return percent(value, value < 0.1 ? 2 : 1);
  const digits = family === 'count' ? String(Math.round(value)) : value.toPrecision(3);
  return `${digits} ${unit}`;
}

const bars = '▁▂▃▄▅▆▇█';

/** A picture in one line of text, `·` where nothing was measured. With `values`, of what was; else of what was expected, on the same scale. */
export function sparkline(points: readonly AlertPoint[], which: 'value' | 'expected'): string {
  const all = points.flatMap(({ value, expected }) => [value, expected]).filter((one) => one !== null);
  const [low, high] = [Math.min(...all, 0), Math.max(...all)];
  return points
    .map((point) => {
      const value = point[which];
      if (value === null || !(high > low)) return '·';
      return bars[Math.min(bars.length - 1, Math.floor(((value - low) / (high - low)) * bars.length))];
    })
    .join('');
}
