import { createRandom } from '../../models/random.ts';
import { twoSided } from '../normal.ts';
import { compareClouds } from './compare-clouds.ts';
import { compareColumns } from './compare-columns.ts';
import { compareRates, type RateUnit } from './compare-rates.ts';
import { drawRows, drawStays, drawUnits, type Shift } from './draw-samples.ts';
import { stabilityIndex } from './stability-index.ts';
import { tellApart } from './tell-apart.ts';
import { parted, pooled, ranked, type Vectors } from './vectors.ts';

export const alpha = 0.05;
/** As few as give an alarm at 5 % where the observed is beyond all: the level is the same for any number, and power a little less. */
const permutations = 19;
const powerPermutations = 99;

/** Does each test raise an alarm at 5 %? The last two are what is often done instead. */
export type RowAlarms = Record<'cloud' | 'classifier' | 'columns' | 'each-column' | 'psi', boolean>;

/** One replication: two samples of `n` rows, of which the second is shifted. */
export function tryRows({ shift, n, seed }: { shift: Shift; n: number; seed: number }): RowAlarms {
  const from = drawRows(n, { random: createRandom(seed), shift: 'none' });
  return alarmsOf(from, drawRows(n, { random: createRandom(seed + 1), shift }), { seed: seed + 2, isPower: shift !== 'none' });
}

export function alarmsOf(from: Vectors, to: Vectors, { seed, isPower }: { seed: number; isPower: boolean }): RowAlarms {
  const options = () => ({ random: createRandom(seed), permutations: isPower ? powerPermutations : permutations });
  const columns = compareColumns(from, to, options());
  return {
    cloud: compareClouds(...parted(ranked(pooled(from, to)), from.count), options()).p <= alpha,
    classifier: tellApart(from, to, options()).p <= alpha,
    columns: columns.p <= alpha,
    'each-column': columns.columns.some(({ distance }) => asymptoticP(distance, from.count, to.count) <= alpha),
    psi: columns.columns.some(({ column }) => stabilityIndex(columnOf(from, column), columnOf(to, column)).psi > 0.1),
  };
}

export type RateAlarms = Record<'rates' | 'coins', boolean>;

/** The same of rates. `coins`: as if each event were independent of all others, as is often done. `lift`: of the rate in the second sample. */
export function tryRates({ lift, n, seed }: { lift: number; n: number; seed: number }): RateAlarms {
  const from = drawUnits(n, { random: createRandom(seed), rate: 0.1 });
  const to = drawUnits(n, { random: createRandom(seed + 1), rate: 0.1 * (1 + lift) });
  const used = lift === 0 ? permutations : powerPermutations;
  const [a, b] = [sumOf(from), sumOf(to)];
  const share = (a.count + b.count) / (a.of + b.of);
  const z = (a.count / a.of - b.count / b.of) / Math.sqrt(share * (1 - share) * (1 / a.of + 1 / b.of));
  return { rates: compareRates(from, to, { random: createRandom(seed + 2), permutations: used }).p <= alpha, coins: twoSided(z) <= alpha };
}

export type StayAlarms = Record<'users' | 'days', boolean>;

/** The same of users who stay for a week: dealt to one side each; and by days, of which those of one week have the same users. */
export function tryStays({ lift, n, seed }: { lift: number; n: number; seed: number }): StayAlarms {
  const { users, days } = drawStays(n, { random: createRandom(seed), lift });
  const isAlarm = (units: readonly [readonly RateUnit[], readonly RateUnit[]]) =>
    compareRates(...units, { random: createRandom(seed + 2), permutations: lift === 0 ? permutations : powerPermutations }).p <= alpha;
  return { users: isAlarm(users), days: isAlarm(days) };
}

const sumOf = (units: readonly RateUnit[]) => ({
  count: units.reduce((sum, { count }) => sum + count, 0),
  of: units.reduce((sum, { of }) => sum + of, 0),
});

export const columnOf = ({ dimensions, values }: Vectors, column: number): Float64Array => values.filter((_, place) => place % dimensions === column);

/** Kolmogorov's limit, for continuous columns. */
function asymptoticP(distance: number, from: number, to: number): number {
  const lambda = distance * Math.sqrt((from * to) / (from + to));
  if (lambda < 0.3) return 1;
  let sum = 0;
  for (let k = 1; k <= 50; k += 1) sum += (k % 2 === 1 ? 2 : -2) * Math.exp(-2 * (k * lambda) ** 2);
  return Math.min(1, Math.max(0, sum));
}
