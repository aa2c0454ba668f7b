import { normalQuantile } from './normal.ts';

/** Interval of a share that was counted, by score (Wilson 1927). @param level of confidence */
export function wilsonInterval({ count, of, level = 0.95 }: { count: number; of: number; level?: number }): [low: number, high: number] {
  if (of === 0) return [0, 1];
  const z = normalQuantile((1 + level) / 2);
  const share = count / of;
  const middle = (share + z ** 2 / (2 * of)) / (1 + z ** 2 / of);
  const half = (z / (1 + z ** 2 / of)) * Math.sqrt((share * (1 - share)) / of + z ** 2 / (4 * of ** 2));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}
