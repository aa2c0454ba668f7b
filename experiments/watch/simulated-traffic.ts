import type { Measure, SignalName } from '../../models/contracts/signal.ts';
import { createRandom, type Random } from '../../models/random.ts';
import { normalQuantile } from '../normal.ts';
import type { Hour } from './signal-history.ts';

/** What breaks, from an hour on. */
export const faults = ['events-halve', 'fallback-rises', 'reward-drops', 'p99-doubles', 'coverage-drops', 'client-falls-silent'] as const;
export type Fault = (typeof faults)[number];

/** Which detector each is planted for. */
export const signalOf: Record<Fault, { signal: SignalName; part: string }> = {
  'events-halve': { signal: 'events', part: 'view' },
  'fallback-rises': { signal: 'fallback', part: 'popularity' },
  'reward-drops': { signal: 'reward', part: 'loyal' },
  'p99-doubles': { signal: 'p99', part: '' },
  'coverage-drops': { signal: 'catalog-coverage', part: '' },
  'client-falls-silent': { signal: 'heard', part: 'ios' },
};

/** `growth`: of the traffic a week, as a share; what is watched is stationary where it is 0. */
export type SimulatedSurface = { slatesAnHour: number; growth?: number; seed: number };

/** Share of traffic, clicks a slate and reward a slate of each segment. */
const segments = { new: [0.5, 0.02], known: [0.35, 0.04], loyal: [0.15, 0.08] } as const;
const clients = { ios: 0.3, android: 0.3, web: 0.4 } as const;
const stages = { '': 40, model: 20, chain: 5, explore: 3 } as const;

/**
 * Signals of a surface hour by hour, as real ones are: with a day and a week in them, more spread than counting has (what is counted has a rate that wobbles, from hour
 * to hour and from day to day), and with hours that are like the hour before. Without growth nothing in it drifts: whatever is alarming is chance, or planted.
 */
export function simulateTraffic({ slatesAnHour, growth = 0, seed }: SimulatedSurface): (hour: Hour, fault?: Fault) => Measure[] {
  const random = createRandom(seed);
  const walks = new Map<string, { value: number; day: number; dayValue: number }>();
  /** exp of an autoregression by the hour, and of another noise by the day; its mean is near 1. */
  const wobbleOf = (name: string, hour: Hour, { hourly, daily, carry }: { hourly: number; daily: number; carry: number }): number => {
    const walk = walks.get(name) ?? { value: 0, day: -1, dayValue: 0 };
    walk.value = carry * walk.value + Math.sqrt(1 - carry ** 2) * normal(random);
    const day = Math.floor(hour / 24);
    if (day !== walk.day) Object.assign(walk, { day, dayValue: normal(random) });
    walks.set(name, walk);
    return Math.exp(hourly * walk.value + daily * walk.dayValue);
  };
  const usual = { hourly: 0.08, daily: 0.04, carry: 0.6 };
  return (hour, fault) => {
    const slates = poisson(slatesAnHour * (1 + growth) ** (hour / 168) * season(hour) * wobbleOf('slates', hour, usual), random);
    const shareOf = (name: string, share: number, noise = usual) => Math.min(0.999, share * wobbleOf(name, hour, noise));
    const found: Measure[] = [{ signal: 'slates', part: '', total: slates, of: 1 }];
    for (const [kind, each] of Object.entries({ impression: 6, view: 1.2, purchase: 0.03 })) {
      const expected = slates * each * wobbleOf(kind, hour, usual) * (fault === 'events-halve' ? 0.5 : 1);
      // Those who do something do several.
      found.push({ signal: 'events', part: kind, total: clustered(expected, 3, random), of: 1 });
    }
    for (const [client, share] of Object.entries(clients)) {
      const of = poisson(slates * share, random);
      const heard = fault === 'client-falls-silent' && client === 'ios' ? 0 : shareOf(client, 0.6, { ...usual, hourly: 0.03, daily: 0.02 });
      found.push({ signal: 'heard', part: client, total: binomial(of, heard, random), of });
    }
    for (const [rung, share] of Object.entries({ session: 0.02, popularity: fault === 'fallback-rises' ? 0.1 : 0.01, static: 0.0005 }))
      found.push({ signal: 'fallback', part: rung, total: binomial(slates, shareOf(rung, share, { ...usual, hourly: 0.2, daily: 0.1 }), random), of: slates });
    for (const [stage, ms] of Object.entries(stages)) {
      const spread = wobbleOf(`stage ${stage}`, hour, usual) * Math.exp((2 / Math.sqrt(Math.max(slates, 1))) * normal(random));
      if (slates > 0) found.push({ signal: 'p99', part: stage, total: ms * spread * (fault === 'p99-doubles' ? 2 : 1), of: slates });
    }
    for (const [segment, [share, each]] of Object.entries(segments)) {
      const of = poisson(slates * share, random);
      const rate = each * wobbleOf(`reward ${segment}`, hour, usual) * (fault === 'reward-drops' && segment === 'loyal' ? 0.8 : 1);
      // Half of what is rewarded counts once, half twice.
      const [ones, twos] = [poisson((of * rate) / 3, random), poisson((of * rate) / 3, random)];
      found.push({ signal: 'reward', part: segment, total: ones + 2 * twos, of, squares: ones + 4 * twos });
    }
    const items = 2_000 * (1 - Math.exp(-slates / 400)) * wobbleOf('coverage', hour, { ...usual, hourly: 0.03 }) * (fault === 'coverage-drops' ? 0.7 : 1);
    found.push({ signal: 'catalog-coverage', part: '', total: Math.round(items), of: 1 });
    found.push({ signal: 'user-coverage', part: '', total: binomial(slates, shareOf('users', 0.5, { ...usual, hourly: 0.04 }), random), of: slates });
    found.push({ signal: 'concentration', part: '', total: binomial(slates * 10, shareOf('top', 0.08), random), of: slates * 10 });
    return found;
  };
}

/** Busy evenings, quiet nights, fuller weekends; the mean is near 1. */
function season(hour: Hour): number {
  const [hourOfDay, day] = [hour % 24, Math.floor(hour / 24) % 7];
  return (1 - 0.75 * Math.cos((2 * Math.PI * (hourOfDay - 3)) / 24)) * (day >= 5 ? 1.25 : 0.9);
}

function normal(random: Random): number {
  return normalQuantile(Math.max(random.float(), 1e-12));
}

/** By its normal approximation above 60. */
function poisson(mean: number, random: Random): number {
  if (mean > 60) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  const end = Math.exp(-mean);
  let [count, product] = [0, random.float()];
  while (product > end) {
    count += 1;
    product *= random.float();
  }
  return count;
}

/** Groups of one to 2 · `size` - 1. */
function clustered(mean: number, size: number, random: Random): number {
  const groups = poisson(mean / size, random);
  if (groups > 60) return Math.max(0, Math.round(groups * size + Math.sqrt(groups * ((size ** 2 - size) / 3)) * normal(random)));
  let total = 0;
  for (let group = 0; group < groups; group += 1) total += 1 + random.below(2 * size - 1);
  return total;
}

function binomial(of: number, share: number, random: Random): number {
  const mean = of * share;
  if (mean > 60 && of - mean > 60) return Math.max(0, Math.min(of, Math.round(mean + Math.sqrt(mean * (1 - share)) * normal(random))));
  if (mean <= 60) return Math.min(of, poisson(mean, random));
  return of - Math.min(of, poisson(of - mean, random));
}
