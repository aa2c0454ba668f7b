import { createRandom, type Random } from '../../models/random.ts';
import { normals } from '../simulator/normals.ts';
import type { RateUnit } from './compare-rates.ts';
import type { Vectors } from './vectors.ts';

/** What may have happened between two samples of rows. `none`: nothing. */
export const shifts = ['none', 'mean', 'scale', 'turned', 'gone'] as const;
export type Shift = (typeof shifts)[number];

export const shiftText: Readonly<Record<Shift, string>> = {
  none: 'nothing',
  mean: 'one of 8 dimensions moved by 0.25 deviations',
  scale: 'one of 8 dimensions 1.4 times as wide',
  turned: 'a fifth of the rows turned by 90 degrees in one plane',
  gone: 'one of four segments, 15 % of the rows, gone',
};

const width = 8;
const segments = [0.35, 0.3, 0.2, 0.15];

/**
 * [count, 8]: rows of four segments around centres of their own, their dimensions dependent, one with heavy tails, one of whole numbers with many ties: as vectors and
 * features are.
 */
export function drawRows(count: number, { random, shift }: { random: Random; shift: Shift }): Vectors {
  const normal = normals(random);
  // The same centres in every sample.
  const centre = normals(createRandom(1));
  const centres = segments.map(() => Float64Array.from({ length: width }, () => 1.2 * centre()));
  const values = new Float64Array(count * width);
  for (let row = 0; row < count; row += 1) {
    const own = values.subarray(row * width, (row + 1) * width);
    const segment = drawSegment(random, shift === 'gone');
    const shared = normal();
    for (let at = 0; at < width; at += 1) own[at] = (centres[segment]?.[at] as number) + 0.6 * shared + 0.8 * normal();
    if (shift === 'mean') own[0] = (own[0] as number) + 0.25 * 1.5;
    if (shift === 'scale') own[1] = 1.4 * (own[1] as number);
    if (shift === 'turned' && random.float() < 0.2) [own[2], own[3]] = [own[3] as number, -(own[2] as number)];
    own[6] = Math.exp(own[6] as number);
    own[7] = Math.max(0, Math.round(2 * (own[7] as number)));
  }
  return { count, dimensions: width, values };
}

function drawSegment(random: Random, isLastGone: boolean): number {
  let left = random.float() * (isLastGone ? 1 - (segments[3] as number) : 1);
  for (const [segment, share] of segments.entries()) {
    left -= share;
    if (left < 0) return segment;
  }
  return 0;
}

/** Units of very different sizes, whose own rates vary around `rate` by 40 % of it. */
export function drawUnits(count: number, { random, rate }: { random: Random; rate: number }): RateUnit[] {
  const normal = normals(random);
  return Array.from({ length: count }, () => {
    const of = 1 + Math.floor(Math.exp(2.5 + 0.8 * normal()));
    const own = Math.min(1, rate * Math.max(0, 1 + 0.4 * normal()));
    let hits = 0;
    for (let trial = 0; trial < of; trial += 1) if (random.float() < own) hits += 1;
    return { count: hits, of };
  });
}

const [weeks, daysOfStay, dropIn] = [4, 7, 0.3];

/**
 * Users of four weeks, `count` of whom come in each half: each stays for a week, begins on any day, comes on three days of ten, and has a rate of its own (a fifth 0.5, the others 0.03). `lift`: of the
 * rate in the newer half. As units of either half: users, of whom each stands on the side to which chance deals it alone, or days.
 */
export function drawStays(
  count: number,
  { random, lift }: { random: Random; lift: number },
): { users: [RateUnit[], RateUnit[]]; days: [RateUnit[], RateUnit[]] } {
  const half = 7 * (weeks / 2);
  const days = Array.from({ length: 2 * half }, (): RateUnit => ({ count: 0, of: 0 }));
  const users: [RateUnit[], RateUnit[]] = [[], []];
  const some = Math.round((count * (2 * half + daysOfStay)) / half);
  for (let user = 0; user < some; user += 1) {
    const rate = random.float() < 0.2 ? 0.5 : 0.03;
    const begins = random.below(2 * half + daysOfStay) - daysOfStay;
    const own: [RateUnit, RateUnit] = [
      { count: 0, of: 0 },
      { count: 0, of: 0 },
    ];
    for (let day = Math.max(0, begins); day < Math.min(2 * half, begins + daysOfStay); day += 1) {
      if (random.float() >= dropIn) continue;
      const side = day < half ? 0 : 1;
      const events = 1 + random.below(8);
      let hits = 0;
      for (let event = 0; event < events; event += 1) if (random.float() < rate * (side === 1 ? 1 + lift : 1)) hits += 1;
      for (const unit of [own[side], days[day] as RateUnit]) {
        unit.count += hits;
        unit.of += events;
      }
    }
    const side = random.below(2) as 0 | 1;
    if (own[side].of > 0) users[side].push(own[side]);
  }
  return { users, days: [days.slice(0, half), days.slice(half)] };
}
