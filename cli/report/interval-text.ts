import type { Interval } from '../../models/contracts/verdict.ts';

/** `0.1234 [0.1, 0.2]`, with signs where it is a difference; `-` where there is none. */
export function intervalText(interval: Interval | undefined, signed = false): string {
  if (interval === undefined) return '-';
  const text = (value: number) => `${signed && value >= 0 ? '+' : ''}${value.toFixed(4)}`;
  return `${text(interval.value)} [${text(interval.low)}, ${text(interval.high)}]`;
}
