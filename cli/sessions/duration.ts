import { InvalidArgumentError } from 'commander';

/** Largest first. */
const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const;
const longestMs = 366 * 86_400_000;

/** `90s`, `30m`, `1h30m`: at most a year, and not nothing. */
export function durationMs(text: string): number {
  const parts = /^(?:\d+(?:ms|[dhms]))+$/.test(text) ? [...text.matchAll(/(\d+)(ms|[dhms])/g)] : [];
  const value = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (units.find(([name]) => name === unit)?.[1] ?? 0), 0);
  if (value < 1 || value > longestMs) throw new InvalidArgumentError('It must be a time such as 90s, 30m, 1h30m or 2d, at most a year.');
  return value;
}

/** The two largest units of a time, the smaller one rounded down: 1 h 30 m. */
export function durationText(ms: number): string {
  const first = units.findIndex(([, size]) => ms >= size);
  const [unit, next] = [units[first], units[first + 1]];
  if (unit === undefined) return '0';
  const [name, size] = unit;
  const rest = next === undefined ? 0 : Math.floor((ms % size) / next[1]);
  const more = next === undefined || rest === 0 ? '' : ` ${rest} ${next[0]}`;
  return `${Math.floor(ms / size)} ${name}${more}`;
}
