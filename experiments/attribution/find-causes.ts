import { type Cuboid, cuboidsOf, rankDimensions } from './cuboids.ts';
import { type Deviations, deviationsOf, type Figures, together } from './deviations.ts';
import type { Dimension } from './leaves.ts';
import { fitNoise, type Noise } from './noise.ts';
import { type Candidate, type Evidence, type Fit, lossOf, newFit, updateFit } from './scan-candidates.ts';

/** Chance of a suspect where nothing but noise is. */
export const falseAlarmRate = 0.01;
/** How much more a part counts that speaks against a candidate than one that speaks for it. */
export const doubt = 1;
/**
 * Leaves that are spread wider than the noise must also have moved, and not only be noisier: their common deviation alone lowers the loss by a third of what chance does in
 * the luckiest combination.
 */
export const shiftWeight = 3;
/** Chance sets the losses of a part off by so much. */
export const slack = 2;

export type Cause = Candidate & { places: Int32Array };
export type Found = { causes: Cause[]; noise: Noise; deviations: Deviations; evidence: Evidence };

type Input = Figures & { dimensions: readonly Dimension[]; atMost: number; isCounted?: boolean };

/**
 * The causes that together make the deviations likeliest, by forward selection: each time the combination of attributes that lowers the loss (minus the log
 * likelihood) of all leaves most, while it lowers it by more than chance does in any of as many combinations with probability `falseAlarmRate`.
 * A combination of which a part is as predicted counts for less, so that neither too wide nor too narrow a combination is the best.
 */
export function findCauses({ dimensions, atMost, isCounted = false, ...figures }: Input): Found {
  const deviations = deviationsOf(figures);
  const noise = fitNoise(deviations, { isCounted });
  const evidence = evidenceOf({ deviations, noise });
  const ranked = rankDimensions({ dimensions, leaves: deviations.leaf, losses: evidence.loss });
  const cuboids = cuboidsOf({ dimensions, leaves: deviations.leaf, ranked });
  const codes = dimensions.map(({ codes: own }) => Int32Array.from(deviations.leaf, (leaf) => own[leaf] as number));
  const nothing = evidence.loss.slice();
  let causes: Cause[] = [];
  const fits = cuboids.map(newFit);
  while (causes.length < atMost) {
    const best = bestCandidate({ fits, evidence, codes });
    if (best === undefined) break;
    const next = refit([...causes, { ...best, places: placesOf(best) }], { evidence, nothing, cuboids: cuboids.length });
    const before = { loss: evidence.loss.slice(), settled: evidence.settled.slice() };
    settle(next, { evidence, nothing });
    touch(fits, { evidence, before });
    if (next.length <= causes.length && next.every((one) => causes.some((other) => isSame(one, other)))) break;
    causes = next;
  }
  return { causes, noise, deviations, evidence };
}

export function evidenceOf({ deviations: { deviation, counted }, noise }: { deviations: Deviations; noise: Noise }): Evidence {
  const weight = Float64Array.from(counted, (own) => 1 / (noise.relative + noise.counts / own));
  const loss = Float64Array.from(deviation, (own, at) => lossOf(own * own * (weight[at] as number), noise.freedom));
  const byDeviation = Int32Array.from(deviation.keys()).sort((a, b) => (deviation[a] as number) - (deviation[b] as number) || a - b);
  const pull = Float64Array.from(deviation, (own, at) => {
    const root = Math.sqrt(weight[at] as number);
    return root * Math.max(-4, Math.min(4, own * root));
  });
  return { deviation, weight, freedom: noise.freedom, loss, settled: new Uint8Array(deviation.length), pull, byDeviation };
}

const isSame = (one: Candidate, other: Candidate): boolean => one.cuboid === other.cuboid && one.group === other.group;

function placesOf({ cuboid, group }: Candidate): Int32Array {
  const places: number[] = [];
  for (let at = 0; at < cuboid.group.length; at += 1) if (cuboid.group[at] === group) places.push(at);
  return Int32Array.from(places);
}

/** What chance lowers the loss by in the luckiest combination of a cuboid (Wilks: twice the gain is chi-squared), all cuboids bearing the same part of the rate. */
export const thresholdOf = (cuboid: Cuboid, cuboids: number): number => Math.log((cuboids * cuboid.groups) / falseAlarmRate) + 1;

type Search = { fits: readonly Fit[]; evidence: Evidence; codes: readonly Int32Array[] };

/** The next cause: of those beyond chance the one with the largest net gain, after what speaks against it. */
export function bestCandidate({ fits, evidence, codes }: Search): (Candidate & { net: number }) | undefined {
  const open: (Candidate & { net: number })[] = [];
  for (const fit of fits) {
    const { cuboid, deviation, spread, gain, shift, open: unexplained, size } = fit;
    const threshold = thresholdOf(cuboid, fits.length);
    updateFit(fit, { evidence, threshold });
    for (let group = 0; group < cuboid.groups; group += 1) {
      if (Math.min(gain[group] as number, shiftWeight * (shift[group] as number)) <= threshold || 2 * (unexplained[group] as number) < (size[group] as number))
        continue;
      const own = { cuboid, group, deviation: deviation[group] as number, spread: spread[group] as number, gain: gain[group] as number };
      open.push({ ...own, net: own.gain - threshold });
    }
  }
  open.sort((a, b) => b.net - a.net || a.cuboid.dimensions.length - b.cuboid.dimensions.length);
  let best: (Candidate & { net: number }) | undefined;
  for (const candidate of open) {
    if (best !== undefined && best.net >= candidate.net) break;
    const net = candidate.net + doubt * worstPart(candidate, { evidence, codes });
    if (net > 0 && (best === undefined || net > best.net)) best = { ...candidate, net };
  }
  return best;
}

/** Of the dimensions that a candidate leaves open: the sum over the values that speak against it, where that is most. */
function worstPart(candidate: Candidate, { evidence, codes }: Pick<Search, 'evidence' | 'codes'>): number {
  const { deviation, weight, freedom, loss, settled } = evidence;
  const places = placesOf(candidate).filter((at) => settled[at] === 0);
  const gained = Float64Array.from(places, (at) => {
    const off = ((deviation[at] as number) - candidate.deviation) / candidate.spread;
    return (loss[at] as number) - lossOf(off * off * (weight[at] as number), freedom) - Math.log(candidate.spread);
  });
  let worst = 0;
  for (const [dimension, own] of codes.entries()) {
    if (candidate.cuboid.dimensions.includes(dimension)) continue;
    const parts = new Map<number, number>();
    for (const [place, at] of places.entries()) parts.set(own[at] as number, (parts.get(own[at] as number) ?? 0) + (gained[place] as number));
    let against = 0;
    for (const part of parts.values()) if (part < -slack) against += part;
    worst = Math.min(worst, against);
  }
  return worst;
}

type State = { evidence: Evidence; nothing: Float64Array };

/** Each cause anew on the leaves that no other explains better, then without those that no longer pay. */
function refit(causes: readonly Cause[], { evidence, nothing, cuboids }: State & { cuboids: number }): Cause[] {
  let kept = [...causes];
  for (;;) {
    kept = kept.map((cause, index) => ({ ...cause, gain: marginalGain(index, kept, { evidence, nothing }) }));
    const paying = kept.map(({ gain, cuboid }) => gain - thresholdOf(cuboid, cuboids));
    const least = paying.reduce((worst, net, index) => (net < (paying[worst] as number) ? index : worst), 0);
    if (kept.length === 0 || (paying[least] as number) > 0) return kept;
    kept = kept.filter((_, index) => index !== least);
  }
}

const lossUnder = ({ deviation, spread }: Candidate, at: number, evidence: Evidence): number => {
  const off = ((evidence.deviation[at] as number) - deviation) / spread;
  return lossOf(off * off * (evidence.weight[at] as number), evidence.freedom) + Math.log(spread);
};

/** How much higher the loss would be without one cause. */
function marginalGain(index: number, causes: readonly Cause[], { evidence, nothing }: State): number {
  const own = causes[index] as Cause;
  const others = causes.filter((_, place) => place !== index);
  let gain = 0;
  for (const at of own.places) {
    const rest = others.filter(({ cuboid, group }) => cuboid.group[at] === group).map((other) => lossUnder(other, at, evidence));
    const with_ = lossUnder(own, at, evidence);
    gain += rest.length === 0 ? (nothing[at] as number) - with_ : Math.max(0, Math.min(...rest) - with_);
  }
  return gain;
}

/** A leaf is settled where a cause over it explains it, or all of them together, and its loss is the least of those and of being as predicted after all. */
function settle(causes: readonly Cause[], { evidence, nothing }: State): void {
  evidence.loss.set(nothing);
  evidence.settled.fill(0);
  const likely = lossOf(9, evidence.freedom);
  const take = (cause: Candidate, at: number): void => {
    const loss = lossUnder(cause, at, evidence);
    if (loss < (evidence.loss[at] as number)) evidence.loss[at] = loss;
    if (loss - Math.log(cause.spread) < likely) evidence.settled[at] = 1;
  };
  const over = new Map<number, Candidate>();
  const met = new Set<number>();
  for (const cause of causes) {
    for (const at of cause.places) {
      take(cause, at);
      const before = over.get(at);
      if (before !== undefined) met.add(at);
      const all = before && { ...cause, deviation: together(before.deviation, cause.deviation), spread: Math.max(before.spread, cause.spread) };
      over.set(at, all ?? cause);
    }
  }
  for (const at of met) take(over.get(at) as Candidate, at);
}

/** Combinations of which a leaf is explained otherwise than before. */
function touch(fits: readonly Fit[], { evidence, before }: { evidence: Evidence; before: { loss: Float64Array; settled: Uint8Array } }): void {
  const changed: number[] = [];
  for (let at = 0; at < before.loss.length; at += 1) if (evidence.loss[at] !== before.loss[at] || evidence.settled[at] !== before.settled[at]) changed.push(at);
  for (const { cuboid, touched } of fits) for (const at of changed) touched[cuboid.group[at] as number] = 1;
}

/** For each place the cause that explains it best of those over it, of equals the one with more attributes; -1 where there is none. */
export function ownersOf({ causes, evidence }: Pick<Found, 'causes' | 'evidence'>): Int32Array {
  const owners = new Int32Array(evidence.loss.length).fill(-1);
  const least = new Float64Array(owners.length).fill(Number.POSITIVE_INFINITY);
  const order = [...causes.keys()].sort((a, b) => (causes[b] as Cause).cuboid.dimensions.length - (causes[a] as Cause).cuboid.dimensions.length);
  for (const index of order) {
    const cause = causes[index] as Cause;
    for (const at of cause.places) {
      const loss = lossUnder(cause, at, evidence);
      if (loss >= (least[at] as number)) continue;
      least[at] = loss;
      owners[at] = index;
    }
  }
  return owners;
}
