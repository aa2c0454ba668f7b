import { type DemandReference, type FeedbackFigure, feedbackFigures } from '../../models/contracts/audit-measures.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { createRandom } from '../../models/random.ts';
import { estimateExamination } from '../counterfactual/examination.ts';
import { spearman } from '../counterfactual/exposure-bias.ts';
import { gini, longTail } from '../ranking/catalog.ts';
import { type GenerationSums, unitGroups, without } from './generation-sums.ts';
import type { GenerationLog } from './shown-slate.ts';
import { studentQuantile } from '../student.ts';

/** Pairs of slates whose likeness is measured. */
const pairs = 1000;
/** Engagements with drawn items below which nothing is said of positions. */
const engagementsToSpeak = 20;
/** Of exposure, that what is most shown makes up. */
const headShare = 0.8;

export type Figures = Record<FeedbackFigure, Interval | null>;

type Input = { log: GenerationLog; sums: GenerationSums; tail: Uint8Array; reference: DemandReference | null; slatesSeed: number };

/**
 * The measures of one generation. Those over items have intervals of 95 % by leaving out each group of units once (jackknife by groups: Kott, "The
 * delete-a-group jackknife", Journal of Official Statistics 2001).
 *
 * - `coverage`, `gini`, `entropy` (bits), `longTailShare`: of exposure by attention, over the catalog;
 * - `homogenization`: mean likeness (Jaccard) of slates of different units (Chaney, Stewart and Engelhardt, RecSys 2018, sec. 4);
 * - `correlation`: rank correlation of exposure and engagement over the items shown;
 * - `lastSlotExamination`: how often the last place is looked at, of the first, from what exploration drew;
 * - `amplification`: share of exposure of the items that are most shown and make four fifths of it, by their share of demand. 1: what is shown is what is wanted. Demand comes from
 *   elsewhere than exposure, so that choosing what is most shown does not choose what seems wanted least; one event spread over the catalog keeps it finite.
 */
export function* figuresOf({ log, sums, tail, reference, slatesSeed }: Input): Generator<void, Figures, void> {
  const mostShown = mostShownOf(sums);
  const demand = reference === null ? null : reference === 'organic' ? sums.organic : sums.explored;
  const events = reference === 'organic' ? total(sums.organic.whole) : sums.exploredSampleSize;
  const ofExposure = (of: (exposure: Float64Array) => number) => () => jackknife((group) => of(without(sums.exposure, group)));
  const amplification = (): Interval | null => {
    if (demand === null) return null;
    const found = jackknife((group) => Math.log(amplificationOf({ mostShown, exposure: without(sums.shown, group), demand: without(demand, group), events })));
    return found && { value: Math.exp(found.value), low: Math.exp(found.low), high: Math.exp(found.high) };
  };
  const measures: Record<FeedbackFigure, () => Interval | null> = {
    coverage: ofExposure((exposure) => exposure.reduce((sum, one) => sum + (one > 1e-9 ? 1 : 0), 0) / exposure.length),
    gini: ofExposure(gini),
    entropy: ofExposure(entropy),
    longTailShare: ofExposure((exposure) => shareOf(exposure, (item) => tail[item] === 1)),
    homogenization: () => homogenization(log, slatesSeed),
    correlation: () => jackknife((group) => correlationOf(without(sums.shown, group), without(sums.engaged, group))),
    lastSlotExamination: () => lastSlotExamination(log, slatesSeed),
    amplification,
  };
  const figures = {} as Figures;
  for (const name of feedbackFigures) {
    figures[name] = measures[name]();
    yield;
  }
  return figures;
}

/** [items] 1 for the most shown that make four fifths of exposure. */
function mostShownOf({ shown: { whole } }: GenerationSums): Uint8Array {
  return longTail(whole, headShare).map((isTail) => 1 - isTail);
}

type Amplified = { mostShown: Uint8Array; exposure: Float64Array; demand: Float64Array; events: number };

function amplificationOf({ mostShown, exposure, demand, events }: Amplified): number {
  const isMostShown = (item: number) => mostShown[item] === 1;
  const event = total(demand) / Math.max(1, events);
  const spread = (event * total(mostShown)) / mostShown.length;
  const wanted = demand.reduce((sum, one, item) => sum + (isMostShown(item) ? one : 0), spread) / (total(demand) + event);
  return shareOf(exposure, isMostShown) / wanted;
}

export const total = (values: Float64Array | Uint8Array): number => {
  let sum = 0;
  for (const one of values) sum += one;
  return sum;
};

export function shareOf(values: Float64Array, counts: (item: number) => boolean): number {
  const whole = total(values);
  return whole === 0 ? 0 : values.reduce((sum, one, item) => sum + (counts(item) ? one : 0), 0) / whole;
}

function entropy(exposure: Float64Array): number {
  const whole = total(exposure);
  return exposure.reduce((bits, one) => (one > 1e-9 ? bits - (one / whole) * Math.log2(one / whole) : bits), 0);
}

function correlationOf(shown: Float64Array, engaged: Float64Array): number {
  const items = [...shown.keys()].filter((item) => (shown[item] as number) > 1e-9);
  return spearman(items.map((item) => [shown[item] as number, engaged[item] as number])) ?? Number.NaN;
}

/** @param of the figure without a group, of all units where it is -1 */
export function jackknife(of: (group: number) => number, level = 0.95): Interval | null {
  const value = of(-1);
  const parts = Array.from({ length: unitGroups }, (_, group) => of(group)).filter(Number.isFinite);
  if (!Number.isFinite(value) || parts.length < unitGroups) return null;
  const mean = parts.reduce((sum, one) => sum + one, 0) / unitGroups;
  const variance = ((unitGroups - 1) / unitGroups) * parts.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  return around(value, studentQuantile((1 + level) / 2, unitGroups - 1) * Math.sqrt(variance));
}

const around = (value: number, half: number): Interval => ({ value, low: value - half, high: value + half });

/** Of pairs that share no slate, so that they are independent as far as units are. */
function homogenization({ slates }: GenerationLog, seed: number): Interval | null {
  const random = createRandom(seed);
  const order = slates.map((_, number) => number);
  const likeness: number[] = [];
  for (let place = 0; place + 1 < order.length && likeness.length < pairs; place += 2) {
    for (const at of [place, place + 1]) {
      const other = at + random.below(order.length - at);
      [order[at], order[other]] = [order[other] as number, order[at] as number];
    }
    const [one, other] = [slates[order[place] as number], slates[order[place + 1] as number]];
    if (one === undefined || other === undefined || one.unit === other.unit) continue;
    likeness.push(jaccard(one.items, other.items));
  }
  if (likeness.length < 2) return null;
  const mean = likeness.reduce((sum, one) => sum + one, 0) / likeness.length;
  const variance = likeness.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (likeness.length - 1);
  return around(mean, studentQuantile(0.975, likeness.length - 1) * Math.sqrt(variance / likeness.length));
}

/** Shared items by all items; 0 of two empty slates. */
export function jaccard(one: readonly string[], other: readonly string[]): number {
  const mine = new Set(one);
  const shared = new Set(other.filter((item) => mine.has(item))).size;
  const all = mine.size + new Set(other).size - shared;
  return all === 0 ? 0 : shared / all;
}

function lastSlotExamination({ slates }: GenerationLog, seed: number): Interval | null {
  const size = slates.reduce((most, { items }) => Math.max(most, items.length), 0);
  const explored = slates.flatMap(({ engaged, exploredSlots }) => exploredSlots.map((slot) => ({ slot, engaged: engaged[slot] === true })));
  if (size < 2 || explored.filter(({ engaged }) => engaged).length < engagementsToSpeak) return null;
  return estimateExamination({ explored, size, seed }).intervals[size - 1] ?? null;
}
