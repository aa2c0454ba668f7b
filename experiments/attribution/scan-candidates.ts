import type { Cuboid } from './cuboids.ts';

/** What is known of each leaf while causes are sought. */
export type Evidence = {
  deviation: Float64Array;
  /** One over the squared scale of the noise. */
  weight: Float64Array;
  freedom: number;
  /** Loss under the causes found so far. */
  loss: Float64Array;
  /** 1 where a cause explains the leaf already. */
  settled: Uint8Array;
  /** Places by deviation. */
  byDeviation: Int32Array;
};

/** One combination of attributes as a cause: the deviation its leaves share, how much wider than the noise they lie around it, and by how much the loss falls. */
export type Candidate = { cuboid: Cuboid; group: number; deviation: number; spread: number; gain: number };

/** A cause's deviation is at least so many times as large as its leaves' spread around it. */
const leastContrast = 2;

/** One entry a combination. `shift`: by how much the deviation alone lowers the loss, in squares; `open`: leaves that no cause explains yet. */
export type Candidates = { deviation: Float64Array; spread: Float64Array; gain: Float64Array; shift: Float64Array; open: Float64Array; size: Float64Array };

/** Minus the logarithm of Student's t density, without what does not depend on `squared`, the squared distance in scales of the noise. */
export const lossOf = (squared: number, freedom: number): number => ((freedom + 1) / 2) * Math.log1p(squared / freedom);

/** Every combination of a cuboid. Location and spread are those of maximum likelihood under Student's t, by two steps of reweighting (Lange, Little and Taylor 1989) from the weighted median. */
export function candidatesOf(cuboid: Cuboid, evidence: Evidence): Candidates {
  const { group, groups } = cuboid;
  const { deviation, weight, freedom, loss, settled, byDeviation } = evidence;
  const total = new Float64Array(groups);
  const open = new Float64Array(groups);
  const size = new Float64Array(groups);
  for (let at = 0; at < group.length; at += 1) {
    const own = group[at] as number;
    size[own] = (size[own] as number) + 1;
    if (settled[at] === 1) continue;
    total[own] = (total[own] as number) + (weight[at] as number);
    open[own] = (open[own] as number) + 1;
  }
  const location = new Float64Array(groups);
  const passed = new Float64Array(groups);
  for (let step = 0; step < byDeviation.length; step += 1) {
    const at = byDeviation[step] as number;
    if (settled[at] === 1) continue;
    const own = group[at] as number;
    const before = passed[own] as number;
    if (before >= (total[own] as number) / 2) continue;
    passed[own] = before + (weight[at] as number);
    location[own] = deviation[at] as number;
  }
  const spread = new Float64Array(groups).fill(1);
  const shift = new Float64Array(groups);
  for (let step = 0; step < 3; step += 1) reweigh({ cuboid, evidence, location, spread, shift, total, open, isLast: step === 2 });
  const gain = new Float64Array(groups);
  for (let own = 0; own < groups; own += 1) gain[own] = -(open[own] as number) * Math.log(spread[own] as number);
  for (let at = 0; at < group.length; at += 1) {
    const own = group[at] as number;
    const off = ((deviation[at] as number) - (location[own] as number)) / (spread[own] as number);
    const gained = (loss[at] as number) - lossOf(off * off * (weight[at] as number), freedom);
    if (settled[at] === 0 || gained > 0) gain[own] = (gain[own] as number) + gained;
  }
  return { deviation: location, spread, gain, shift, open, size };
}

type Reweigh = {
  cuboid: Cuboid;
  evidence: Evidence;
  location: Float64Array;
  spread: Float64Array;
  shift: Float64Array;
  total: Float64Array;
  open: Float64Array;
  isLast: boolean;
};

function reweigh({ cuboid: { group, groups, dimensions }, evidence, location, spread, shift, total, open, isLast }: Reweigh): void {
  const { deviation, weight, freedom, settled } = evidence;
  const sum = new Float64Array(groups);
  const weights = new Float64Array(groups);
  const squares = new Float64Array(groups);
  for (let at = 0; at < group.length; at += 1) {
    if (settled[at] === 1) continue;
    const own = group[at] as number;
    const off = (deviation[at] as number) - (location[own] as number);
    const squared = off * off * (weight[at] as number);
    const scale = (spread[own] as number) ** 2;
    const trust = (freedom + 1) / (freedom + squared / scale);
    sum[own] = (sum[own] as number) + trust * (weight[at] as number) * (deviation[at] as number);
    weights[own] = (weights[own] as number) + trust * (weight[at] as number);
    squares[own] = (squares[own] as number) + trust * squared;
  }
  for (let own = 0; own < groups; own += 1) {
    const many = open[own] as number;
    if (many === 0) continue;
    location[own] = (sum[own] as number) / (weights[own] as number);
    // Wider than the noise, never narrower: leaves that agree by chance prove nothing. Nor so wide that some are as predicted: such are several causes, or none.
    const widest = dimensions.length === 0 ? 1 : (Math.abs(location[own] as number) * Math.sqrt((total[own] as number) / many)) / leastContrast;
    if (!isLast) spread[own] = Math.max(1, Math.min(widest, Math.sqrt((squares[own] as number) / many)));
    else shift[own] = ((location[own] as number) ** 2 * (weights[own] as number)) / (spread[own] as number) ** 2 / 2;
  }
}
