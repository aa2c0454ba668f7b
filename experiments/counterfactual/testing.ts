import { charter } from '../../models/contracts/charter.ts';
import { createRandom } from '../../models/random.ts';
import { estimateCounterfactual } from './estimate-counterfactual.ts';
import type { LoggedSlate } from './logged-slate.ts';

/*
 * A small world of which all is known. Champion: i0..i4. Pool: the rest by Plackett-Luce on rank; one place of five, or none, explores.
 */
export const size = 5;
export const items = Array.from({ length: 30 }, (_, index) => `i${index}`);
export const examination = [1, 0.8, 0.6, 0.5, 0.4];
export const base = items.slice(0, size);
export const candidate = items.slice(8, 8 + size);
const pool = items.slice(size);
const weights = pool.map((_, rank) => 1 / (rank + 6));
const total = weights.reduce((sum, weight) => sum + weight, 0);
const probabilities = new Map(pool.map((item, rank) => [item, (weights[rank] as number) / total]));

export type World = {
  slates: number;
  seed: number;
  /** Probability of a reward, once examined. */
  worth: (item: string, place: { slot: number; above: readonly string[] }) => number;
  candidate?: readonly string[];
  /** Probability that a slate explores. */
  explores?: number;
  slatesOfUnit?: number;
};

export function makeLog({ slates, seed, worth, candidate: target = candidate, explores = 1, slatesOfUnit = 2 }: World): LoggedSlate[] {
  const random = createRandom(seed);
  return Array.from({ length: slates }, (_, number): LoggedSlate => {
    const slot = random.float() < explores ? random.below(size) : -1;
    const drawn = draw(random.float());
    const shown = base.map((item, place) => (place === slot ? drawn : item));
    const rewards = shown.map((item, place) =>
      random.float() < (examination[place] ?? 0) * worth(item, { slot: place, above: shown.slice(0, place) }) ? 1 : 0,
    );
    return {
      unit: `u${Math.floor(number / slatesOfUnit)}`,
      items: shown,
      rewards,
      engaged: rewards.map((reward) => reward > 0),
      base,
      pool,
      exploredSlots: slot < 0 ? [] : [slot],
      propensity: (item, place) => {
        if (base.includes(item)) return base[place] === item ? 1 - explores / size : 0;
        return ((probabilities.get(item) ?? 0) * explores) / size;
      },
      prefix: (wanted) => prefixOf(wanted, explores),
      candidate: target,
      champion: base,
    };
  });
}

function draw(point: number): string {
  let left = point;
  for (const [item, probability] of probabilities) {
    if (left < probability) return item;
    left -= probability;
  }
  return pool.at(-1) as string;
}

function prefixOf(wanted: readonly string[], explores: number): number[] {
  return wanted.map((_, place) => {
    const others = wanted.slice(0, place + 1).filter((item, slot) => base[slot] !== item);
    if (others.length === 0) return 1 - (explores * (place + 1)) / size;
    return others.length === 1 ? ((probabilities.get(others[0] as string) ?? 0) * explores) / size : 0;
  });
}

/** Expected reward of a slate of these items, where neighbours and slots do not matter. */
export function truthOf(slate: readonly string[], worth: World['worth']): number {
  return slate.reduce((sum, item, slot) => sum + (examination[slot] ?? 0) * worth(item, { slot, above: [] }), 0);
}

/** The charter's own, but for logs that are small. */
export const limits = { ...charter.shape.gates.shape.logLimits.parse(undefined), minEffectiveSampleSize: 50 };

export const estimate = (log: readonly LoggedSlate[], over: Partial<Parameters<typeof estimateCounterfactual>[0]> = {}) =>
  estimateCounterfactual({ log, voidedBy: {}, size, maxReward: 1, limits, seed: 1, ...over });
