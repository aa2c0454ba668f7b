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
