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
  /** What each leaf says for a shift of its combination: its distance from the prediction, 4 scales at most, times the root of its weight. */
  pull: Float64Array;
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

/** One search's figures for one cuboid: what no found cause has touched since is not worked out again. */
export type Fit = Candidates & { cuboid: Cuboid; total: Float64Array; touched: Uint8Array };

export function newFit(cuboid: Cuboid): Fit {
  const figures = () => new Float64Array(cuboid.groups);
  return {
    cuboid,
    deviation: figures(),
    spread: figures(),
    gain: figures(),
    shift: figures(),
    open: figures(),
    size: figures(),
    total: figures(),
    touched: new Uint8Array(cuboid.groups).fill(1),
  };
}

/**
 * Works out anew every combination that is touched and could lower the loss by `threshold`; the others touched gain nothing. Location and spread are those of
 * maximum likelihood under Student's t, by steps of reweighting (Lange, Little and Taylor 1989) from the weighted median.
 */
export function updateFit(fit: Fit, { evidence, threshold }: { evidence: Evidence; threshold: number }): void {
  const { group, groups } = fit.cuboid;
  const { deviation, weight, freedom, loss, settled } = evidence;
  const places = livePlaces(fit, { evidence, threshold });
  const passed = new Float64Array(groups);
  for (let step = 0; step < places.length; step += 1) {
    const at = places[step] as number;
    if (settled[at] === 1) continue;
    const own = group[at] as number;
    const before = passed[own] as number;
    // Half, or what rounding makes of it.
    if (before >= (fit.total[own] as number) * (0.5 - 1e-9)) continue;
    passed[own] = before + (weight[at] as number);
    fit.deviation[own] = deviation[at] as number;
  }
  for (let step = 0; step < 3; step += 1) reweigh(fit, { evidence, places, isLast: step === 2 });
  for (let step = 0; step < places.length; step += 1) {
    const at = places[step] as number;
    const own = group[at] as number;
    const spread = fit.spread[own] as number;
    const off = ((deviation[at] as number) - (fit.deviation[own] as number)) / spread;
    const gained = (loss[at] as number) - lossOf(off * off * (weight[at] as number), freedom) - Math.log(spread);
    if (settled[at] === 0 || gained > 0) fit.gain[own] = (fit.gain[own] as number) + gained;
  }
  fit.touched.fill(0);
}

/** Leaves, by deviation, of combinations whose whole loss is above the threshold, for no explanation lowers it by more than all, and which lean to one side (a score test). */
function livePlaces(fit: Fit, { evidence, threshold }: { evidence: Evidence; threshold: number }): Int32Array {
  const { touched, open, size, total } = fit;
  const { group, groups } = fit.cuboid;
  const { weight, loss, settled, pull, byDeviation } = evidence;
  const whole = new Float64Array(groups);
  const lean = new Float64Array(groups);
  for (let own = 0; own < groups; own += 1) if (touched[own] === 1) resetGroup(fit, own);
  for (let at = 0; at < group.length; at += 1) {
    const own = group[at] as number;
    if (touched[own] === 0) continue;
    whole[own] = (whole[own] as number) + (loss[at] as number);
    size[own] = (size[own] as number) + 1;
    if (settled[at] === 1) continue;
    lean[own] = (lean[own] as number) + (pull[at] as number);
    total[own] = (total[own] as number) + (weight[at] as number);
    open[own] = (open[own] as number) + 1;
  }
  for (let own = 0; own < groups; own += 1)
    if ((whole[own] as number) <= threshold || (lean[own] as number) ** 2 <= ((2 * threshold) / 3) * (total[own] as number)) touched[own] = 0;
  const places = new Int32Array(group.length);
  let live = 0;
  for (let step = 0; step < byDeviation.length; step += 1) {
    const at = byDeviation[step] as number;
    if (touched[group[at] as number] === 0) continue;
    places[live] = at;
    live += 1;
  }
  return places.subarray(0, live);
}

function resetGroup({ deviation, spread, gain, shift, open, size, total }: Fit, own: number): void {
  for (const figures of [deviation, gain, shift, open, size, total]) figures[own] = 0;
  spread[own] = 1;
}

function reweigh(fit: Fit, { evidence, places, isLast }: { evidence: Evidence; places: Int32Array; isLast: boolean }): void {
  const { group, groups, dimensions } = fit.cuboid;
  const { deviation, weight, freedom, settled } = evidence;
  const sum = new Float64Array(groups);
  const weights = new Float64Array(groups);
  const squares = new Float64Array(groups);
  for (let step = 0; step < places.length; step += 1) {
    const at = places[step] as number;
    if (settled[at] === 1) continue;
    const own = group[at] as number;
    const off = ((deviation[at] as number) - (fit.deviation[own] as number)) / (fit.spread[own] as number);
    const squared = off * off * (weight[at] as number);
    const trust = ((freedom + 1) / (freedom + squared)) * (weight[at] as number);
    sum[own] = (sum[own] as number) + trust * (deviation[at] as number);
    weights[own] = (weights[own] as number) + trust;
    squares[own] = (squares[own] as number) + trust * off * off * (fit.spread[own] as number) ** 2;
  }
  for (let own = 0; own < groups; own += 1) {
    if (weights[own] === 0) continue;
    const many = fit.open[own] as number;
    const location = (sum[own] as number) / (weights[own] as number);
    fit.deviation[own] = location;
    // Wider than the noise, never narrower: leaves that agree by chance prove nothing. Nor so wide that some are as predicted: such are several causes, or none.
    const widest = dimensions.length === 0 ? 1 : (Math.abs(location) * Math.sqrt((fit.total[own] as number) / many)) / leastContrast;
    if (isLast) fit.shift[own] = (location ** 2 * (weights[own] as number)) / (fit.spread[own] as number) ** 2 / 2;
    else fit.spread[own] = Math.max(1, Math.min(widest, Math.sqrt((squares[own] as number) / many)));
  }
}
